"""`selfreward judge calibrate`: its page and files, what it asks again, and which pairs it takes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from selfreward.backends.scripted import ScriptedBackend
from selfreward.backends.scripted_judge import CompareTask
from selfreward.labels.items import read_items
from tests.calibrated import PAIRWISE, SAMPLED, calibrate, figures, write_gold
from tests.report.browser import Page
from tests.report.test_page import HOSTILE
from tests.support import Done, selfreward


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
    monkeypatch.setattr(CompareTask, "reply", lambda task, **_: f"{HOSTILE} Verdict: \x1b[31mX")
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
