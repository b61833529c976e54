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

_NANO = r"""
{%- set last = messages[-1] if messages[-1].role == 'assistant' else none %}
{{- '<SPECIAL_10>System\n' ~ (messages[0].content if messages[0].role == 'system' else '') ~ '\n\n' }}
{%- for turn in messages if turn.role != 'system' %}
  {%- if turn.role == 'user' %}{{- '<SPECIAL_11>User\n' ~ turn.content.strip() ~ '\n' }}
  {%- elif not loop.last %}{{- '<SPECIAL_11>Assistant\n' ~ turn.content.strip() ~ '\n<SPECIAL_12>\n\n' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt or last %}{{- '<SPECIAL_11>Assistant\n<think>\n\n' }}{% endif %}
{%- if last %}{{- last.content.strip() ~ '\n<SPECIAL_12>\n\n' }}{% endif %}
"""

_CLOSED = r"""
{%- set top = messages | selectattr('role', 'equalto', 'system') | map(attribute='content') | join %}
{{- bos_token ~ top }}
{%- set end = '<｜end▁of▁sentence｜>' %}
{%- set mark = '<think>' if thinking is defined and thinking else '</think>' %}
{%- for turn in messages %}
  {%- if turn.role == 'user' %}{{- '<｜User｜>' ~ turn.content }}
  {%- elif turn.role == 'assistant' %}{{- '<｜Assistant｜></think>' ~ turn.content.split('</think>')[-1] ~ end }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<｜Assistant｜>' ~ mark }}{% endif %}
"""

_ASYMMETRIC = r"""
{{- bos_token }}
{%- for turn in messages %}
{{- '<|turn>' ~ ('model' if turn.role == 'assistant' else turn.role) ~ '\n' }}
  {%- if turn.role == 'system' and enable_thinking is defined and enable_thinking %}{{- '<|think|>\n' }}{% endif %}
{{- turn.content.split('<channel|>')[-1] | trim ~ '<turn|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|turn>model\n' }}
  {%- if enable_thinking is not defined or not enable_thinking %}{{- '<|channel>thought\n<channel|>' }}{% endif %}
{%- endif %}
"""

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
    Family(
        name="nemotron-nano",
        why="The generation prompt opens a thought, and a finished answer is written inside of it.",
        template=_NANO,
        control=("<s>", "<SPECIAL_10>", "<SPECIAL_11>", "<SPECIAL_12>"),
        marks=("<think>", "</think>"),
        eos="<SPECIAL_12>",
        pad="<SPECIAL_12>",
        generation_eos=("<SPECIAL_12>",),
        end_of_turn="<SPECIAL_12>",
        trail="\n",
        opens_thought=True,
        thinks=True,
    ),
    Family(
        name="deepseek-v3.1",
        why="The generation prompt closes a thought that was never opened, unless it is asked for one.",
        template=_CLOSED,
        control=("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
        marks=("<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"),
        bos="<｜begin▁of▁sentence｜>",
        eos="<｜end▁of▁sentence｜>",
        pad="<｜end▁of▁sentence｜>",
        generation_eos=("<｜end▁of▁sentence｜>",),
        end_of_turn="<｜end▁of▁sentence｜>",
    ),
    Family(
        name="gemma-4",
        why="An empty thought between two marks of its own ends the generation prompt, and no finished answer has it.",
        template=_ASYMMETRIC,
        kind="bare",
        control=("<bos>", "<eos>", "<pad>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|think|>"),
        bos="<bos>",
        eos="<eos>",
        pad="<pad>",
        generation_eos=("<turn|>", "<eos>"),
        end_of_turn="<turn|>",
    ),
)
