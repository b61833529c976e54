"""How a round of writing went: how many drafts there were, and what became of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfreward.writing.filters import asked_filters
from selfreward.writing.rows import WrittenPrompt
from selfreward.writing.settings import AnyWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """New prompts of a round: `kept` of the `drafts` in `replies`, where `budget` were asked for.

    At most `max_draws` replies could be drawn. `left_out` counts the drafts that each filter left out, in their order,
    `faults` those of a form by what is wrong with it, `overlaps` by the role in which a measured prompt asks the same.
    `over_budget` passed every filter after enough were kept. Of what the writer was asked whether it can be answered,
    `unread` got no verdict and were not left out. `beside` training prompts are asked in the round, and `own` new
    prompts were kept so far.
    """

    kind: str
    budget: int
    max_draws: int
    replies: int
    drafts: int
    kept: int
    left_out: Mapping[str, int]
    faults: Mapping[str, int]
    overlaps: Mapping[str, int]
    over_budget: int
    unread: int
    beside: int
    own: int

    @property
    def asked(self) -> int:
        """How many prompts the round asks, human ones aside."""
        return self.kept + self.beside

    @property
    def told(self) -> str:
        """The counts in words, each with what it is out of."""
        lost = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in self.left_out.items())
        return (
            f"{self.kept} of the {self.budget} asked for (prompts.budget), from {self.replies} of at most "
            f"{self.max_draws} replies with {self.drafts} drafts; left out: {lost}, over budget {self.over_budget}"
        )


def writing_report(
    spec: AnyWriter, drafts: Sequence[WrittenPrompt], *, replies: int, beside: int, earlier: int
) -> Writing:
    """The report of a round that wrote `drafts`, where `earlier` rounds had kept so many new prompts."""
    fates = Counter(one.fate for one in drafts)
    return Writing(
        kind=spec.kind,
        budget=spec.budget,
        max_draws=spec.max_draws,
        replies=replies,
        drafts=len(drafts),
        kept=fates["kept"],
        left_out={name: fates[name] for name in asked_filters(spec)},
        faults=_by_why(drafts, "form"),
        overlaps=_by_why(drafts, "overlap"),
        over_budget=fates["over_budget"],
        unread=sum(one.why == "unread" for one in drafts if one.fate in ("kept", "over_budget")),
        beside=beside,
        own=earlier + fates["kept"],
    )


def _by_why(drafts: Sequence[WrittenPrompt], fate: str) -> dict[str, int]:
    found = Counter(one.why or "" for one in drafts if one.fate == fate)
    return dict(sorted(found.items()))
