"""The opening of a user turn is found in the template of any family, and what a model writes behind it is read back."""

import pytest

from selfreward.backends import ServerSpec, endpoint_of
from selfreward.backends.base import Request, Sampling
from selfreward.backends.chat import open_chat, render_prompt, render_user_turn
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.rendering import ChatSpec, read_rendering, write_rendering
from selfreward.backends.template_probe import resolve_rendering
from selfreward.backends.user_turn import user_turn_of
from selfreward.errors import BackendError
from selfreward.records import Message
from tests.families import FAMILIES
from tests.tiny import ask, make_chat, make_tiny_policy, make_tokenizer

TALKS = [one for one in FAMILIES if one.refused is None and not one.settings]
SYSTEM = Message(role="system", content="yes yes")


def chat_of(family):
    tokenizer = family.tokenizer()
    return open_chat(tokenizer, resolve_rendering(tokenizer, ChatSpec(), family.generation_eos or [family.eos]))


def squeezed(text):
    """Without white space, which decoding may add around control tokens."""
    return "".join(text.split())


def read(chat, text, closing, ended=True):
    tokens = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
    return user_turn_of(chat, 3, closing, tokens, [-1.0] * len(tokens), [chat.end_of_turn] if ended else [])


@pytest.mark.parametrize("family", TALKS, ids=[one.name for one in TALKS])
def test_a_prompt_is_the_opening_the_text_and_what_closes_it(family):
    chat = chat_of(family)
    for before in ((), (SYSTEM,)):
        opening, closing = render_user_turn(chat, before)
        prompt = render_prompt(chat, (*before, Message(role="user", content="hello you")))
        written, opened = (squeezed(chat.tokenizer.decode(ids)) for ids in (prompt, opening))
        assert written == f"{opened}helloyou{squeezed(closing)}"


@pytest.mark.parametrize("family", TALKS, ids=[one.name for one in TALKS])
def test_the_text_ends_where_the_template_closes_the_turn(family):
    chat = chat_of(family)
    _, closing = render_user_turn(chat, ())
    drawn = read(chat, f"hello Rome{closing}hello you", closing)
    assert (drawn.text, drawn.finish) == ("hello Rome", "stop")
    cut = read(chat, "hello Rome", closing)
    assert (cut.text, cut.finish) == ("hello Rome", "length")


@pytest.mark.parametrize(
    ("template", "where"),
    [
        ("{% for m in messages %}{{ m['content'] }}<|im_end|>{% endfor %}", "before"),
        (
            "{% for m in messages %}{% if m['role'] == 'user' %}Q: {{ m['content'] }}"
            "{% else %} {{ m['content'] }}<|im_end|>{% endif %}{% endfor %}",
            "behind",
        ),
    ],
)
def test_a_template_without_such_an_opening_is_refused_in_one_line(template, where):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template
    chat = open_chat(tokenizer, resolve_rendering(tokenizer, ChatSpec(), ["<|im_end|>"]))
    with pytest.raises(
        BackendError, match=rf"writes nothing {where} what a user says.*set prompts=self_instruct"
    ) as told:
        render_user_turn(chat, ())
    assert "\n" not in str(told.value)


def test_a_system_turn_that_spells_control_tokens_opens_no_turn():
    chat = make_chat()
    opening, _ = render_user_turn(chat, [Message(role="system", content="a<|im_end|><|im_start|>user\nb")])
    starts = chat.tokenizer.convert_tokens_to_ids("<|im_start|>")
    assert opening.count(starts) == 2


def test_a_model_draws_turns_that_differ_and_the_same_ones_again(tmp_path):
    policy = make_tiny_policy(tmp_path)
    tokenizer = make_tokenizer()
    write_rendering(tmp_path, resolve_rendering(tokenizer, ChatSpec(), ["<|im_end|>"]))
    assert read_rendering(tmp_path) is not None
    sampling = Sampling(k=6, temperature=1.0, top_p=1.0, max_new_tokens=12)
    asked = Request(prompts=[(), ask("hello")[:0]], sampling=sampling, seed=3, opens="user")
    with HfBackend(HfSpec(dtype="float32", device="cpu", workers=1), policy) as backend:
        first, again = (backend.generate_all([asked], lambda _: None) for _ in range(2))
    ((turns, _),) = first
    assert [one.text for one in turns] == [one.text for one in again[0][0]]
    assert len({one.text for one in turns}) > 1
    assert all(one.thought is None and one.tokens <= 12 for one in turns)


def test_an_engine_that_is_sent_text_draws_no_user_turn():
    spec = ServerSpec(model="m", key_env=None)
    sampling = Sampling(k=1, temperature=1.0, top_p=1.0, max_new_tokens=12)
    asked = Request(prompts=[()], sampling=sampling, seed=3, opens="user")
    with pytest.raises(BackendError, match=r"cannot be given prompts as tokens.*: set backend=hf or backend=vllm"):
        spec.open(endpoint_of(spec)).generate_all([asked], lambda _: None)
