"""Families by Meta: three ways to write a conversation."""

from tests.families.family import Family

_LLAMA_2 = r"""
{%- set rules = messages[0].content if messages[0].role == 'system' else none %}
{%- for turn in (messages if rules is none else messages[1:]) %}
  {%- if (turn.role == 'user') == (loop.index0 % 2 == 1) %}
{{- raise_exception('A user and an assistant have to take turns.') }}
  {%- endif %}
  {%- set text = turn.content %}
  {%- if loop.first and rules is not none %}{% set text = '<<SYS>>\n' ~ rules ~ '\n<</SYS>>\n\n' ~ text %}{% endif %}
  {%- if turn.role == 'user' %}{{- bos_token ~ '[INST] ' ~ (text | trim) ~ ' [/INST]' }}
  {%- else %}{{- ' ' ~ (text | trim) ~ ' ' ~ eos_token }}
  {%- endif %}
{%- endfor %}
"""

_LLAMA_3 = r"""
{{- bos_token }}
{%- for turn in messages %}
{{- '<|start_header_id|>' ~ turn.role ~ '<|end_header_id|>\n\n' ~ (turn.content | trim) ~ '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}
"""

_LLAMA_3_2 = r"""
{{- bos_token }}
{%- set today = date_string or (strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024') %}
{%- set rules, turns = '', messages %}
{%- if messages[0].role == 'system' %}{% set rules, turns = (messages[0].content | trim), messages[1:] %}{% endif %}
{{- '<|start_header_id|>system<|end_header_id|>\n\nKnown up to: 2023\nIt is: ' ~ today }}
{{- '\n\n' ~ rules ~ '<|eot_id|>' }}
{%- for turn in turns %}
{{- '<|start_header_id|>' ~ turn.role ~ '<|end_header_id|>\n\n' ~ (turn.content | trim) ~ '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}
"""

_HEADERS = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>")

FAMILIES = (
    Family(
        name="llama-2",
        why="The system turn stands inside the first question, and an answer between two spaces.",
        template=_LLAMA_2,
        kind="legacy",
        control=("<s>", "</s>"),
        bos="<s>",
        eos="</s>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
        lead=" ",
        trail=" ",
    ),
    Family(
        name="llama-3",
        why="The end of turn is another token than the tokenizer's end token, and `all_special_ids` lacks it.",
        template=_LLAMA_3,
        control=(*_HEADERS, "<|eot_id|>"),
        bos="<|begin_of_text|>",
        eos="<|end_of_text|>",
        generation_eos=("<|end_of_text|>", "<|eot_id|>"),
        end_of_turn="<|eot_id|>",
    ),
    Family(
        name="llama-3.2",
        why="The system turn, which is always there, holds today's date; every text is trimmed.",
        template=_LLAMA_3_2,
        control=(*_HEADERS, "<|eom_id|>", "<|eot_id|>", "<|finetune_right_pad_id|>"),
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
        generation_eos=("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"),
        generation={"do_sample": True, "temperature": 0.6, "top_p": 0.9},
        end_of_turn="<|eot_id|>",
        prints_date=True,
    ),
)
