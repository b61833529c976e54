"""What a policy is worth as a likelihood judge of gold, over prompts, and on each held-out set by itself."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest

from selfreward.artifacts import Output
from selfreward.backends.base import Answer, Backend, TextScore
from selfreward.data.held_out_sets import sets_by_prompt
from selfreward.metrics.sharpening import EvaluatedAnswer, compare_with_start, stratum_scores
from selfreward.reading.metrics import metrics_of_run
from selfreward.reading.rounds import rounds_of
from selfreward.records import GoldPair, Message
from selfreward.stages.evaluate import _gold, evaluation_by_set, evaluation_of
from tests.support import Silent, run_scripted


class Quiet:
    def progress(self, *_: object) -> "Quiet":
        return self

    def __enter__(self) -> Callable[[int], None]:
        return lambda _: None

    def __exit__(self, *_: object) -> None:
        return None


class Likes:
    """Finds the right answer likelier on the first `liked` prompts."""

    def __init__(self, liked: int) -> None:
        self.liked = liked

    def score(self, answers: Sequence[Answer], _: Callable[[int], None]) -> list[TextScore]:
        found = []
        for one in answers:
            likes_right = int(one.messages[0].content) < self.liked
            found.append(
                TextScore(logprob=-1.0 if (one.text == "right") == likes_right else -2.0, tokens=1, prompt_tokens=1)
            )
        return found


def gold(prompts: int, pairs: int) -> list[GoldPair]:
    return [
        GoldPair(
            id=f"{prompt}/{pair}",
            messages=(Message(role="user", content=f"{prompt}"),),
            right="right",
            wrong=f"wrong {pair}",
            source="gold",
        )
        for prompt in range(prompts)
        for pair in range(pairs)
    ]


@pytest.mark.parametrize("pairs", [1, 6])
def test_pairs_of_one_prompt_count_once_in_the_interval_of_gold(pairs: int) -> None:
    told = _gold(cast(Output, Quiet()), cast(Backend, Likes(14)), gold(20, pairs))
    assert told is not None and told.accuracy is not None
    assert (told.pairs, told.scored, told.accuracy.value) == (20 * pairs, 20 * pairs, pytest.approx(0.7))
    # Those of 14 of 20 by mid-P, however many pairs a prompt has.
    limits = told.accuracy.low, told.accuracy.high
    assert limits == (pytest.approx(0.477, abs=1e-3), pytest.approx(0.869, abs=1e-3))


SHIFTED = ("data.held_out_shifted=20", "loop.iterations=1")


def test_a_policy_that_fails_elsewhere_shows_on_the_set_that_is_shifted(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SHIFTED, reporter=(reporter := Silent()))
    near, far = (rounds_of(view)[1].evaluation_by_set[name] for name in ("in_distribution", "shifted"))
    assert near.greedy.value == 1 and near.since_pass_1.low > 0
    assert far.greedy.value == 0 and far.since_pass_1.value < 0
    assert (near.closed.prompts, near.open.prompts, far.closed.prompts, far.open) == (30, 12, 20, None)
    assert (near.gold, far.gold) == (None, None)
    row = metrics_of_run(view)[1]
    assert row["eval/set/shifted/closed/pass_at_1"] == far.pass_1.value
    assert row["eval/set/shifted/since_start/pass_at_1_low"] == far.since_pass_1.low
    assert row["eval/set/in_distribution/matched/gain/pass_at_1"] == near.matched.gain.pass_at_1.value
    said = [line for line in reporter.lines if line.startswith("  held-out sets: ")]
    assert said[-1] == (
        f"  held-out sets: in_distribution greedy 1.000, pass@1 {near.pass_1.value:.3f}; "
        f"shifted greedy 0.000, pass@1 {far.pass_1.value:.3f}"
    )


def test_a_set_is_evaluated_as_if_no_other_were_there(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SHIFTED)
    of_prompt = sets_by_prompt(view.sources["held_out"])
    start, last = (list(stages["evaluate"].records(EvaluatedAnswer)) for stages in view.iterations)
    whole, seed = evaluation_of(view.iterations[1]["evaluate"]), view.iterations[1]["evaluate"].seed
    assert seed is not None and whole.closed is not None and whole.greedy is not None
    found = evaluation_by_set(view.iterations[1]["evaluate"])
    assert list(found) == ["in_distribution", "shifted"]
    for name, one in found.items():
        own, base = ([row for row in rows if of_prompt[row.prompt_id] == name] for rows in (last, start))
        k, temperature = whole.closed.k, whole.closed.temperature
        assert one.closed == stratum_scores(own, "closed", k, temperature, seed)
        assert (one.since_start, one.matched) == compare_with_start(own, base, temperature, (0, 0.4, temperature), seed)
    sizes = [one.closed.prompts for one in found.values() if one.closed is not None]
    means = [one.greedy.value for one in found.values() if one.greedy is not None]
    assert whole.closed.prompts == sum(sizes)
    assert whole.greedy.value == pytest.approx(sum(n * mean for n, mean in zip(sizes, means, strict=True)) / sum(sizes))


def test_one_set_without_a_name_has_no_report_of_its_own(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "loop.iterations=0")
    evaluated = view.iterations[0]["evaluate"]
    assert evaluation_by_set(evaluated) == {}
    assert [one.path for one in evaluated.manifest.files if one.path.endswith(".json")] == ["metrics.json"]
    assert not [name for name in metrics_of_run(view)[0] if name.startswith("eval/set")]
