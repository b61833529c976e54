"""What a round kept of its candidates, and what one kept row cost."""

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.commands.status import main as status_main
from selfreward.reading.metrics import metrics_of_round
from selfreward.reading.rounds import Round, rounds_of
from selfreward.records import Candidate, Judgment
from selfreward.report.round_tables import per_kept_row


def test_yield_and_cost_agree_with_the_manifests(examples: RunView, pairs: RunView) -> None:
    for view, table in ((examples, "rows"), (pairs, "pairs")):
        for t, stages in enumerate(view.iterations[:2]):
            found = Round(t, stages, view.sources)
            assert found.judged is not None and found.selection is not None and found.kept is not None
            assert found.drawn == stages["sample"].rows()
            assert found.judged.scored == sum(j.outcome == "scored" for j in stages["judge"].records(Judgment))
            assert found.kept == stages["select"].rows(table) > 0
            selection = stages["select"].json("selection")
            assert found.selection.eligible == sum(selection[name] for name in ("selected", "passed_over", "duplicate"))
            for name, cost in found.costs_per_row.items():
                assert cost.seconds * found.kept == pytest.approx(stages[name].manifest.seconds)
            row = metrics_of_round(found, None)
            assert row["yield/kept_share"] == found.kept / found.drawn
            made = found.making_per_row
            assert made is not None and made.tokens is not None
            assert row["cost/per_row/tokens"] == made.tokens
            drawn = sum(c.tokens for c in stages["sample"].records(Candidate))
            judged = sum(j.usage.prompt_tokens + j.usage.completion_tokens for j in stages["judge"].records(Judgment))
            assert made.tokens * found.kept == pytest.approx(drawn + judged)


def test_status_and_page_tell_the_yield(examples: RunView, capsys: pytest.CaptureFixture[str]) -> None:
    found = rounds_of(examples)[0]
    made = found.making_per_row
    assert made is not None
    (examples.folder / "config.json").write_text('{"loop": {"iterations": 2}}')
    assert status_main([examples.name, "--runs", str(examples.folder.parent)]) == 0
    line = next(line for line in capsys.readouterr().out.split("\n") if line.startswith("iteration 0: "))
    assert f"{found.drawn} candidates of 32 prompts" in line and f"{found.kept} own rows kept" in line
    assert f"{made.tokens:,.1f} tokens a row" in line
    assert f"<small>{made.tokens:,.1f} tokens</small>" in str(per_kept_row(rounds_of(examples)))


def test_no_kept_row_gives_no_cost(examples: RunView) -> None:
    last = examples.iterations[-1]
    assert Round(2, last, examples.sources).costs_per_row == {}
    assert not any(
        name.startswith("yield/") or "per_row" in name
        for name in metrics_of_round(Round(2, last, examples.sources), None)
    )
    started = {name: examples.iterations[0][name] for name in ("sample", "judge")}
    assert "yield/kept_rows" not in metrics_of_round(Round(0, started, examples.sources), None)
    assert "yield/drawn" in metrics_of_round(Round(0, started, examples.sources), None)
