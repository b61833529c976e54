"""DPO on pairs of judgments: behind the judge's own request the better judgment becomes likelier than the worse."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from selfreward.judges.prompting import Rubric
from selfreward.records import Judgment, PreferencePair, Usage, make_prompt
from selfreward.selection.judgments import as_items, concluded, sorted_out
from selfreward.updates.dpo import DpoSpec, train_dpo
from tests.stages.tables import drawn
from tests.tiny import make_tiny_policy

RUBRIC = Rubric.model_validate(
    {
        "id": "tiny",
        "version": 1,
        "label": "S",
        "system": "",
        "scale": {"lowest": 0, "highest": 2, "step": 1},
        "in_doubt": 0,
        "template": "<q>{question}</q><a>{answer}</a>",
        "explain": "End {label}: N",
        "number_only": "N",
        "examples": [],
    }
)
SPEC = DpoSpec(learning_rate=5e-3, batch_size=4, epochs=3, top_layers=1, compute="float32", device="cpu")


def pair_of(number: int) -> PreferencePair:
    prompt = make_prompt(f"is it {number}", system="", stratum="open", source="test")
    candidate = drawn(prompt, 0, "yes")
    said = [
        Judgment(
            prompt_id=prompt.id,
            candidate_ids=(candidate.id,),
            order=(0,),
            judge="j",
            rubric=RUBRIC.name,
            repeat=repeat,
            outcome="scored",
            score=score,
            raw=raw,
            usage=Usage(prompt_tokens=0, completion_tokens=9),
        )
        for repeat, (score, raw) in enumerate([(2.0, "true\nS: 2"), (0.0, "no way\nS: 0")])
    ]
    one = sorted_out((prompt, candidate), said, 99)
    names = [item.id for _, item in as_items(one, RUBRIC)]
    strengths = [
        replace(said[0], candidate_ids=(name,), score=value) for name, value in zip(names, (1.0, -1.0), strict=True)
    ]
    _, pair, _ = concluded(one, strengths, RUBRIC)
    assert pair is not None
    return pair


def trained(folder: Path, pairs: Sequence[PreferencePair], **changes: int) -> tuple[int, int | None, float | None]:
    policy = make_tiny_policy(folder / "tiny")
    spec = SPEC.model_copy(update=changes)
    found = train_dpo(spec, policy, policy, pairs, folder / "out", folder / "scratch", 7, lambda *_: None)
    return found.rows_trained, found.rows_too_long, found.margin_growth


def test_the_better_judgment_becomes_likelier_than_the_worse(tmp_path: Path) -> None:
    pairs = [pair_of(number) for number in range(8)]
    assert pairs[0].messages[-1].content == "<q>is it 0</q><a>yes</a>\n\nEnd S: N"
    rows, too_long, growth = trained(tmp_path, pairs)
    assert (rows, too_long) == (8, 0)
    assert growth is not None and growth > 1
