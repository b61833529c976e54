"""Families by Google: the assistant is called model, a line break is a token, no space is put before a text."""

from tests.families.family import Family

_GEMMA = r"""
{{- bos_token }}
{%- if messages[0].role == 'system' %}{{- raise_exception('There is no system turn here.') }}{% endif %}
{%- for turn in messages %}
  {%- if (turn.role == 'user') == (loop.index0 % 2 == 1) %}
{{- raise_exception('A user and a model have to take turns.') }}
  {%- endif %}
  {%- set role = 'model' if turn.role == 'assistant' else turn.role %}
{{- '<start_of_turn>' ~ role ~ '\n' ~ (turn.content | trim) ~ '<end_of_turn>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\n' }}{% endif %}
"""

_GEMMA_3 = r"""
{{- bos_token }}
{%- macro written(content) %}
  {%- if content is string %}{{- content | trim }}
  {%- else %}{%- for part in content if part.type == 'text' %}{{- part.text | trim }}{% endfor %}
  {%- endif %}
{%- endmacro %}
{%- set before, turns = '', messages %}
{%- if messages[0].role == 'system' %}
  {%- set before, turns = written(messages[0].content) ~ '\n\n', messages[1:] %}
{%- endif %}
{%- for turn in turns %}
  {%- if (turn.role == 'user') == (loop.index0 % 2 == 1) %}
{{- raise_exception('A user and a model have to take turns.') }}
  {%- endif %}
{{- '<start_of_turn>' ~ ('model' if turn.role == 'assistant' else turn.role) ~ '\n' }}
{{- (before if loop.first else '') ~ written(turn.content) ~ '<end_of_turn>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\n' }}{% endif %}
"""

_MARKED = ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")

FAMILIES = (
    Family(
        name="gemma",
        why="A system turn is refused, and no list of end tokens names the one that the template writes.",
        template=_GEMMA,
        kind="bare",
        control=_MARKED,
        bos="<bos>",
        eos="<eos>",
        pad="<pad>",
        generation_eos=("<eos>",),
        end_of_turn="<end_of_turn>",
        system="merged",
    ),
    Family(
        name="gemma-2",
        why="A system turn is refused; the end of turn stands among the special tokens and the end tokens.",
        template=_GEMMA,
        kind="bare",
        control=_MARKED,
        listed=("<start_of_turn>", "<end_of_turn>"),
        bos="<bos>",
        eos="<eos>",
        pad="<pad>",
        generation_eos=("<eos>", "<end_of_turn>"),
        end_of_turn="<end_of_turn>",
        system="merged",
    ),
    Family(
        name="gemma-3",
        why="The template folds a system turn into the first question, and `all_special_ids` lacks the end of turn.",
        template=_GEMMA_3,
        kind="bare",
        control=_MARKED,
        bos="<bos>",
        eos="<eos>",
        pad="<pad>",
        generation_eos=("<eos>", "<end_of_turn>"),
        generation={"do_sample": True, "top_k": 64, "top_p": 0.95},
        end_of_turn="<end_of_turn>",
    ),
)
