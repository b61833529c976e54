"""Labels of the pairs that are selected: where they come from, what has none, and what must stay as it was."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts import Artifact, Part, Store
from selfreward.artifacts.parquet import read_table
from selfreward.config import validate
from selfreward.errors import ConfigError
from selfreward.judges.base import NO_USAGE
from selfreward.records import Candidate, Judgment, PreferencePair
from selfreward.selection.pairs import PreferencePairs
from selfreward.spec import identity
from selfreward.stages.select import select
from tests.stages.tables import SEED, Answers, artifact, human_example, open_prompt, ordered, round_of
from tests.support import Silent, run_scripted

SOFT = PreferencePairs(labels="soft")
PROMPTS = [open_prompt(number) for number in range(3)]
ANSWERS: Answers = [(one, [("Good.", 3.0), ("Fair.", 2.0), ("Bad.", 1.0)]) for one in PROMPTS]


def compare(one: Candidate, other: Candidate, *chances: float) -> list[Judgment]:
    """What a judge that gives the first of two these chances, one an order, was asked."""
    return [
        Judgment(
            prompt_id=one.prompt_id,
            candidate_ids=(one.id, other.id),
            order=order,
            judge="j",
            outcome="scored",
            score=chance,
            raw="",
            usage=NO_USAGE,
        )
        for order, chance in zip(((0, 1), (1, 0)), chances, strict=True)
    ]


def vote(member: str, one: Candidate, score: float) -> Judgment:
    return Judgment(
        prompt_id=one.prompt_id,
        candidate_ids=(one.id,),
        order=(0,),
        judge=f"{member}:x",
        outcome="scored",
        score=score,
        raw="",
        usage=NO_USAGE,
    )


def chosen(
    folder: Path,
    evidence: list[Judgment],
    spec: PreferencePairs = SOFT,
    answers: Answers = ANSWERS,
    decision: Part | None = None,
    first: Answers = (),
    weights: Part | None = None,
) -> Artifact:
    """What is selected of answers whose judge was asked this."""
    made = round_of(folder, answers)
    tables = {"rows": (Judgment, list(made["judgments"].records(Judgment))), "evidence": (Judgment, evidence)}
    name = hashlib.sha256(repr(evidence).encode()).hexdigest()
    before = round_of(folder, first, "first") if first else {}
    return Store(folder, Silent()).run(
        select,
        spec,
        seed=SEED,
        candidates=made["candidates"],
        judgments=artifact(folder, name, tables),
        prompts=made["prompts"],
        weights=weights,
        decision=decision,
        first_candidates=before.get("candidates"),
        first_judgments=before.get("judgments"),
    )


def candidates(folder: Path, answers: Answers = ANSWERS) -> list[Candidate]:
    return list(round_of(folder, answers)["candidates"].records(Candidate))


def labels(made: Artifact) -> list[float | None]:
    return [one.label for one in made.records(PreferencePair, "pairs")]


def columns(made: Artifact, table: str) -> list[str]:
    return list(read_table(next(made.path.glob(f"{table}-*.parquet"))).column_names)


def test_the_label_is_what_both_orders_prefer_and_what_was_not_compared_has_none(tmp_path: Path) -> None:
    drawn = candidates(tmp_path)
    evidence = [*compare(drawn[0], drawn[2], 0.9, 0.6), *compare(drawn[6], drawn[8], 0.5, 0.3)]
    made = chosen(tmp_path, evidence)
    assert labels(made) == [0.75, None, 0.4]
    counts = made.json("selection")
    assert (counts["pairs"], counts["pairs_without_label"], counts["labels_below_half"]) == (3, 1, 1)


def test_every_pair_of_a_prompt_has_its_own_label(tmp_path: Path) -> None:
    drawn = candidates(tmp_path, ANSWERS[:1])
    evidence = [
        *compare(drawn[0], drawn[1], 0.6, 0.6),
        *compare(drawn[0], drawn[2], 0.9, 0.9),
        *compare(drawn[1], drawn[2], 0.7, 0.7),
    ]
    made = chosen(tmp_path, evidence, PreferencePairs(labels="soft", pairs="all", per_prompt=None), ANSWERS[:1])
    by_texts = {(one.chosen, one.rejected): one.label for one in made.records(PreferencePair, "pairs")}
    assert by_texts == {("Good.", "Bad."): 0.9, ("Good.", "Fair."): 0.6, ("Fair.", "Bad."): 0.7}


def test_the_label_is_the_members_votes_by_learned_weights_where_there_are_some(tmp_path: Path) -> None:
    drawn = candidates(tmp_path, ANSWERS[:1])
    evidence = [vote(member, drawn[0], 1.0) for member in ("ann", "bob", "zoe")]
    evidence += [vote("ann", drawn[2], 0.0), vote("bob", drawn[2], 1.0), vote("zoe", drawn[2], 2.0)]
    assert labels(chosen(tmp_path, evidence, answers=ANSWERS[:1])) == [0.5]
    health = artifact(tmp_path, "health", {}, weights={"ann": 6.0, "bob": 1.0, "zoe": 3.0})
    made = chosen(tmp_path, evidence[::-1], answers=ANSWERS[:1], weights=health.part("weights"))
    assert labels(made) == [0.65]


def test_an_answer_given_before_is_preferred_as_that_one_is(tmp_path: Path) -> None:
    """Only the first of the same text was asked about; the longer of two equals is the one that is rejected here."""
    answers: Answers = [(PROMPTS[0], [("Bad.", 1.0), ("Good.", 3.0), ("Bad.", 1.0)])]
    drawn = candidates(tmp_path, answers)
    spec = PreferencePairs(labels="soft", pairs="all", per_prompt=None, dedup=False)
    made = chosen(tmp_path, compare(drawn[0], drawn[1], 0.2, 0.4), spec, answers)
    assert {one.rejected_id for one in made.records(PreferencePair, "pairs")} == {drawn[0].id, drawn[2].id}
    assert labels(made) == [0.7, 0.7]


def test_what_another_round_or_a_person_said_has_no_label(tmp_path: Path) -> None:
    drawn = candidates(tmp_path)
    evidence = compare(drawn[0], drawn[2], 0.9, 0.6)
    before: Answers = [(one, [("What was said at first.", 2.0)]) for one in PROMPTS]
    made = chosen(tmp_path, evidence, decision=ordered(tmp_path, anchored=True), first=before)
    assert labels(made) == [None] * 3
    assert made.json("selection")["pairs_without_label"] == made.json("selection")["anchored"] == 3
    assert columns(chosen(tmp_path, evidence), "pairs")[-1] == "label"


def test_a_pair_of_a_persons_answer_has_no_label_and_its_table_no_column(tmp_path: Path) -> None:
    human = round_of(tmp_path, ANSWERS, human=[replace(human_example(0, 5), prompt_id=PROMPTS[0].id)])
    drawn = candidates(tmp_path)
    evidence = [*compare(drawn[0], drawn[2], 0.9, 0.6), *compare(drawn[3], drawn[5], 0.8, 0.8)]
    rows = list(human["judgments"].records(Judgment))
    human["judgments"] = artifact(tmp_path, "asked", {"rows": (Judgment, rows), "evidence": (Judgment, evidence)})
    orders = {"decision": None, "first_candidates": None, "first_judgments": None}
    made = Store(tmp_path, Silent()).run(select, SOFT, seed=SEED, **human, **orders)
    assert labels(made) == [0.8, None], "the prompt that comes first went to the human answer"
    assert (made.rows("human_pairs"), "label" in columns(made, "human_pairs")) == (1, False)


def test_hard_labels_are_none_and_leave_keys_tables_and_counts_as_they_were(tmp_path: Path) -> None:
    drawn = candidates(tmp_path)
    made = chosen(tmp_path, compare(drawn[0], drawn[2], 0.9, 0.6), PreferencePairs())
    assert labels(made) == [None] * 3
    assert "label" not in columns(made, "pairs")
    assert {"pairs_without_label", "labels_below_half"} & made.json("selection").keys() == set()
    assert "labels" not in identity(PreferencePairs())
    soft = chosen(tmp_path, compare(drawn[0], drawn[2], 0.9, 0.6))
    pairs = [[replace(one, label=None) for one in each.records(PreferencePair, "pairs")] for each in (made, soft)]
    assert pairs[0] == pairs[1], "which pairs are made is the same"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["judge=rubric", "select.labels=soft"],
            "select.labels=soft with judge=rubric, which does not say how sure it is that one answer is better: it "
            "scores each answer by itself: set judge=pairwise, judge=jury, or judge=reward_model with two judge.models "
            "or more; or set select.labels=hard",
        ),
        (["judge=likelihood", "select.labels=soft"], "with judge=likelihood, which does not say how sure"),
        (["judge=verifier", "select.labels=soft"], "with judge=verifier, which"),
        (["judge=dimensions", "select.labels=soft"], "with judge=dimensions, which"),
        (
            ["judge=reward_model", "judge.models=[/nowhere]", "select.labels=soft"],
            "one model has one opinion: give judge.models two folders or more; or set select.labels=hard",
        ),
        (
            ["judge=pairwise", "select.labels=soft", "select.pairs=coin"],
            "select.labels=soft with select.pairs=coin: the labels would tell what the lot hides, set "
            "select.labels=hard",
        ),
        (["judge=pairwise", "select.labels=fuzzy"], "select.labels=fuzzy: Input should be 'hard' or 'soft'"),
    ],
)
def test_labels_that_cannot_be_had_are_refused_in_one_line(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(compose(["experiment=scripted", "select=preference_pairs", *settings]))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "judge",
    [
        ["judge=pairwise"],
        ["judge=constitution"],
        ["judge=jury"],
        ["judge=reward_model", "judge.models=[/nowhere,/nothere]"],
    ],
)
def test_judges_that_say_how_sure_they_are_may_label(judge: list[str]) -> None:
    validate(compose(["experiment=scripted", "select=preference_pairs", "select.labels=soft", *judge]))


SMALL = ("select=preference_pairs", "data.train_closed=24", "data.train_open=8", "loop.iterations=1")


def test_a_run_keeps_its_labels_up_to_the_training_set(tmp_path: Path) -> None:
    judge = ("judge=pairwise", "judge.method=probability")
    reporter = Silent()
    stages = run_scripted(tmp_path, *judge, *SMALL, "select.labels=soft", reporter=reporter).iterations[0]
    found = labels(stages["select"])
    assert None not in found
    assert all(one is not None and 0.5 < one < 1 for one in found)
    trained = list(stages["mix"].records(PreferencePair, "pairs"))
    assert [one.label for one in trained if one.origin == "self"] == found
    assert any(f"  labels: 0 of {len(found)} pairs without one" in line for line in reporter.lines)
    hard = run_scripted(tmp_path, *judge, *SMALL, "run=hard").iterations[0]
    assert hard["judge"].key == stages["judge"].key, "labels are made of what was asked anyway"
    assert "label" not in columns(hard["mix"], "pairs")
    assert [one.id for one in hard["select"].records(PreferencePair, "pairs")] == [
        one.id for one in stages["select"].records(PreferencePair, "pairs")
    ]


def test_a_jury_that_learned_its_weights_labels_by_them(tmp_path: Path) -> None:
    jury = ("judge=jury", "judge.rule=weighted", "judge.weights=learned", *SMALL)
    stages = run_scripted(tmp_path, *jury, "select.labels=soft").iterations[0]
    assert stages["select"].manifest.inputs["weights"].key == stages["health"].key
    assert None not in labels(stages["select"])
    hard = run_scripted(tmp_path, *jury, "run=hard").iterations[0]
    assert "weights" not in hard["select"].manifest.inputs
