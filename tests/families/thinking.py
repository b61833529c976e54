"""Families that think before they answer, and how their templates write an answer without a thought."""

# ruff: noqa: RUF001

from tests.families.chatml import MARKED
from tests.families.family import Family

# Only what follows the last question may hold a thought, and then always does, even if it is empty.
_THINK = r"""
{%- set open = namespace(questions=messages | selectattr('role', 'equalto', 'user') | list | length) %}
{%- for turn in messages %}
  {%- set text, thought = turn.content, '' %}
  {%- if turn.role == 'user' %}{% set open.questions = open.questions - 1 %}{% endif %}
  {%- if turn.role == 'assistant' %}
    {%- if turn.reasoning_content is string %}
      {%- set thought = turn.reasoning_content %}
    {%- elif '</think>' in text %}
      {%- set thought = text.split('</think>')[0].split('<think>')[-1] %}
      {%- set text = text.split('</think>')[-1].lstrip('\n') %}
    {%- endif %}
    {%- if open.questions == 0 %}
      {%- set text = '<think>\n' ~ thought.strip('\n') ~ '\n</think>\n\n' ~ text.lstrip('\n') %}
    {%- endif %}
  {%- endif %}
{{- '<|im_start|>' ~ turn.role ~ '\n' ~ text ~ '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
"""
_THINK_IF_ENABLED = (
    _THINK
    + r"""{{- '<|im_start|>assistant\n' }}
  {%- if enable_thinking is defined and not enable_thinking %}{{- '<think>\n\n</think>\n\n' }}{% endif %}
{%- endif %}
"""
)
_THINK_ALWAYS = (
    _THINK
    + r"""{{- '<|im_start|>assistant\n<think>\n' }}
{%- endif %}
"""
)

_WITHOUT_THOUGHT = r"""
{%- for turn in messages %}
  {%- set text = turn.content.split('</think>')[-1].lstrip('\n') if turn.role == 'assistant' else turn.content %}
{{- '<|im_start|>' ~ turn.role ~ '\n' ~ text ~ '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n<think>\n' }}{% endif %}
"""

_R1 = r"""
{%- set top = messages | selectattr('role', 'equalto', 'system') | map(attribute='content') | join %}
{{- bos_token ~ top }}
{%- for turn in messages %}
  {%- if turn.role == 'user' %}{{- '<｜User｜>' ~ turn.content }}
  {%- elif turn.role == 'assistant' %}
{{- '<｜Assistant｜>' ~ turn.content.split('</think>')[-1] ~ '<｜end▁of▁sentence｜>' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<｜Assistant｜><think>\n' }}{% endif %}
"""

_SEED = r"""
{%- for turn in messages %}
{{- '<seed:bos>' ~ turn.role ~ '\n' }}
  {%- if turn.reasoning_content %}{{- '<seed:think>' ~ turn.reasoning_content ~ '</seed:think>\n' }}{% endif %}
{{- (turn.content | trim if turn.role == 'assistant' else turn.content) ~ '<seed:eos>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<seed:bos>assistant\n' }}{% endif %}
"""

_HARMONY = r"""
{{- '<|start|>system<|message|>You can think.\nDate: ' ~ strftime_now('%Y-%m-%d') ~ '\n\n' }}
{{- 'Effort: ' ~ (reasoning_effort or 'medium') ~ '\n\nChannels: analysis, final.<|end|>' }}
{%- for turn in messages %}
  {%- if turn.role == 'system' %}{{- '<|start|>developer<|message|># Rules\n\n' ~ turn.content ~ '<|end|>' }}
  {%- elif turn.role == 'user' %}{{- '<|start|>user<|message|>' ~ turn.content ~ '<|end|>' }}
  {%- elif loop.last and not add_generation_prompt %}
    {%- if turn.thinking %}
{{- '<|start|>assistant<|channel|>analysis<|message|>' ~ turn.thinking ~ '<|end|>' }}
    {%- endif %}
{{- '<|start|>assistant<|channel|>final<|message|>' ~ turn.content ~ '<|return|>' }}
  {%- else %}{{- '<|start|>assistant<|channel|>final<|message|>' ~ turn.content ~ '<|end|>' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start|>assistant' }}{% endif %}
"""

