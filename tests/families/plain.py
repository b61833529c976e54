"""Families that name their turns in words: the text of a message can spell all of a turn but its end."""

# ruff: noqa: RUF001

from tests.families.family import Family

_OPENCHAT = r"""
{{- bos_token }}
{%- for turn in messages %}
{{- 'Right ' ~ (turn.role | title) ~ ': ' ~ turn.content ~ '<|end_of_turn|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- 'Right Assistant:' }}{% endif %}
"""

_ORION = r"""
{%- for turn in messages %}
  {%- if loop.first %}{{- bos_token }}{% endif %}
  {%- if turn.role == 'user' %}{{- 'Person: ' ~ turn.content ~ '\n\nMachine: ' ~ eos_token }}
  {%- elif turn.role == 'assistant' %}{{- turn.content ~ eos_token }}
  {%- endif %}
{%- endfor %}
"""

_YANDEX = r"""
{{- '<s>' }}
{%- for turn in messages %}
  {%- if turn.role == 'user' %}{{- ' Вопрос: ' ~ turn.content ~ '\n\n' }}
  {%- elif turn.role == 'assistant' and not loop.last %}{{- ' Ответ: ' ~ turn.content ~ '\n\n' }}
  {%- endif %}
{%- endfor %}
{{- ' Ответ:[SEP]' }}
"""

_DEEPSEEK_CODER = r"""
{{- bos_token }}
{%- if messages[0].role != 'system' %}{{- 'You write programs.\n' }}{% endif %}
{%- for turn in messages %}
  {%- if turn.role == 'system' %}{{- turn.content }}
  {%- elif turn.role == 'user' %}{{- '### Task:\n' ~ turn.content ~ '\n' }}
  {%- else %}{{- '### Program:\n' ~ turn.content ~ '\n<|EOT|>\n' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '### Program:\n' }}{% endif %}
"""

_VICUNA = r"""
{{- bos_token }}
{%- if messages[0].role == 'system' %}{% set rules, turns = messages[0].content, messages[1:] %}
{%- else %}{% set rules, turns = 'A person talks to a machine that likes to help.', messages %}
{%- endif %}
{{- rules }}
{%- for turn in turns %}
  {%- if turn.role == 'user' %}{{- ' USER: ' ~ (turn.content | trim) }}
  {%- else %}{{- ' ASSISTANT: ' ~ (turn.content | trim) ~ eos_token }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- ' ASSISTANT:' }}{% endif %}
"""

_ZEPHYR = r"""
{%- for turn in messages %}
{{- '<|' ~ turn.role ~ '|>\n' ~ turn.content ~ eos_token ~ '\n' }}
  {%- if loop.last and add_generation_prompt %}{{- '<|assistant|>\n' }}{% endif %}
{%- endfor %}
"""

_ENDS = ("<s>", "</s>")

FAMILIES = (
    Family(
        name="vicuna",
        why="One line of plain text without any control token but the ends; a sentence stands in for a missing system "
        "turn.",
        template=_VICUNA,
        kind="legacy",
        control=_ENDS,
        bos="<s>",
        eos="</s>",
        pad="<unk>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
        lead=" ",
    ),
    Family(
        name="zephyr",
        why="The role marks are plain text, on SentencePiece.",
        template=_ZEPHYR,
        kind="legacy",
        control=_ENDS,
        bos="<s>",
        eos="</s>",
        pad="</s>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
    ),
    Family(
        name="tinyllama",
        why="As Zephyr, but tokenizer_config.json names a class by which transformers builds another tokenizer than "
        "tokenizer.json describes.",
        template=_ZEPHYR,
        kind="legacy",
        tokenizer_class="LlamaTokenizer",
        control=_ENDS,
        bos="<s>",
        eos="</s>",
        pad="</s>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
    ),
    Family(
        name="openchat",
        why="Words name a turn and a control token ends it.",
        template=_OPENCHAT,
        kind="legacy",
        control=(*_ENDS, "<|end_of_turn|>"),
        bos="<s>",
        eos="<|end_of_turn|>",
        generation_eos=("<|end_of_turn|>",),
        end_of_turn="<|end_of_turn|>",
        lead=" ",
    ),
    Family(
        name="orion",
        why="The generation prompt itself ends in the end token, and a system turn is dropped without a word.",
        template=_ORION,
        kind="legacy",
        control=_ENDS,
        bos="<s>",
        eos="</s>",
        pad="<unk>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
        system="merged",
    ),
    Family(
        name="yandexgpt",
        why="The last answer of a conversation is dropped, as is a system turn, and an earlier answer ends in two line "
        "breaks: the template never writes the end token.",
        template=_YANDEX,
        kind="first",
        control=(*_ENDS, "[SEP]"),
        bos="<s>",
        eos="</s>",
        pad="<unk>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
        system="merged",
    ),
    Family(
        name="deepseek-coder",
        why="A line break stands between an answer and the end of turn.",
        template=_DEEPSEEK_CODER,
        control=("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<|EOT|>"),
        bos="<｜begin▁of▁sentence｜>",
        eos="<|EOT|>",
        pad="<｜end▁of▁sentence｜>",
        generation_eos=("<|EOT|>",),
        end_of_turn="<|EOT|>",
        trail="\n",
    ),
)
