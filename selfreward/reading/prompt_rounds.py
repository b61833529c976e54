"""One round of one prompt: its candidates, every judgment of them, the rule that chose, the artifacts in between."""

from dataclasses import dataclass
from typing import TypeVar

from selfreward.artifacts import Artifact
from selfreward.artifacts.manifest import InputEntry, Manifest
from selfreward.artifacts.runs import RunView
from selfreward.monitor.controller import Orders
from selfreward.reading.lookup import input_of, records_where
from selfreward.records import Example, Judgment, Prompt
from selfreward.revisions import RevisedCandidate, Revision, place_of
from selfreward.selection import AnySelect, select_spec
from selfreward.selection.fates import Fate
from selfreward.selection.novelty import NO_ORDERS, lowered
from selfreward.stages.decide import decision_of
from selfreward.stages.revise import STEPS, candidates_in
from selfreward.stages.sample import drawers_of

Record = TypeVar("Record")

# The stages that make a training row, in order, with the inputs that must be the run's own.
_CHAIN = {
    "prompts": (),
    "sample": ("prompts",),
    "revise": ("candidates",),
    "judge": ("candidates",),
    "meta": ("candidates", "judgments"),
    "select": ("candidates", "judgments"),
    "decide": ("selected",),
    "mix": ("selected", "decision"),
    "update": ("training",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyName:
    """A policy as it was used, and its number in this run; None for a model that is no policy of the run.

    `rewards`: it is no policy, but the reward models that the run trained at its start.
    """

    number: int | None
    key: str
    digest: str
    rewards: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """A candidate, every judgment of it, and what became of it; None before there is a selection.

    Of one that was drawn, `attempts` are those to revise it, by round; of a revision, `reviser` is who wrote it.
    """

    candidate: RevisedCandidate
    judgments: tuple[Judgment, ...]
    fate: Fate | None
    attempts: tuple[Revision, ...] = ()
    reviser: PolicyName | None = None


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """The rule that chose, with the `k` that was ordered, the seed of its stage, and what the monitor ordered."""

    spec: AnySelect
    seed: int
    orders: Orders


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRound:
    """What one iteration did with a prompt.

    `drawers` are the policies that drew the candidates; `judge` is the policy that judged them, None where no policy
    did. `rule` is None before there is a selection. `anchors`: it was sampled to set its human answer against one of
    the policy's.
    """

    iteration: int
    drawers: tuple[PolicyName, ...]
    judge: PolicyName | None
    candidates: tuple[Considered, ...]
    rule: SelectionRule | None
    anchors: bool
    chain: tuple[Manifest, ...]


def explain_round(view: RunView, iteration: int, prompt: Prompt) -> PromptRound:
    """What iteration `iteration` did with a prompt that it sampled."""
    stages = view.iterations[iteration]
    sampled, judged, selected = stages["sample"], stages.get("judge"), stages.get("select")
    revised = stages.get("revise")
    candidates = _rows_of(prompt, candidates_in(stages), RevisedCandidate)
    attempts = _rows_of(prompt, revised, Revision, STEPS)
    reviser = None if revised is None or revised.policy is None else policy_name(view, iteration, revised.policy)
    judgments = [*_rows_of(prompt, judged, Judgment, "evidence"), *_rows_of(prompt, judged, Judgment)]
    rule = None if selected is None else _rule(view, iteration, selected)
    anchors = rule is not None and rule.spec.anchors
    human = _rows_of(prompt, input_of(view, iteration, sampled, "prompts"), Example, "human") if anchors else []
    fate_of = {one.candidate_id: one for one in _rows_of(prompt, selected, Fate, "fates")}
    return PromptRound(
        iteration=iteration,
        drawers=tuple(policy_name(view, iteration, one) for one in drawers_of(sampled)),
        judge=None if judged is None or judged.policy is None else policy_name(view, iteration, judged.policy),
        candidates=tuple(
            Considered(
                candidate=one,
                judgments=tuple(judgment for judgment in judgments if one.id in judgment.candidate_ids),
                fate=fate_of.get(one.id),
                attempts=tuple(attempt for attempt in attempts if attempt.original_id == one.id),
                reviser=None if one.revises is None else reviser,
            )
            for one in sorted(candidates, key=place_of)
        ),
        rule=rule,
        anchors=bool(human),
        chain=chain_of(view, iteration),
    )


def prompt_of(view: RunView, iteration: int, prompt_id: str) -> Prompt | None:
    """The prompt as iteration `iteration` sampled it; None where it did not."""
    sampled = view.iterations[iteration].get("sample")
    if sampled is None:
        return None
    found = records_where(input_of(view, iteration, sampled, "prompts"), Prompt, "id", prompt_id)
    return found[0] if found else None


def chain_of(view: RunView, iteration: int) -> tuple[Manifest, ...]:
    """The manifests of the artifacts that lead from the source of prompts to the training set and the policy, in order.

    Raises CorruptArtifact where one was made from something else than what the run holds.
    """
    stages = view.iterations[iteration]
    links = [one.manifest for one in tables_behind(view, iteration, stages["prompts"], "train")]
    for stage, roles in _CHAIN.items():
        if (artifact := stages.get(stage)) is not None:
            for role in roles:
                input_of(view, iteration, artifact, role)
            links += [one.manifest for one in _trained_at_start(view, artifact)]
            links.append(artifact.manifest)
    return tuple(links)


def _trained_at_start(view: RunView, judged: Artifact) -> list[Artifact]:
    """The reward model of the start of a run, where `judged` was made with it, and before it the pairs it learned."""
    trained = view.sources.get("reward")
    if trained is None or all(entry.key != trained.key for entry in judged.manifest.inputs.values()):
        return []
    pairs = trained.manifest.inputs["pairs"]
    return [*(one for one in view.sources.values() if one.holds(pairs)), trained]


def tables_behind(view: RunView, iteration: int, artifact: Artifact, role: str) -> list[Artifact]:
    """The table of a source that was an input of `artifact`; before it, the one it was cleaned from, if it was."""
    table = input_of(view, iteration, artifact, role)
    before = [input_of(view, iteration, table, "table")] if "table" in table.manifest.inputs else []
    return [*before, table]


def policy_name(view: RunView, iteration: int, used: InputEntry) -> PolicyName:
    """A policy that a stage of iteration `iteration` used."""
    (start,) = drawers_of(view.iterations[0]["sample"])
    digests = [start.digest, *(stages["update"].digest for stages in view.iterations[:iteration])]
    number = next((t for t in reversed(range(len(digests))) if digests[t] == used.digest), None)
    rewards = "reward" in view.sources and used.key == view.sources["reward"].key
    return PolicyName(number=number, key=used.key, digest=used.digest, rewards=rewards)


def _rule(view: RunView, iteration: int, selected: Artifact) -> SelectionRule:
    decided = "decision" in selected.manifest.inputs
    orders = decision_of(input_of(view, iteration, selected, "decision")).orders if decided else NO_ORDERS
    assert selected.seed is not None
    return SelectionRule(lowered(select_spec(selected), orders), selected.seed, orders)


def _rows_of(prompt: Prompt, made: Artifact | None, record_type: type[Record], table: str = "rows") -> list[Record]:
    """The rows of a prompt; none of an artifact that is not there or has no such table."""
    if made is None or not made.has(table):
        return []
    return records_where(made, record_type, "prompt_id", prompt.id, table)