_SMOL = r"""
{%- set rules = messages[0].content if messages[0].role == 'system' else 'You are small.' %}
{{- '<|im_start|>system\nIt is: ' ~ strftime_now('%d %B %Y') ~ '\n\n' ~ rules ~ '<|im_end|>\n' }}
{%- for turn in messages if turn.role != 'system' %}
  {%- set before = '<think>\n\n</think>\n' if turn.role == 'assistant' else '' %}
{{- '<|im_start|>' ~ turn.role ~ '\n' ~ before ~ turn.content.lstrip('\n') ~ '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}
"""

_QWEN_MARKS = ("<tool_call>", "</tool_call>", "<think>", "</think>")

FAMILIES = (
    Family(
        name="qwen-3",
        why="The last answer is written behind an empty thought, unlike earlier ones; the marks of a thought are not "
        "special.",
        template=_THINK_IF_ENABLED,
        control=MARKED,
        marks=_QWEN_MARKS,
        listed=("<|im_start|>", "<|im_end|>"),
        eos="<|im_end|>",
        pad="<|endoftext|>",
        generation_eos=("<|im_end|>", "<|endoftext|>"),
        end_of_turn="<|im_end|>",
        lead="<think>\n\n</think>\n\n",
        thinks=True,
    ),
    Family(
        name="qwen-3-thinking",
        why="The generation prompt opens a thought, and the last answer is written behind one that is closed.",
        template=_THINK_ALWAYS,
        control=MARKED,
        marks=_QWEN_MARKS,
        listed=("<|im_start|>", "<|im_end|>"),
        eos="<|im_end|>",
        pad="<|endoftext|>",
        generation_eos=("<|im_end|>", "<|endoftext|>"),
        end_of_turn="<|im_end|>",
        lead="\n</think>\n\n",
        opens_thought=True,
        thinks=True,
    ),
    Family(
        name="qwq",
        why="The generation prompt opens a thought, and a finished answer is written without any.",
        template=_WITHOUT_THOUGHT,
        control=MARKED,
        marks=_QWEN_MARKS,
        listed=("<|im_start|>", "<|im_end|>"),
        eos="<|im_end|>",
        pad="<|endoftext|>",
        generation_eos=("<|im_end|>", "<|endoftext|>"),
        end_of_turn="<|im_end|>",
        opens_thought=True,
        thinks=True,
    ),
    Family(
        name="r1-distill",
        why="The generation prompt opens a thought, an answer is cut at </think>, and the role marks are not special.",
        template=_R1,
        control=("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
        marks=("<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"),
        bos="<｜begin▁of▁sentence｜>",
        eos="<｜end▁of▁sentence｜>",
        pad="<｜end▁of▁sentence｜>",
        generation_eos=("<｜end▁of▁sentence｜>",),
        end_of_turn="<｜end▁of▁sentence｜>",
        opens_thought=True,
        thinks=True,
    ),
    Family(
        name="smollm-3",
        why="Every answer is written behind an empty thought, and the system turn holds today's date.",
        template=_SMOL,
        control=MARKED,
        marks=("<think>", "</think>"),
        bos="<|im_start|>",
        eos="<|im_end|>",
        pad="<|im_end|>",
        generation_eos=("<|im_end|>",),
        end_of_turn="<|im_end|>",
        lead="<think>\n\n</think>\n",
        thinks=True,
        prints_date=True,
    ),
    Family(
        name="seed-oss",
        why="The marks of a thought have a name of their own and are control tokens.",
        template=_SEED,
        control=("<seed:bos>", "<seed:pad>", "<seed:eos>", "<seed:think>", "</seed:think>"),
        eos="<seed:eos>",
        pad="<seed:pad>",
        generation={"temperature": 1.1, "top_p": 0.95},
        end_of_turn="<seed:eos>",
        thinks=True,
    ),
    Family(
        name="gpt-oss",
        why="A thought and an answer are messages in channels; the last answer ends in a token of its own.",
        template=_HARMONY,
        control=(
            *("<|startoftext|>", "<|endoftext|>", "<|return|>", "<|call|>"),
            *("<|start|>", "<|channel|>", "<|message|>", "<|end|>"),
        ),
        eos="<|return|>",
        pad="<|endoftext|>",
        generation_eos=("<|return|>", "<|endoftext|>", "<|call|>"),
        end_of_turn="<|return|>",
        lead="<|channel|>final<|message|>",
        thinks=True,
        prints_date=True,
    ),
)
