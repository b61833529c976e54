"""Shapes that belong to no family: base models, several templates, broken ones, and mistakes of a configuration."""

from tests.families.chatml import MARKED, PLAIN
from tests.families.family import Family

_PARTS = r"""
{%- for turn in messages %}
{{- '<|im_start|>' ~ turn.role ~ '\n' }}
  {%- for part in turn.content %}
    {%- if part.type == 'image' %}{{- '<image>' }}{% elif part.type == 'text' %}{{- part.text }}{% endif %}
  {%- endfor %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}
"""

_BETWEEN = r"""
{%- for turn in messages %}
{{- '<|' ~ turn.role ~ '|>' ~ turn.content }}
  {%- if not loop.last %}{{- '<|sep|>' }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|sep|><|assistant|>' }}{% endif %}
"""

_TOOLS = r"""
{{- '<|tools|>' ~ (tools | tojson) }}
{%- for turn in messages %}{{- '<|' ~ turn.role ~ '|>' ~ turn.content ~ '<|endoftext|>' }}{% endfor %}
"""

_BROKEN = r"""
{%- for turn in messages %}
{{- '<|im_start|>' ~ turn.role ~ '\n' ~ turn.content ~ '<|im_end|>\n' }
"""

_ROLES = ("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>")

FAMILIES = (
    Family(
        name="vision",
        why="Text that is not a list of parts is dropped, so that every conversation looks the same.",
        template=_PARTS,
        control=(*MARKED, "<image>"),
        eos="<|im_end|>",
        pad="<|endoftext|>",
        generation_eos=("<|im_end|>",),
        end_of_turn="<|im_end|>",
    ),
    Family(
        name="end-between-turns",
        why="The end of turn is written before a next turn only: nothing stands behind the last answer.",
        template=_BETWEEN,
        control=(*_ROLES, "<|sep|>"),
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        generation_eos=("<|sep|>",),
        end_of_turn="<|sep|>",
    ),
    Family(
        name="neither-pad-nor-end",
        why="Nothing names an end token or a padding token.",
        template=PLAIN,
        control=MARKED,
        eos=None,
        end_of_turn="<|im_end|>",
    ),
    Family(
        name="pad-beyond-embeddings",
        why="The padding token was added to the tokenizer and has no row in the embeddings.",
        template=PLAIN,
        control=(*MARKED, "[PAD]"),
        eos="<|im_end|>",
        pad="[PAD]",
        generation_eos=("<|im_end|>",),
        unembedded=1,
        end_of_turn="<|im_end|>",
    ),
    Family(
        name="temperature-without-sampling",
        why="The generation config names a temperature but no do_sample, which transformers refuses to save.",
        template=PLAIN,
        control=MARKED,
        eos="<|im_end|>",
        pad="<|endoftext|>",
        generation_eos=("<|im_end|>", "<|endoftext|>"),
        generation={"temperature": 0.6, "top_p": 0.9},
        end_of_turn="<|im_end|>",
    ),
    Family(
        name="base",
        why="A base model: no template, and one control token, which stands between documents.",
        template=None,
        control=("<|endoftext|>",),
        eos="<|endoftext|>",
        generation_eos=("<|endoftext|>",),
        settings=("chat_template=plain",),
        end_of_turn="<|endoftext|>",
        lead=" ",
    ),
    Family(
        name="base-chatml",
        why="A base model whose vocabulary has the tokens of ChatML.",
        template=None,
        control=MARKED,
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        generation_eos=("<|endoftext|>",),
        settings=("chat_template=chatml",),
        end_of_turn="<|im_end|>",
    ),
    Family(
        name="named-templates",
        why="Several templates by name, none of which is the default.",
        template={"talk": PLAIN, "documents": PLAIN.replace("turn.content ~", "'Read: ' ~ turn.content ~")},
        control=MARKED,
        eos="<|im_end|>",
        pad="<|endoftext|>",
        generation_eos=("<|im_end|>",),
        settings=("chat_template=talk",),
        end_of_turn="<|im_end|>",
    ),
    Family(
        name="default-and-tools",
        why="Two templates by name: the default, and one for tools that transformers takes only where tools are given.",
        template={"default": PLAIN, "tool_use": _TOOLS},
        control=MARKED,
        eos="<|im_end|>",
        pad="<|endoftext|>",
        generation_eos=("<|im_end|>",),
        end_of_turn="<|im_end|>",
    ),
    Family(
        name="only-for-tools",
        why="The one template is named for tools, which are not given.",
        template={"tool_use": _TOOLS},
        control=_ROLES,
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        generation_eos=("<|endoftext|>",),
        refused="has the chat templates tool_use and no default: choose one with chat_template=NAME",
        end_of_turn=None,
    ),
    Family(
        name="broken",
        why="The template is no Jinja.",
        template=_BROKEN,
        control=MARKED,
        eos="<|im_end|>",
        pad="<|endoftext|>",
        generation_eos=("<|im_end|>",),
        refused="line 3: unexpected '}'; mend the template, or give another with chat_template=FILE",
        end_of_turn=None,
    ),
    Family(
        name="wrong-class",
        why="Bytes are tokens, but tokenizer_config.json names a class by which transformers builds a tokenizer that "
        "loses line breaks.",
        template=PLAIN,
        tokenizer_class="LlamaTokenizerFast",
        control=("<s>", "</s>", *MARKED, "<unk>"),
        bos="<s>",
        eos="<|im_end|>",
        pad="</s>",
        generation_eos=("<|im_end|>",),
        refused="a tokenizer_class in tokenizer_config.json may overrule tokenizer.json",
        end_of_turn=None,
    ),
)
