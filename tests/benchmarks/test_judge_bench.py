"""`selfreward bench judges`: planted judges are heard as judges are, and each moves its own measure alone."""

import json
from pathlib import Path

import pytest

from selfreward.benchmarks.judge_bench import planted
from selfreward.benchmarks.labelled_items import OWN, SCALE, made_gold, made_items, read_gold
from selfreward.benchmarks.planted_judges import JUDGES, NOISE, PERFECT, Planted, verdicts_on_items
from selfreward.commands import bench
from selfreward.errors import DataError
from selfreward.judge_quality.measures import BIASES
from selfreward.judge_quality.verdicts import Labelled
from selfreward.labels.items import Item, write_items
from selfreward.records import Message, Verdict

PAGE = Path(__file__).parents[2] / "docs/bench.md"
NAMED = {judge.name: judge for judge in JUDGES}


def pair(
    verdict: Verdict = "first", *, number: int = 0, authors: tuple[str | None, str | None] = (None, None)
) -> Labelled:
    return Labelled(
        id=str(number),
        messages=(Message(role="user", content="Name a fruit."),),
        first="Bread, which is no fruit.",
        second="A pear.",
        verdicts=(verdict,),
        source="by hand",
        first_author=authors[0],
        second_author=authors[1],
    )


def test_made_items_are_those_of_their_seed_and_hold_what_the_measures_need() -> None:
    items = made_items(200, seed=3)
    assert items == made_items(200, seed=3) != made_items(200, seed=4)
    own = sum(OWN in (item.first_author, item.second_author) for item in items)
    assert 70 < own < 130
    assert {vote for item in items for vote in item.verdicts} == {"first", "second", "tie"}
    assert {item.first_rating for item in items} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("name", "preference", "flipped", "shown", "scores"),
    [
        ("perfect", 0.0, False, 0.5, (2, 4)),
        ("always the first", 0.5, True, 1.0, (2, 4)),
        ("longer is better", 1.0, False, 0.5, (4, 2)),
        ("always the maximum", 0.5, False, 0.5, (5, 5)),
        ("its own are better", 1.0, False, 0.5, (4, 2)),
        ("never parses", None, None, None, (None, None)),
    ],
)
def test_what_a_planted_judge_says(
    name: str, preference: float | None, flipped: bool | None, shown: float | None, scores: tuple[float, float]
) -> None:
    # Twenty items, so that either answer comes first among the candidates of some.
    items = [pair("second", number=number, authors=(OWN, "other")) for number in range(20)]
    for one in verdicts_on_items(NAMED[name], items, OWN, SCALE, seed=0):
        assert (one.preference, one.flipped, one.first_shown) == (preference, flipped, shown)
        assert (one.first_score, one.second_score) == scores
        assert one.outcome == ("unparsed" if preference is None else "scored")


def test_a_judge_that_errs_by_lot_errs_as_often_as_it_says_and_never_flips() -> None:
    items = [pair(number=number) for number in range(1000)]
    verdicts = verdicts_on_items(NAMED[f"wrong in {NOISE:.0%} at random"], items, None, SCALE, seed=0)
    assert 0.25 < sum(one.preference == 0 for one in verdicts) / 1000 < 0.35
    assert not any(one.flipped for one in verdicts)
    assert verdicts != verdicts_on_items(NAMED[f"wrong in {NOISE:.0%} at random"], items, None, SCALE, seed=1)


def test_scores_are_peoples_ratings_whoever_is_preferred() -> None:
    items = made_items(50, seed=0)
    for name in ("perfect", "random", "longer is better", "always the first"):
        for item, one in zip(items, verdicts_on_items(NAMED[name], items, OWN, SCALE, seed=0), strict=True):
            assert {one.first_score, one.second_score} == {item.first_rating, item.second_rating}


@pytest.fixture(scope="module")
def gold_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gold") / "gold.jsonl"
    write_items(path, [Item(labelled=one) for one in made_items(60, seed=0)])
    return path


def test_each_judge_without_luck_moves_its_own_measure_and_no_other(gold_file: Path) -> None:
    for found in planted(read_gold(gold_file, 50), seed=0, seeds=2):
        if found.judge.name not in ("random", f"wrong in {NOISE:.0%} at random"):
            assert found.rates == {name: name in found.judge.moves for name in found.rates}
            assert found.judge.moves <= found.rates.keys()
            assert found.holds is (None if found.judge is PERFECT else True)


def test_a_fault_that_is_not_the_rows_own_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    blamed = Planted(name="blamed", says=NAMED["longer is better"].says, moves=frozenset({"self_preference"}))
    monkeypatch.setattr("selfreward.benchmarks.judge_bench.JUDGES", (PERFECT, blamed))
    assert [found.holds for found in planted(made_gold(60), seed=0, seeds=1)] == [None, False]


def test_without_authors_nothing_is_asked_of_the_judge_that_prefers_its_own(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    write_items(path, [Item(labelled=pair(("first", "second")[number % 2], number=number)) for number in range(20)])
    gold = read_gold(path, 20)
    assert gold.own is None
    found = {one.judge.name: one for one in planted(gold, seed=0, seeds=1)}
    assert found["its own are better"].holds is None
    assert "self_preference" not in found["its own are better"].rates


def test_a_gold_file_tells_whose_answers_are_its_own_and_the_scale(gold_file: Path) -> None:
    gold = read_gold(gold_file, 20)
    assert (gold.own, gold.scale, len(gold.people)) == ("one", (1, 5), 60)
    assert len(gold.draw(0)) == 20
    assert gold.draw(0) == gold.draw(0) != gold.draw(1)
    assert len(read_gold(gold_file, 100).draw(0)) == 60


def test_gold_without_a_verdict_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"id": "1", "question": "Name a fruit.", "first": "A pear.", "second": "Bread."}))
    with pytest.raises(DataError, match="no pair with a verdict: give pairs that people labelled"):
        bench.main(["judges", "--gold", str(path)])


def test_the_tables_state_the_rule_and_show_value_interval_and_quality(
    gold_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.main(["judges", "--gold", str(gold_file), "--seeds", "1", "--items", "40"])
    out = capsys.readouterr().out
    assert "it leaves in at least 50% of the draws" in out
    assert "every other one left in at most 15%" in out
    rows = {line.split(" | ")[0].strip("| "): line for line in out.splitlines() if line.startswith("|")}
    assert rows["always the maximum"].count("**1.000 [0.928, 1.000]**") == 1
    header = next(line for line in out.splitlines() if line.startswith("|  | flip_rate"))
    assert header == f"|  | {' | '.join([*BIASES, 'accuracy', 'kappa'])} |"
    assert rows["fleiss_kappa"].endswith(" | 60 | 0 |")


@pytest.mark.slow
def test_the_page_shows_what_the_bench_prints_and_every_row_holds(capsys: pytest.CaptureFixture[str]) -> None:
    status = bench.main(["judges", "--seed", "0"])
    _, judges = PAGE.read_text().split("\n# Judges\n")
    assert capsys.readouterr().out in judges, "run `selfreward bench judges` and renew its part of docs/bench.md"
    assert status == 0
