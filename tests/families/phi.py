"""Families by Microsoft: `<|user|>` opens a turn and `<|end|>` ends it, yet the tokenizer's end token is another."""

from tests.families.family import Family

_PHI_3 = r"""
{{- bos_token }}
{%- for turn in messages %}
  {%- if turn.role == 'user' %}{{- '<|user|>\n' ~ turn.content ~ '<|end|>\n<|assistant|>\n' }}
  {%- elif turn.role == 'assistant' %}{{- turn.content ~ '<|end|>\n' }}
  {%- endif %}
{%- endfor %}
"""

_PHI_3_5 = r"""
{%- for turn in messages if turn.content %}
{{- '<|' ~ turn.role ~ '|>\n' ~ turn.content ~ '<|end|>\n' }}
{%- endfor %}
{{- '<|assistant|>\n' if add_generation_prompt else eos_token }}
"""

_PHI_4_MINI = r"""
{%- for turn in messages %}{{- '<|' ~ turn.role ~ '|>' ~ turn.content ~ '<|end|>' }}{% endfor %}
{{- '<|assistant|>' if add_generation_prompt else eos_token }}
"""

_PHI_4 = r"""
{%- for turn in messages %}
  {%- if turn.role == 'assistant' %}{{- turn.content ~ '<|im_end|>' }}
  {%- else %}{{- '<|im_start|>' ~ turn.role ~ '<|im_sep|>' ~ turn.content ~ '<|im_end|>' }}
  {%- endif %}
  {%- if turn.role == 'user' %}{{- '<|im_start|>assistant<|im_sep|>' }}{% endif %}
{%- endfor %}
"""

_ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")

FAMILIES = (
    Family(
        name="phi-3",
        why="A system turn is dropped without a word, and the role tokens swallow the line break behind them.",
        template=_PHI_3,
        kind="legacy",
        control=("<s>", "</s>", "<|endoftext|>", *_ROLES),
        greedy=_ROLES,
        bos="<s>",
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        generation_eos=("<|endoftext|>", "<|end|>"),
        end_of_turn="<|end|>",
        system="merged",
    ),
    Family(
        name="phi-3.5",
        why="Without a generation prompt a second end token follows the whole conversation.",
        template=_PHI_3_5,
        kind="legacy",
        control=("<s>", "</s>", "<|endoftext|>", *_ROLES),
        greedy=_ROLES,
        bos="<s>",
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        generation_eos=("<|end|>", "<|assistant|>", "<|endoftext|>"),
        end_of_turn="<|end|>",
    ),
    Family(
        name="phi-4-mini",
        why="Control tokens and text without any line break; a second end token follows the whole conversation.",
        template=_PHI_4_MINI,
        control=("<|endoftext|>", *_ROLES),
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        generation_eos=("<|end|>", "<|endoftext|>"),
        end_of_turn="<|end|>",
    ),
    Family(
        name="phi-4",
        why="A separator token instead of a line break; a user turn always ends in the generation prompt.",
        template=_PHI_4,
        control=("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>"),
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        generation_eos=("<|im_end|>",),
        end_of_turn="<|im_end|>",
    ),
)
