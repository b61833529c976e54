"""Training on unpaired rows: what it raises and lowers, how rows are batched and weighed, and what is refused."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.backends.base import Answer
from selfreward.backends.chat import answer_tokens, render_prompt
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.errors import StarvedLoop
from selfreward.policies import Policy
from selfreward.records import Feedback
from selfreward.row_kinds import EXAMPLES, FEEDBACK, as_kind
from selfreward.updates import RftSpec
from selfreward.updates.base import Task
from selfreward.updates.kto import MOST, KtoSpec, _partners, apart, tokenize_feedback, train_kto
from selfreward.updates.training_process import _JOB, UpdateJob
from tests.tiny import completion, make_chat, make_example, make_tiny_policy

SPEC = KtoSpec(learning_rate=5e-3, batch_size=4, epochs=3, top_layers=1, lora_rank=4, compute="float32", device="cpu")


def row(number: int, desirable: bool) -> Feedback:
    """An answer to a prompt that has one of each sign."""
    made = as_kind(make_example(number, text="hello you" if desirable else "no way out"), FEEDBACK)
    assert isinstance(made, Feedback)
    return replace(made, id=f"{number}{desirable}", desirable=desirable)


ROWS = [row(number, sign) for number in range(6) for sign in (True, False)]


def train(policy, folder, rows=ROWS, reference=None, **changes):
    spec = SPEC.model_copy(update=changes)
    told = []
    result = train_kto(
        spec, policy, reference or policy, rows, folder / "out", folder / "scratch", 7, lambda *step: told.append(step)
    )
    assert told[-1] == (result.steps, result.steps)
    return result, Policy(path=folder / "out", key="next", digest="next")


def scored(policy, asked):
    """Log-probabilities of answers behind prompts, as a backend scores them."""
    backend = HfBackend(HfSpec(dtype="float32", device="cpu", workers=1), policy)
    answers = [Answer(messages=asking.messages, text=answering.text) for asking, answering in asked]
    return [one.logprob for one in backend.score(answers, lambda _: None)]


def mean_of(policy, sign):
    found = scored(policy, [(one, one) for one in ROWS if one.desirable is sign])
    return sum(found) / len(found)


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("mode", ["full", "top_layers", "lora"])
def test_desirable_answers_win_and_the_figures_are_those_of_the_policies(policy, tmp_path, mode):
    result, after = train(policy, tmp_path, trainable=mode)
    assert result.desirable_logprob_before == pytest.approx(mean_of(policy, True), abs=1e-3)
    assert result.desirable_logprob_after == pytest.approx(mean_of(after, True), abs=1e-3)
    assert result.undesirable_logprob_after == pytest.approx(mean_of(after, False), abs=1e-3)
    grown = result.desirable_logprob_after - result.desirable_logprob_before
    assert grown > result.undesirable_logprob_after - result.undesirable_logprob_before + 1
    assert (result.rows_trained, result.rows_desirable, result.rows_undesirable) == (12, 6, 6)
    assert (result.desirable_share, result.desirable_weight, result.undesirable_weight) == (0.5, 1.0, 1.0)
    assert result.tokens_trained == 3 * sum(len(completion(one.text)) for one in ROWS)
    assert result.mean_loss < 0.5
    assert (result.trainable_parameters == result.total_parameters) == (mode == "full")


def test_the_loss_is_that_of_the_paper_with_the_backends_own_scores(policy, tmp_path):
    # Away from the reference, at a rate of nothing, in one batch: every number of the loss can be had by hand.
    _, moved = train(policy, tmp_path / "moved", epochs=1, learning_rate=1e-3)
    weights = {"desirable_weight": 1.5, "undesirable_weight": 0.5}
    still = {"epochs": 1, "batch_size": 12, "learning_rate": 1e-12, "beta": 0.3}
    result, _ = train(moved, tmp_path / "still", reference=policy, **still, **weights)

    ((*order,),) = apart([one.prompt_id for one in ROWS], 12, 7)
    kept = [ROWS[place] for place in order]
    mixed = [(one, kept[other]) for one, other in zip(kept, _partners([12]), strict=True)]
    matched = [(one, one) for one in kept]
    now, before, now_kl, before_kl = (scored(one, asked) for asked in (matched, mixed) for one in (moved, policy))
    kl = max(0.0, sum(a - b for a, b in zip(now_kl, before_kl, strict=True)) / 12)
    losses = []
    for one, new, old in zip(kept, now, before, strict=True):
        above = 0.3 * ((new - old) - kl) * (1 if one.desirable else -1)
        losses.append((1.5 if one.desirable else 0.5) * (1 - 1 / (1 + math.exp(-above))))
    assert result.mean_loss == pytest.approx(sum(losses) / 12, abs=1e-4)
    assert result.kl == pytest.approx(kl, abs=1e-3)
    assert abs(result.mean_loss - 0.5) > 1e-3, "otherwise this shows nothing"


def test_two_runs_write_the_same_bytes(policy, tmp_path):
    folders = [train(policy, tmp_path / name, compute="bfloat16", epochs=1)[1].path for name in "ab"]
    first, second = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert first == second
    assert first["config.json"] == (policy.path / "config.json").read_bytes()


@pytest.mark.parametrize(("sign", "told"), [(True, "undesirable, all are desirable"), (False, "desirable, all are un")])
def test_feedback_of_one_sign_only_is_refused(policy, tmp_path, sign, told):
    alike = [one for one in ROWS if one.desirable is sign]
    with pytest.raises(StarvedLoop, match=rf"^0 of 6 unpaired rows are {told}.* select\..* data\.feedback") as caught:
        train(policy, tmp_path, alike)
    assert "\n" not in str(caught.value)


def test_long_rows_are_left_out_before_the_signs_are_counted(policy, tmp_path):
    long = [replace(row(100 + number, False), text="x" * 90) for number in range(3)]
    result, _ = train(policy, tmp_path, [*ROWS, *long], max_tokens=90, epochs=1)
    assert (result.rows_trained, result.rows_too_long, result.rows_undesirable) == (12, 3, 6)
    with pytest.raises(StarvedLoop, match="0 of 6 unpaired rows are undesirable"):
        train(policy, tmp_path, [*[one for one in ROWS if one.desirable], *long], max_tokens=90)


def test_thoughts_are_trained_unless_they_are_dropped(policy, tmp_path):
    thoughtful = [replace(one, thought="<think>he</think>\n") for one in ROWS]
    results = {}
    for name, rows, choice in (("plain", ROWS, "keep"), ("keep", thoughtful, "keep"), ("drop", thoughtful, "drop")):
        (tmp_path / name).mkdir()
        results[name], _ = train(policy, tmp_path / name, rows, epochs=1, thought=choice)
    assert results["keep"].tokens_trained > results["plain"].tokens_trained
    assert results["drop"] == results["plain"]


def test_the_trained_tokens_are_those_that_the_backend_scores():
    chat, asked = make_chat(), row(0, True)
    (made,) = tokenize_feedback(chat, [asked])
    tokens = answer_tokens(chat, asked.text, ended=True)
    assert (made.prompt, made.answer) == ([*render_prompt(chat, asked.messages), *tokens.lead], tokens.completion)


@given(owners=st.lists(st.integers(0, 12), min_size=2, max_size=60), size=st.integers(2, 9), seed=st.integers(0, 99))
def test_rows_of_one_prompt_are_in_different_batches(owners, size, seed):
    batches = apart(owners, size, seed)
    assert sorted(place for batch in batches for place in batch) == list(range(len(owners)))
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1), "as the trainer cuts them"
    assert batches == apart(owners, size, seed)
    if max(Counter(owners).values()) <= len(owners) // size:
        assert all(len({owners[place] for place in batch}) == len(batch) for batch in batches)


def test_another_seed_is_another_order():
    assert apart(range(20), 4, 1) != apart(range(20), 4, 2)


def test_each_prompt_is_put_before_the_answer_of_another_row_of_its_batch():
    assert _partners([3, 2]) == [2, 0, 1, 4, 3]
    assert _partners([2, 1]) == [1, 0, 1], "one that is left alone takes one of the batch before"


@given(
    good=st.integers(1, 500), bad=st.integers(1, 500), asked=st.sampled_from([(None, None), (0.7, None), (None, 2.0)])
)
def test_weights_that_are_not_set_even_the_signs_out(good, bad, asked):
    spec = KtoSpec(desirable_weight=asked[0], undesirable_weight=asked[1])
    desirable, undesirable = spec.weights(good, bad)
    assert 1 - 1e-9 <= good * desirable / (bad * undesirable) <= MOST + 1e-9
    assert asked[0] in (None, desirable)
    assert asked[1] in (None, undesirable)
    if asked == (None, None):
        assert min(desirable, undesirable) == 1.0, "the sign that weighs too little is raised"


def test_weights_that_are_set_stay():
    assert KtoSpec(desirable_weight=3.0, undesirable_weight=0.1).weights(5, 50) == (3.0, 0.1)


def test_a_child_process_is_told_the_rows_as_they_are(policy):
    for spec, rows in ((SPEC, ROWS), (RftSpec(), [make_example(0)])):
        task = Task(policy=policy, reference=policy, rows=rows, out=policy.path, seed=1)
        job = _JOB.validate_json(_JOB.dump_json(UpdateJob(spec=spec, task=task)))
        assert job.spec == spec
        assert list(job.task.rows) == rows


def test_only_unpaired_rows_are_trained_on():
    assert FEEDBACK in SPEC.trains_on
    assert EXAMPLES not in SPEC.trains_on
