"""Families that write `<|im_start|>role`, a line break, the text and `<|im_end|>`, and what they add to that."""

from tests.families.family import Family

PLAIN = r"""
{%- for turn in messages %}
{{- '<|im_start|>' ~ turn.role ~ '\n' ~ turn.content ~ '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}
"""
MARKED = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

_WITH_DEFAULT_SYSTEM = r"""
{%- if messages[0].role != 'system' %}
{{- '<|im_start|>system\nYou answer questions, briefly and kindly.<|im_end|>\n' }}
{%- endif %}""" + PLAIN.lstrip("\n")

_YI = r"""
{%- if messages[0].role == 'system' %}{{- messages[0].content }}{% endif %}
{%- for turn in messages %}
  {%- if turn.role == 'user' %}
{{- '<|im_start|>user\n' ~ turn.content ~ '<|im_end|>\n<|im_start|>assistant\n' }}
  {%- elif turn.role == 'assistant' %}{{- turn.content ~ '<|im_end|>\n' }}
  {%- endif %}
{%- endfor %}
"""

FAMILIES = (
    Family(
        name="qwen-2.5",
        why="The template writes a system turn of its own where the conversation has none.",
        template=_WITH_DEFAULT_SYSTEM,
        control=MARKED,
        listed=("<|im_start|>", "<|im_end|>"),
        eos="<|im_end|>",
        pad="<|endoftext|>",
        generation_eos=("<|im_end|>", "<|endoftext|>"),
        end_of_turn="<|im_end|>",
    ),
    Family(
        name="yi-1.5",
        why="ChatML on SentencePiece; the system turn is bare text, and a user turn always ends in the generation "
        "prompt.",
        template=_YI,
        kind="legacy",
        control=("<|startoftext|>", *MARKED),
        eos="<|im_end|>",
        pad="<unk>",
        generation_eos=("<|im_end|>",),
        end_of_turn="<|im_end|>",
    ),
    Family(
        name="internlm2",
        why="ChatML on SentencePiece; the tokenizer's end token is another one than the template's.",
        template="{{- bos_token }}" + PLAIN,
        kind="legacy",
        control=("<s>", "</s>", "<|im_start|>", "<|im_end|>"),
        listed=("<|im_start|>", "<|im_end|>"),
        bos="<s>",
        eos="</s>",
        pad="</s>",
        generation_eos=("</s>", "<|im_end|>"),
        end_of_turn="<|im_end|>",
    ),
    Family(
        name="openhermes",
        why="A fine-tune that added ChatML to the tokenizer of Mistral; the token that opens a turn is not special.",
        template=PLAIN,
        kind="legacy",
        control=("<s>", "</s>", "<|im_end|>"),
        marks=("<|im_start|>",),
        bos="<s>",
        eos="<|im_end|>",
        pad="</s>",
        generation_eos=("<|im_end|>",),
        end_of_turn="<|im_end|>",
    ),
)
