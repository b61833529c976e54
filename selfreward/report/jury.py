"""A jury on a page: how much each member's vote weighs, and the prompts it is most divided about."""

from collections.abc import Mapping

from selfreward.artifacts import Artifact
from selfreward.data.roles import question_text
from selfreward.judge_quality.opinions import weights_of
from selfreward.judges.disagreement import Dispute, most_disputed
from selfreward.judges.jury import Weights
from selfreward.records import Prompt
from selfreward.report.markup import Child, Markup, element
from selfreward.report.tables import table

_DISPUTED = 6


def weights_text(weights: Weights) -> str:
    """The weights in one line, the heaviest first."""
    heaviest = sorted(weights.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name} {weight:.3g}{'' if weight > 0 else ' (no say)'}" for name, weight in heaviest)


def weights_line(health: Artifact) -> tuple[Markup, ...]:
    """The weights that a jury learned from gold; nothing where none were to be learned."""
    if not (health.path / "weights.json").exists():
        return ()
    weights = weights_of(health)
    return (
        element("p", f"Weights of the last round, learned on its gold pairs: {weights_text(weights)}.", class_="hint"),
    )


def disputed(stages: Mapping[str, Artifact]) -> list[Child]:
    """The prompts of a round on which its jury disagrees the most; nothing where no jury disagrees."""
    if "judge" not in stages or not stages["judge"].has("disputes"):
        return []
    found = most_disputed(stages["judge"].records(Dispute, "disputes"), _DISPUTED)
    if not found:
        return []
    questions = {one.id: question_text(one.messages) for one in stages["prompts"].records(Prompt)}
    rows = [(f"{one.disagreement:.2f}", element("span", questions[one.id], class_="said", dir="auto")) for one in found]
    told = "Of the last round; 0 where all members rank the answers alike, 1 where they cancel each other out."
    return [
        element("h3", "Where its members disagree the most", class_="apart"),
        element("p", told, class_="intro"),
        table(("disagreement", "prompt"), rows, words=True),
    ]
