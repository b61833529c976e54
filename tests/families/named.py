"""Families with control tokens for roles of their own make: GLM, Cohere, Granite, Apertus."""

from tests.families.family import Family

_GLM_4 = r"""
{{- '[gMASK]<sop>' }}
{%- for turn in messages if turn.content %}
{{- '<|' ~ turn.role ~ '|>' ~ turn.metadata ~ '\n' ~ turn.content }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|assistant|>' }}{% endif %}
"""

_GLM_EDGE = r"""
{%- for turn in messages %}{{- '<|' ~ turn.role ~ '|>\n' ~ turn.content }}{% endfor %}
{{- '<|assistant|>' }}
"""

_COMMAND_R = r"""
{%- set place = {'system': '<|SYSTEM_TOKEN|>', 'user': '<|USER_TOKEN|>', 'assistant': '<|CHATBOT_TOKEN|>'} %}
{{- bos_token }}
{%- for turn in messages %}
{{- '<|START_OF_TURN_TOKEN|>' ~ place[turn.role] ~ (turn.content | trim) ~ '<|END_OF_TURN_TOKEN|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}
"""

_COMMAND_R7B = r"""
{{- bos_token ~ '<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|># Rules\nYou are helpful.' }}
{%- if messages[0].role == 'system' %}{{- '\n\n# More rules\n' ~ messages[0].content }}{% endif %}
{{- '<|END_OF_TURN_TOKEN|>' }}
{%- for turn in messages %}
  {%- if turn.role == 'user' %}
{{- '<|START_OF_TURN_TOKEN|><|USER_TOKEN|>' ~ turn.content ~ '<|END_OF_TURN_TOKEN|>' }}
  {%- elif turn.role == 'assistant' %}
{{- '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}
    {%- if turn.reasoning_content %}{{- '<|START_THINKING|>' ~ turn.reasoning_content ~ '<|END_THINKING|>' }}{% endif %}
{{- '<|START_RESPONSE|>' ~ turn.content ~ '<|END_RESPONSE|><|END_OF_TURN_TOKEN|>' }}
  {%- endif %}
{%- endfor %}
"""
_COMMAND_OPEN = "{{- '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}"
_COMMAND_ASKED = "{%- if add_generation_prompt %}" + _COMMAND_OPEN + "{% endif %}"

_GRANITE = r"""
{%- set turns = messages %}
{%- if messages[0].role == 'system' %}{% set rules, turns = messages[0].content, messages[1:] %}
{%- else %}{% set rules = 'Known up to: 2024.\nIt is: ' ~ strftime_now('%B %d, %Y') ~ '.\nYou are made of granite.' %}
{%- endif %}
{%- if thinking %}{% set rules = rules ~ '\nThink between <think> and </think>.' %}{% endif %}
{{- '<|start_of_role|>system<|end_of_role|>' ~ rules ~ '<|end_of_text|>\n' }}
{%- for turn in turns %}
{{- '<|start_of_role|>' ~ turn.role ~ '<|end_of_role|>' ~ turn.content ~ '<|end_of_text|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}
"""

_APERTUS = r"""
{{- bos_token ~ '<|system_start|>' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content }}
{%- else %}{{- 'You are a helper. Today is ' ~ strftime_now('%Y-%m-%d') ~ '.' }}
{%- endif %}
{{- '<|system_end|><|developer_start|>Thoughts: ' ~ ('on' if enable_thinking else 'off') ~ '<|developer_end|>' }}
{%- for turn in messages if turn.role != 'system' %}
{{- '<|' ~ turn.role ~ '_start|>' ~ turn.content ~ '<|' ~ turn.role ~ '_end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|assistant_start|>' }}{% endif %}
"""

_GLM = ("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
_COMMAND = (
    *("<PAD>", "<BOS_TOKEN>", "<EOS_TOKEN>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
    *("<|SYSTEM_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"),
)
_COMMAND_MARKS = ("<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>")

FAMILIES = (
    Family(
        name="glm-4",
        why="Nothing ends a turn: an answer ends where the model writes the role token of the next turn.",
        template=_GLM_4,
        control=_GLM,
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        generation_eos=("<|endoftext|>", "<|user|>", "<|observation|>"),
        end_of_turn="<|user|>",
        lead="\n",
    ),
    Family(
        name="glm-edge",
        why="As GLM-4, and the generation prompt is always written, so that it is what follows an answer.",
        template=_GLM_EDGE,
        control=_GLM,
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        generation_eos=("<|endoftext|>", "<|user|>", "<|observation|>"),
        end_of_turn="<|user|>",
        lead="\n",
    ),
    Family(
        name="command-r",
        why="Two tokens open a turn; the tokenizer has another end token that is never written.",
        template=_COMMAND_R,
        control=_COMMAND,
        bos="<BOS_TOKEN>",
        eos="<|END_OF_TURN_TOKEN|>",
        pad="<PAD>",
        generation_eos=("<|END_OF_TURN_TOKEN|>",),
        end_of_turn="<|END_OF_TURN_TOKEN|>",
    ),
    Family(
        name="command-r7b",
        why="An answer stands between two marks that are not special, and the generation prompt is always written.",
        template=_COMMAND_R7B + _COMMAND_OPEN,
        control=_COMMAND,
        marks=_COMMAND_MARKS,
        bos="<BOS_TOKEN>",
        eos="<|END_OF_TURN_TOKEN|>",
        pad="<PAD>",
        generation_eos=("<|END_OF_TURN_TOKEN|>",),
        end_of_turn="<|END_OF_TURN_TOKEN|>",
        lead="<|START_RESPONSE|>",
        trail="<|END_RESPONSE|>",
    ),
    Family(
        name="command-a-reasoning",
        why="A thought and an answer have marks of their own, which are control tokens here.",
        template=_COMMAND_R7B + _COMMAND_ASKED,
        control=(*_COMMAND, *_COMMAND_MARKS),
        bos="<BOS_TOKEN>",
        eos="<|END_OF_TURN_TOKEN|>",
        pad="<PAD>",
        generation_eos=("<|END_OF_TURN_TOKEN|>",),
        end_of_turn="<|END_OF_TURN_TOKEN|>",
        lead="<|START_RESPONSE|>",
        trail="<|END_RESPONSE|>",
        thinks=True,
    ),
    Family(
        name="granite-3.3",
        why="One token begins, ends and pads; a system turn with today's date stands in for a missing one.",
        template=_GRANITE,
        control=("<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>"),
        listed=("<|start_of_role|>", "<|end_of_role|>"),
        eos="<|end_of_text|>",
        pad="<|end_of_text|>",
        generation_eos=("<|end_of_text|>",),
        end_of_turn="<|end_of_text|>",
        prints_date=True,
    ),
    Family(
        name="apertus",
        why="`all_special_ids` lacks the end of turn; a turn with the model's settings always follows the system turn.",
        template=_APERTUS,
        control=(
            *("<s>", "</s>", "<pad>", "<|system_start|>", "<|system_end|>", "<|developer_start|>", "<|developer_end|>"),
            *("<|user_start|>", "<|user_end|>", "<|assistant_start|>", "<|assistant_end|>"),
        ),
        bos="<s>",
        eos="</s>",
        pad="<pad>",
        generation_eos=("</s>", "<|assistant_end|>"),
        end_of_turn="<|assistant_end|>",
        prints_date=True,
    ),
)
