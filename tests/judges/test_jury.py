"""The jury: how its members are asked, what they conclude, who abstains, and how far they disagree."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.__main__ import compose
from selfreward.config import validate
from selfreward.errors import ConfigError
from selfreward.judges.base import Item, Judge, Means
from selfreward.judges.disagreement import Dispute
from selfreward.judges.jury import JurySpec
from selfreward.judges.pointwise import pointwise
from selfreward.judges.rubric import RubricSpec
from selfreward.policies import Policy
from selfreward.records import Judgment
from tests.judges.made import Says, item, judged
from tests.support import run_scripted

RULES = ["majority", "mean_rank", "weighted"]
Given = dict[str, list[float | None]]
"""What each member gives the candidates, by their places."""


def spec_of(*overrides: str) -> JurySpec:
    judge = validate(compose(["judge=jury", *overrides])).judge
    assert isinstance(judge, JurySpec)
    return judge


RUBRIC = spec_of().members["rubric"]


def jury(names: Sequence[str], rule: str = "majority", **settings: Any) -> JurySpec:
    """A jury of rubric judges."""
    if rule == "weighted":
        settings.setdefault("weights", dict.fromkeys(names, 1.0))
    return JurySpec(members=dict.fromkeys(names, RUBRIC), rule=rule, **settings)


MEANS = Means(policy=Policy(path=Path("p"), key="p", digest="p"), backend=Says(lambda _: None))  # type: ignore[arg-type]


def sat(spec: JurySpec, weights: dict[str, float] | None = None) -> Judge:
    return spec.build(replace(MEANS, weights=weights))


def asked(spec: JurySpec, scores: Given, items: Sequence[Item] | None = None) -> tuple[Sequence[Item], list[Judgment]]:
    """Candidates, and what the members of a jury were asked where they gave these scores."""
    items = items or [item(f"answer {at}", at) for at in range(len(next(iter(scores.values()))))]
    evidence = [
        pointwise(
            one,
            judge=f"{name}:{member.build(MEANS).name}",
            outcome="unparsed" if (score := scores[name][one[1].index]) is None else "scored",
            score=score,
            raw="",
        )
        for name, member in sorted(spec.members.items())
        for one in items
    ]
    return items, evidence


def conclude(
    spec: JurySpec, scores: Given, items: Sequence[Item] | None = None, weights: dict[str, float] | None = None
) -> list[Judgment]:
    """What a jury concludes where its members gave these scores."""
    return sat(spec, weights).conclude(*asked(spec, scores, items))


def disputes(spec: JurySpec, scores: Given) -> list[Dispute]:
    """How far the members of a jury disagree where they gave these scores."""
    return sat(spec).disputes(*asked(spec, scores))


def scores_of(spec: JurySpec, scores: Given) -> list[float | None]:
    return [one.score for one in conclude(spec, scores)]


def test_majority_is_the_share_that_ranks_it_first_and_ties_share_the_vote() -> None:
    given: Given = {"a": [5.0, 1.0, 1.0], "b": [3.0, 3.0, 2.0], "c": [1.0, 2.0, 0.0]}
    assert scores_of(jury("abc"), given) == pytest.approx([1.5 / 3, 1.5 / 3, 0])


def test_mean_rank_is_one_for_the_best_of_all_and_zero_for_the_last() -> None:
    given: Given = {"a": [5.0, 1.0, 3.0], "b": [0.9, 0.1, 0.1]}
    assert scores_of(jury("ab", "mean_rank"), given) == pytest.approx([1, 0.125, 0.375])


def test_weights_are_of_scores_in_deviations_so_that_scales_do_not_count() -> None:
    given: Given = {"a": [1.0, 2.0], "b": [500.0, 100.0]}
    assert scores_of(jury("ab", "weighted", weights={"a": 3.0, "b": 1.0}), given) == pytest.approx([-0.5, 0.5])
    assert scores_of(jury("ab", "weighted"), given) == [0, 0]


SPLIT: Given = {"a": [5.0, 1.0], "b": [1.0, 5.0], "c": [1.0, 5.0]}


def test_learned_weights_decide_and_who_has_none_has_no_say_and_counts_towards_no_quorum() -> None:
    spec = jury("abc", "weighted", weights="learned")
    heavy = conclude(spec, SPLIT, weights={"a": 2.0, "b": 0.5, "c": 0.5})
    assert [one.score for one in heavy] == pytest.approx([1 / 3, -1 / 3])
    alone = conclude(spec, SPLIT, weights={"a": 0.1, "b": 0.0, "c": 0.0})
    assert [one.score for one in alone] == [1, -1]
    assert alone[0].raw == "disagreement=0.888889 weighted=1 members=1 of 3; a=5 b=1 c=1"
    two = jury("abc", "weighted", weights="learned", quorum=2)
    assert {one.outcome for one in conclude(two, SPLIT, weights={"a": 0.1, "b": 0.0, "c": 0.0})} == {"unparsed"}


def test_a_jury_in_which_nobody_has_a_say_has_no_verdict_and_says_so() -> None:
    spec = jury("abc", "weighted", weights="learned")
    first, second = conclude(spec, SPLIT, weights=dict.fromkeys("abc", 0.0))
    assert (first.outcome, first.score, second.outcome) == ("unparsed", None, "unparsed")
    assert "weighted=null members=0 of 3, none of a weight above 0; a=5 b=1 c=1" in first.raw


def test_weights_that_were_never_learned_are_an_error_that_says_what_to_type() -> None:
    with pytest.raises(ConfigError, match=r"learned on gold pairs.*set judge\.weights=\{a:1,b:1,c:1\}"):
        conclude(jury("abc", "weighted", weights="learned"), SPLIT)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["judge.weights=learned"], r"judge\.rule=majority with judge\.weights=learned: set judge\.rule=weighted"),
        (["judge.rule=weighted"], r"set judge\.weights=\{likelihood:1,pairwise:1,rubric:1\}, or to learned"),
        (["judge.rule=weighted", "judge.weights=lerned"], r"judge\.weights=lerned: should be learned, or a weight"),
        (["judge.rule=weighted", "judge.weights={rubric:-1}"], r"judge\.weights\.rubric=-1: .*greater than 0"),
        (
            ["judge.rule=weighted", "judge.weights=learned", "+judge@judge.members.sums=verifier"],
            r"nothing to learn about judge\.members\.sums: .*take it out with ~judge\.members\.sums",
        ),
    ],
)
def test_weights_that_do_not_fit_say_what_to_type(settings: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        spec_of(*settings)


def test_raw_says_what_each_member_gave_and_how_far_they_disagree() -> None:
    first, second = conclude(jury("abc"), {"a": [5.0, 1.0], "b": [0.5, 2.0], "c": [None, 4.0]})
    assert first.raw == "disagreement=1 majority=0.5 members=2 of 3; a=5 b=0.5 c=null"
    assert second.raw == "disagreement=1 majority=0.5 members=2 of 3; a=1 b=2 c=4"


def test_below_the_quorum_an_answer_is_unparsed() -> None:
    given: Given = {"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, None], "c": [1.0, 2.0, None]}
    assert [one.outcome for one in conclude(jury("abc"), given)] == ["scored", "scored", "unparsed"]
    assert [one.outcome for one in conclude(jury("abc", quorum=1), given)] == ["scored"] * 3
    assert [one.outcome for one in conclude(jury("abcd", quorum=4), given | {"d": [None] * 3})] == ["unparsed"] * 3


def test_an_answer_alone_has_nobody_to_be_ranked_with() -> None:
    (one,) = conclude(jury("ab"), {"a": [5.0], "b": [5.0]})
    assert (one.outcome, one.score) == ("unparsed", None)
    assert one.raw == "disagreement=null majority=null members=0 of 2; a=5 b=5"


def test_a_copy_of_the_best_answer_splits_no_votes() -> None:
    items = [item("best", 0), item("other", 1), item("best", 2)]
    judgments = conclude(jury("abc"), {"a": [5.0, 1.0, 5.0], "b": [5.0, 1.0, 5.0], "c": [1.0, 5.0, 1.0]}, items)
    assert [one.score for one in judgments] == pytest.approx([2 / 3, 1 / 3, 2 / 3])
    assert [one.candidate_ids for one in judgments] == [("c0",), ("c1",), ("c2",)]


PLACES = 4
MEMBERS = "abc"
GIVEN = st.fixed_dictionaries(
    {name: st.lists(st.none() | st.integers(0, 4).map(float), min_size=PLACES, max_size=PLACES) for name in MEMBERS}
)


@pytest.mark.parametrize("rule", RULES)
@given(scores=GIVEN, order=st.permutations(range(PLACES)))
def test_the_order_of_the_answers_does_not_matter(rule: str, scores: Given, order: list[int]) -> None:
    spec = jury(MEMBERS, rule)
    moved = {name: [scores[name][at] for at in order] for name in scores}
    straight = conclude(spec, scores)
    assert [(one.score, one.raw) for one in conclude(spec, moved)] == [
        (straight[at].score, straight[at].raw) for at in order
    ]


@pytest.mark.parametrize("rule", RULES)
@given(scores=GIVEN)
def test_who_abstains_has_no_vote(rule: str, scores: Given) -> None:
    silent: Given = {"d": [None] * PLACES}
    assert scores_of(jury("abcd", rule, quorum=1), scores | silent) == scores_of(jury("abc", rule, quorum=1), scores)


@pytest.mark.parametrize("rule", RULES)
@given(scores=st.lists(st.integers(0, 9).map(float), min_size=2, max_size=5, unique=True))
def test_a_unanimous_jury_agrees_and_ranks_as_its_members(rule: str, scores: list[float]) -> None:
    judgments = conclude(jury(MEMBERS, rule), {name: list(scores) for name in MEMBERS})
    assert [one.disagreement for one in disputes(jury(MEMBERS, rule), {name: list(scores) for name in MEMBERS})] == [0]
    best = max(range(len(scores)), key=lambda at: scores[at])
    given = [one.score for one in judgments if one.score is not None]
    assert max(range(len(scores)), key=lambda at: given[at]) == best
    assert rule == "majority" or sorted(range(len(scores)), key=lambda at: given[at]) == sorted(
        range(len(scores)), key=lambda at: scores[at]
    )


def test_the_disagreement_on_a_prompt_is_told_by_its_id_and_none_where_there_is_none() -> None:
    prompt_id = item("x")[0].id
    apart = disputes(jury("abc"), {"a": [5.0, 1.0], "b": [1.0, 5.0], "c": [1.0, 5.0]})
    assert apart == [Dispute(id=prompt_id, disagreement=pytest.approx(8 / 9))]
    assert disputes(jury("ab"), {"a": [5.0], "b": [1.0]}) == []


@dataclass
class Loaded(Says):
    """A backend that notes when it is asked and when it is freed."""

    name: str = "live"
    log: list[str] = field(default_factory=list)

    def generate(self, *given: Any) -> Any:
        self.log.append(f"{self.name} asked")
        return super().generate(*given)

    def holding(self, policy: Policy) -> "Loaded":
        return Loaded(self.says, name=policy.digest, log=self.log)

    def __enter__(self) -> "Loaded":
        return self

    def __exit__(self, *exit_: object) -> None:
        self.log.append(f"{self.name} freed")


def of_policy(policy: str) -> RubricSpec:
    path = Path("model") if policy == "external" else None
    assert isinstance(RUBRIC, RubricSpec)
    return RUBRIC.model_copy(update={"policy": policy, "path": path})


def test_members_are_asked_policy_by_policy_and_one_is_loaded_at_a_time() -> None:
    backend = Loaded(lambda _: "Score: 4")
    spec = JurySpec(
        members={"a": of_policy("live"), "b": of_policy("external"), "c": of_policy("live"), "d": of_policy("initial")}
    )
    live, guest = (Policy(path=Path(name), key=name, digest=name) for name in ("live", "guest"))
    means = Means(policy=live, backend=backend, jurors={"juror_b": guest, "juror_d": guest})  # type: ignore[arg-type]
    judge = spec.build(means)
    evidence = judge.ask([item("one")], 5, lambda _: None)
    assert backend.log == ["live asked", "live asked", "live freed", "guest asked", "guest asked", "guest freed"]
    assert [one.judge.split(":")[0] for one in evidence] == ["a", "b", "c", "d"]
    with pytest.raises(KeyError, match="juror_b"):
        spec.build(replace(means, jurors={}))


def test_members_of_the_same_settings_draw_with_luck_of_their_own_and_nothing_is_freed() -> None:
    backend = Loaded(lambda _: "Score: 4")
    seeds: list[int] = []
    drawn = backend.generate
    backend.generate = lambda prompts, sampling, seed, advance: (  # type: ignore[method-assign]
        seeds.append(seed) or drawn(prompts, sampling, seed, advance)
    )
    evidence = judged(jury("ab"), backend, item("one"), item("two", 1))
    assert len(set(seeds)) == 2
    assert backend.log == ["live asked", "live asked"]
    assert len({one.judge for one in evidence}) == 2


def test_a_scripted_loop_with_a_jury_of_two_policies(tmp_path: Path) -> None:
    settings = ("judge=jury", "select=preference_pairs", "loop.iterations=2", "judge.members.rubric.policy=initial")
    view = run_scripted(tmp_path, *settings)
    first, second = (stages["judge"] for stages in view.iterations[:2])
    disputed = [one.disagreement for one in second.records(Dispute, "disputes")]
    counts = second.manifest.counts
    assert counts["jury_disagreement"] == pytest.approx(sum(disputed) / len(disputed))
    assert counts["scored"] == second.rows("evidence") > second.rows()
    assert {one.judge.split(":")[0] for one in second.records(Judgment, "evidence")} == {
        "likelihood",
        "pairwise",
        "rubric",
    }
    assert {name: one.digest for name, one in second.manifest.inputs.items() if "juror" in name} == {
        "juror_rubric": first.manifest.inputs["policy"].digest
    }
    assert second.manifest.inputs["policy"].digest != first.manifest.inputs["policy"].digest
