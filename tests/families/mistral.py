"""Families by Mistral: a question stands between [INST] and [/INST], which came to be control tokens."""

from tests.families.family import Family

_CHECK = r"""
  {%- if (turn.role == 'user') == (loop.index0 % 2 == 1) %}
{{- raise_exception('Questions and answers have to take turns.') }}
  {%- endif %}"""

_V0_1 = (
    r"""
{{- bos_token }}
{%- for turn in messages %}"""
    + _CHECK
    + r"""
  {%- if turn.role == 'user' %}{{- '[INST] ' ~ turn.content ~ ' [/INST]' }}
  {%- elif turn.role == 'assistant' %}{{- turn.content ~ eos_token ~ ' ' }}
  {%- else %}{{- raise_exception('There are only questions and answers here.') }}
  {%- endif %}
{%- endfor %}
"""
)

_V0_2 = (
    r"""
{{- bos_token }}
{%- for turn in messages %}"""
    + _CHECK
    + r"""
  {%- if turn.role == 'user' %}{{- ' [INST] ' ~ turn.content ~ ' [/INST]' }}
  {%- elif turn.role == 'assistant' %}{{- ' ' ~ turn.content ~ eos_token }}
  {%- else %}{{- raise_exception('There are only questions and answers here.') }}
  {%- endif %}
{%- endfor %}
"""
)

# A system turn goes before a question: the first here, the last in v0.3.
_SPLIT_SYSTEM = r"""
{%- set rules, turns = '', messages %}
{%- if messages[0].role == 'system' %}{% set rules, turns = messages[0].content ~ '\n\n', messages[1:] %}{% endif %}
{{- bos_token }}
{%- for turn in turns %}"""

_MIXTRAL = (
    _SPLIT_SYSTEM
    + _CHECK
    + r"""
  {%- if turn.role == 'user' %}{{- ' [INST] ' ~ (rules if loop.first else '') ~ turn.content ~ ' [/INST]' }}
  {%- else %}{{- ' ' ~ turn.content ~ eos_token }}
  {%- endif %}
{%- endfor %}
"""
)

_V0_3 = (
    _SPLIT_SYSTEM
    + _CHECK
    + r"""
  {%- if turn.role == 'user' %}{{- '[INST] ' ~ (rules if loop.last else '') ~ turn.content ~ '[/INST]' }}
  {%- else %}{{- ' ' ~ (turn.content | trim) ~ eos_token }}
  {%- endif %}
{%- endfor %}
"""
)

_V7 = r"""
{{- bos_token }}
{%- for turn in messages %}
  {%- if turn.role == 'system' %}{{- '[SYSTEM_PROMPT] ' ~ turn.content ~ '[/SYSTEM_PROMPT]' }}
  {%- elif turn.role == 'user' %}{{- '[INST] ' ~ turn.content ~ '[/INST]' }}
  {%- else %}{{- ' ' ~ turn.content ~ eos_token }}
  {%- endif %}
{%- endfor %}
"""

_MAGISTRAL = r"""
{%- macro written(content) %}
  {%- if content is string %}{{- content }}
  {%- else %}
    {%- for part in content %}
      {%- if part.type == 'text' %}{{- part.text }}
      {%- elif part.type == 'thinking' %}{{- '[THINK]' ~ part.thinking ~ '[/THINK]' }}
      {%- else %}{{- raise_exception('A part has to be a text or a thought.') }}
      {%- endif %}
    {%- endfor %}
  {%- endif %}
{%- endmacro %}
{{- bos_token }}
{%- if messages[0].role != 'system' %}
{{- '[SYSTEM_PROMPT]Think first, as on paper, like this: [THINK]a thought[/THINK]an answer[/SYSTEM_PROMPT]' }}
{%- endif %}
{%- for turn in messages %}
  {%- if turn.role == 'system' %}{{- '[SYSTEM_PROMPT]' ~ written(turn.content) ~ '[/SYSTEM_PROMPT]' }}
  {%- elif turn.role == 'user' %}{{- '[INST]' ~ written(turn.content) ~ '[/INST]' }}
  {%- else %}{{- written(turn.content) ~ eos_token }}
  {%- endif %}
{%- endfor %}
"""

_MISTRAL_SMALL = r"""
{{- bos_token }}
{%- set rules, turns = 'You are a small model. Today is ' ~ strftime_now('%Y-%m-%d') ~ '.', messages %}
{%- if messages[0].role == 'system' %}{% set rules, turns = messages[0].content, messages[1:] %}{% endif %}
{{- '[SYSTEM_PROMPT]' ~ rules ~ '[/SYSTEM_PROMPT]' }}
{%- for turn in turns %}
  {%- if turn.role == 'user' %}{{- '[INST]' ~ turn.content ~ '[/INST]' }}
  {%- elif turn.role == 'assistant' %}{{- turn.content ~ eos_token }}
  {%- else %}{{- raise_exception('Only the first turn may be a system turn.') }}
  {%- endif %}
{%- endfor %}
"""

_ENDS = ("<s>", "</s>")
_INST = (*_ENDS, "[INST]", "[/INST]")
_SYSTEM = (*_INST, "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")

FAMILIES = (
    Family(
        name="mistral-v0.1",
        why="[INST] is plain text and an answer stands right behind it, without the space that the tokenizer puts "
        "before an answer alone.",
        template=_V0_1,
        kind="legacy",
        control=_ENDS,
        bos="<s>",
        eos="</s>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
        system="merged",
    ),
    Family(
        name="mistral-v0.2",
        why="A system turn and two turns of one role are refused; an answer has a space before it.",
        template=_V0_2,
        kind="legacy",
        control=_ENDS,
        bos="<s>",
        eos="</s>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
        lead=" ",
        system="merged",
    ),
    Family(
        name="mixtral",
        why="As Mistral v0.2, with a system turn inside the first question.",
        template=_MIXTRAL,
        kind="legacy",
        control=_ENDS,
        bos="<s>",
        eos="</s>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
        lead=" ",
    ),
    Family(
        name="mistral-v0.3",
        why="[INST] is a control token, and a system turn moves to the last question.",
        template=_V0_3,
        kind="first",
        control=_INST,
        bos="<s>",
        eos="</s>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
        lead=" ",
    ),
    Family(
        name="mistral-v7",
        why="A system turn has control tokens of its own; a space stands before each text.",
        template=_V7,
        kind="first",
        control=_SYSTEM,
        bos="<s>",
        eos="</s>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
        lead=" ",
    ),
    Family(
        name="mistral-small-3.1",
        why="Bytes as tokens and no spaces; a system turn with today's date stands in for a missing one.",
        template=_MISTRAL_SMALL,
        control=(*_SYSTEM, "<pad>"),
        bos="<s>",
        eos="</s>",
        pad="<pad>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
        prints_date=True,
    ),
    Family(
        name="magistral",
        why="A thought stands between control tokens, which decoding without special tokens drops while it keeps the "
        "thought.",
        template=_MAGISTRAL,
        control=(*_SYSTEM, "[THINK]", "[/THINK]", "<pad>"),
        bos="<s>",
        eos="</s>",
        pad="<pad>",
        generation_eos=("</s>",),
        end_of_turn="</s>",
        thinks=True,
    ),
)
