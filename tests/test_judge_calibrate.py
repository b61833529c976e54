"""`selfreward judge calibrate`: planted judges get the figures they deserve, nothing is asked twice, a page to read."""

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from selfreward.backends import scripted
from selfreward.backends.scripted import ScriptedBackend, outcome_text
from selfreward.labels.items import read_items
from tests.report.browser import Page
from tests.report.test_page import HOSTILE
from tests.support import Done, selfreward

PAIRWISE = ["judge=pairwise", "judge.method=probability"]
SAMPLED = ["judge=pairwise", "judge.reasoning=false"]


def write_gold(folder: Path, pairs: int = 40, mark: str = "") -> None:
    """Sums with a right and a wrong answer, in a random order; three people, of whom the last may see a tie."""
    lot = random.Random(0)
    rows = []
    for n in range(pairs):
        question = f"What is {n} + {n % 7}? {'Say it in a song.' if n % 4 else 'Draw a tree.'}{mark}"
        answers, side = [outcome_text(question, 0), outcome_text(question, 1 + n % 5) + mark], "first"
        if n % 2:
            answers, side = answers[::-1], "second"
        row = {"id": f"{n}", "question": question, "first": answers[0], "second": answers[1], "source": "sums"}
        row["verdicts"] = [side, side, side if lot.random() < 0.7 else "tie"]
        row |= {"first_author": f"{'me' if n % 3 else 'you'}{mark}", "second_author": "you" if n % 3 else "me"}
        rows.append(row)
    (folder / "gold.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def calibrate(folder: Path, *settings: str) -> Done:
    arguments = ("judge", "calibrate", "experiment=scripted", "--gold", "gold.jsonl", "--out", "out", *settings)
    return selfreward(*arguments, cwd=folder)


def figures(folder: Path, out: str = "out") -> dict[str, Any]:
    return json.loads((folder / out / "measures.json").read_text())


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    write_gold(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A judge that goes by the order at times, and whose replies cannot be read at times."""
    folder = tmp_path_factory.mktemp("careless")
    write_gold(folder)
    faults = ("backend.position_bias=0.4", "backend.unparsed_share=0.2")
    return folder, calibrate(folder, *SAMPLED, *faults, "judge.own=[me]")


def test_a_judge_that_knows_agrees_with_people_and_stays_put(gold: Path) -> None:
    done = calibrate(gold, *PAIRWISE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("Better than chance: accuracy 1.000")
    assert re.search(r"^kappa +1\.000 +\[1\.000, 1\.000\] +40 +40 +0 +0\.\d+$", done.stdout, re.MULTILINE)
    assert re.search(r"^flip_rate +0\.000 ", done.stdout, re.MULTILINE)
    assert "gate: observe" in done.stdout
    found = figures(gold)
    people = found["people"]["mean_pairwise_kappa"]
    assert 0.5 < people["value"] < 1
    assert sum(kind["against"] for kind in found["kinds"]) == 0


def test_a_judge_that_goes_by_the_order_is_a_coin_and_says_so(gold: Path) -> None:
    done = calibrate(gold, *SAMPLED, "backend.position_bias=1")
    assert "Near chance: accuracy 0.500" in done.stdout
    measures = figures(gold)["measures"]
    assert measures["flip_rate"]["value"] == measures["same_position"]["value"] == 1
    assert "gate warn: kappa 0 (0 to 0) lies wholly below 0.4: these labels should not be trained on" in done.stdout
    assert "(interval" not in done.stdout
    assert "Near chance" in Page((gold / "out/judge.html").read_text()).text


def test_a_judge_that_is_never_read_has_no_accuracy_and_stops_nothing(gold: Path) -> None:
    done = calibrate(gold, *SAMPLED, "backend.unparsed_share=1")
    assert done.returncode == 0
    assert "Accuracy is not known: no item has both" in done.stdout
    assert "gate stop: parse_rate 0 (0 to 0.109) lies wholly below 0.5" in done.stdout
    found = figures(gold)
    assert found["measures"]["accuracy"]["value"] is None
    assert found["outcomes"] == {"unparsed": 80}


def test_a_judge_of_length_has_a_slope_and_no_other_bias(gold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [json.loads(line) for line in (gold / "gold.jsonl").read_text().splitlines()]
    for n, row in enumerate(rows):
        row["first"] += " Indeed." * (n // 2 % 3)
    (gold / "gold.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def longer(self: ScriptedBackend, task: Any, question: str) -> float:
        return float((len(task.first) > len(task.second)) - (len(task.first) < len(task.second)))

    monkeypatch.setattr(ScriptedBackend, "_merit", longer)
    calibrate(gold, *PAIRWISE, "judge.own=[me]")
    measures = figures(gold)["measures"]
    assert measures["length_slope"]["low"] > 0
    assert measures["self_preference"]["low"] <= 0 <= measures["self_preference"]["high"]
    assert measures["flip_rate"]["value"] == 0


def test_a_judge_that_knows_its_own_answers_has_that_bias_alone(gold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [json.loads(line) for line in (gold / "gold.jsonl").read_text().splitlines()]
    for row in rows:
        mine = "first" if row["first_author"] == "me" else "second"
        row[mine] = row[mine].replace("The answer", "My answer")
        other = "second" if mine == "first" else "first"
        row[other] = row[other].replace("The answer", "An answer" if row["id"] in "258" else "An answ.")
    (gold / "gold.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def mine(self: ScriptedBackend, task: Any, question: str) -> float:
        return float(task.first.startswith("My") - task.second.startswith("My"))

    monkeypatch.setattr(ScriptedBackend, "_merit", mine)
    calibrate(gold, *PAIRWISE, "judge.own=[me]")
    measures = figures(gold)["measures"]
    assert measures["self_preference"]["low"] > 0.2
    assert figures(gold)["judge"]["own"] == ["me"]
    assert measures["length_slope"]["low"] <= 0 <= measures["length_slope"]["high"]
    assert measures["flip_rate"]["value"] == 0


def test_a_judge_that_gives_everyone_the_top_score_would_be_stopped(
    gold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted, "judge_reply", lambda task, **_: f"{task.label}: {task.highest}")
    write_gold(gold, pairs=48)
    done = calibrate(gold, "judge=rubric", "rubric@judge.rubric=right_or_wrong")
    assert done.returncode == 0, done.stderr
    assert "gate stop: share_at_maximum 1 (0.909 to 1) lies wholly above 0.9" in done.stdout
    assert "Near chance: accuracy 0.500" in done.stdout
    assert "scores: 2: 96" in done.stdout


def test_scores_are_counted_with_their_share_at_the_top(gold: Path) -> None:
    done = calibrate(gold, "judge=rubric", "rubric@judge.rubric=right_or_wrong", "--items", "24")
    assert "left out: not asked 16" in done.stdout
    found = figures(gold)
    counts = {one["low"]: one["count"] for one in found["scores"]}
    assert sum(counts.values()) == 48
    assert found["measures"]["share_at_maximum"]["value"] == pytest.approx(counts[2.0] / 48)
    assert "flip_rate: the judge was not asked in both orders" in done.stdout
    assert "How often answers got each score" in Page((gold / "out/judge.html").read_text()).text


def test_a_jury_tells_people_what_it_is_apart_on(gold: Path) -> None:
    done = calibrate(gold, "judge=jury", "rubric@judge.members.rubric.rubric=right_or_wrong", "--items", "20")
    assert done.returncode == 0, done.stderr
    items, _ = read_items(gold / "out/items.jsonl")
    apart = [item for item in items if item.disagreement is not None]
    assert apart and all(0 <= item.disagreement <= 1 for item in apart if item.disagreement is not None)
    assert figures(gold)["measures"]["accuracy"]["low"] > 0.5


def test_a_jury_that_learns_is_measured_by_weights_of_the_other_pairs_and_tells_those_of_all(gold: Path) -> None:
    jury = ("judge=jury", "rubric@judge.members.rubric.rubric=right_or_wrong", "judge.rule=weighted")
    done = calibrate(gold, *jury, "judge.weights=learned", "--items", "20")
    assert done.returncode == 0, done.stderr
    found = figures(gold)
    assert found["weights"].keys() == {"likelihood", "pairwise", "rubric"}
    heaviest = max(found["weights"], key=found["weights"].__getitem__)
    told = f"{heaviest} {found['weights'][heaviest]:.3g}"
    assert f"weights learned on these pairs, each judged by those of the others: {told}" in done.stdout
    assert told in Page((gold / "out/judge.html").read_text()).text
    assert found["measures"]["accuracy"]["low"] > 0.5
    assert calibrate(gold, *jury[:2], "--items", "20").returncode == 0
    assert figures(gold)["weights"] is None


def test_the_page_shows_what_is_behind_the_figures(careless: tuple[Path, Done]) -> None:
    folder, _ = careless
    found, html = figures(folder), (folder / "out/judge.html").read_text()
    page = Page(html)
    for name in ("accuracy", "kappa", "flip_rate", "self_preference", "parse_rate"):
        one = found["measures"][name]
        written = f"{one['value']:.3f}[{one['low']:.3f}, {one['high']:.3f}]".replace("-", "\u2212")
        assert written in page.text.replace(" ", "").replace(",", ", "), name
    flipped = [item for item in read_items(folder / "out/items.jsonl")[0] if item.judge and item.judge.flipped]
    assert f"{len(flipped)} of 40 pairs; the first 6 of them." in page.text
    assert flipped[0].labelled.messages[0].content in page.text
    assert "Asked with the first answer before the other: the first is better" in page.text
    assert "Asked with the second answer before the other: the second is better" in page.text
    assert f"unparsed {found['outcomes']['unparsed']}; 1 different." in page.text
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "http" not in html.replace("http-equiv", "")


def test_the_same_again_asks_nothing_and_another_author_neither(
    careless: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, first = careless
    monkeypatch.setattr(ScriptedBackend, "generate", None)
    faults = ("backend.position_bias=0.4", "backend.unparsed_share=0.2")
    page = (folder / "out/judge.html").read_bytes()
    again = calibrate(folder, *SAMPLED, *faults, "judge.own=[me]")
    assert again.stdout == first.stdout
    assert (folder / "out/judge.html").read_bytes() == page
    other = calibrate(folder, *SAMPLED, *faults, "gate.parse_rate.below=0.95", "--out", "other")
    assert other.returncode == 0, other.stderr
    assert "gate stop: parse_rate" in other.stdout
    assert figures(folder, "other")["measures"]["self_preference"]["value"] is None
    assert sorted(path.name for path in (folder / "runs/scripted/judge/gold").iterdir()) == ["iter-000", "sources"]


def test_what_it_wrote_can_be_asked_about_again_and_goes_to_people(
    careless: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = careless
    done = selfreward(
        *("labels", "export", "out/items.jsonl", "--format", "label-studio", "--count", "5", "--out", "ask"), cwd=folder
    )
    assert "5 of 40 pairs to label" in done.stdout
    assert "judge against people" in done.stdout
    monkeypatch.setattr(ScriptedBackend, "generate", None)
    faults = ("backend.position_bias=0.4", "backend.unparsed_share=0.2")
    done = calibrate(folder, *SAMPLED, *faults, "--gold", "out/items.jsonl", "--out", "more")
    assert done.returncode == 0, done.stderr
    done = calibrate(folder, *SAMPLED, *faults, "--gold", "out/items.jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    assert "out/items.jsonl would be written over: give another folder with --out" in done.stderr


def test_killed_it_goes_on_at_the_shard(gold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score, calls = ScriptedBackend.score_options, []

    def dies(self: ScriptedBackend, prompts: Sequence[Any], *rest: Any) -> Any:
        calls.append(len(prompts))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return score(self, prompts, *rest)

    monkeypatch.setattr(ScriptedBackend, "score_options", dies)
    assert calibrate(gold, *PAIRWISE).returncode == 130
    assert calibrate(gold, *PAIRWISE).returncode == 0
    assert calls == [32, 32, 32, 16], "three shards of 16 pairs in both orders, the second of them twice"


def test_the_pairs_that_are_asked_do_not_hang_on_the_order_of_the_file(gold: Path) -> None:
    calibrate(gold, *PAIRWISE, "--items", "10")
    chosen = {item.id for item in read_items(gold / "out/items.jsonl")[0]}
    lines = (gold / "gold.jsonl").read_text().splitlines()
    (gold / "gold.jsonl").write_text("".join(f"{line}\n" for line in reversed(lines)))
    calibrate(gold, *PAIRWISE, "--items", "10")
    assert {item.id for item in read_items(gold / "out/items.jsonl")[0]} == chosen
    assert len(chosen) == 10


def test_pairs_without_ids_or_verdicts_are_asked_about_too(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": f"What is {n} + 2?", "chosen": f"The answer is {n + 2}.", "rejected": f"The answer is {n + 3}."}
        for n in range(9)
    ]
    rows += [rows[0], {"id": "x", "question": "What is 1 + 1?", "first": "The answer is 2.", "second": "No."}]
    (tmp_path / "gold.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    done = calibrate(tmp_path, *PAIRWISE)
    assert done.returncode == 0, done.stderr
    assert "pairwise on 10 pairs of gold.jsonl; left out: repeated 1" in done.stdout
    found = figures(tmp_path)
    assert (found["measures"]["accuracy"]["n"], found["measures"]["parse_rate"]["n"]) == (9, 10)
    assert found["people"]["fleiss_kappa"]["value"] is None
    assert "so the ceiling is not known" in Page((tmp_path / "out/judge.html").read_text()).text


def test_hostile_text_stays_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_gold(tmp_path, pairs=12, mark=HOSTILE)
    monkeypatch.setattr(scripted, "compare_reply", lambda task, **_: f"{HOSTILE} Verdict: \x1b[31mX")
    done = calibrate(tmp_path, *SAMPLED)
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "out/judge.html").read_text()
    page = Page(html)
    assert not {"script", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "\u202e" not in html and "\x1b" not in html and "\x1b" not in done.stdout
    assert "<script>alert(1)</script>" in page.text
    assert page.tags.count("style") == html.count("</style>") == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["judge=verifier"], "judge=verifier cannot be calibrated: a verifier compares with references"),
        (["--gold", "none.jsonl"], "none.jsonl does not exist"),
        (["judge=pairwise", "judge.own=[m]"], "judge.own=m: gold.jsonl has no answer by that author; it has me, you"),
        (["judge=rubric", "judge.repeats=0"], "judge.repeats=0: Input should be greater than 0"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(gold: Path, settings: list[str], told: str) -> None:
    done = calibrate(gold, *settings)
    assert done.returncode == 2
    assert told in next(line for line in done.stderr.splitlines() if line.startswith("selfreward:"))
