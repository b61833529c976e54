"""One round of one prompt: its candidates, every judgment of them, the rule that chose, the artifacts in between."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from selfreward.artifacts import Artifact
from selfreward.artifacts.manifest import InputEntry
from selfreward.artifacts.runs import RunView
from selfreward.errors import CorruptArtifact
from selfreward.monitor.controller import Orders
from selfreward.reading.lookup import input_of, records_where
from selfreward.records import Candidate, Example, Judgment, Prompt
from selfreward.selection import AnySelect, SelectSpec
from selfreward.selection.anchors import worst_two
from selfreward.selection.novelty import NO_ORDERS, lowered
from selfreward.selection.pairs import PreferencePairs
from selfreward.selection.pool import Rated, rate
from selfreward.selection.reasons import Choice, Reason, explain_anchor, explain_choice
from selfreward.selection.training_rows import training_table
from selfreward.spec import Json

# The stages that make a training row, in order, with the inputs that must be the run's own.
_CHAIN = {
    "prompts": (),
    "sample": ("prompts",),
    "judge": ("candidates",),
    "select": ("candidates", "judgments"),
    "decide": ("selected",),
    "mix": ("selected", "decision"),
    "update": ("training",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyName:
    """A policy as it was used, and its number in this run; None for a model that is no policy of the run."""

    number: int | None
    key: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """A candidate, every judgment of it, its mean score, and what became of it; None before there is a selection."""

    candidate: Candidate
    judgments: tuple[Judgment, ...]
    score: float | None
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule that chose, with the `k` that was ordered, the seed of its stage, and what the monitor ordered."""

    spec: AnySelect
    seed: int
    orders: Orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One artifact of the chain, as its manifest tells it; `identity` is all that its key is made of."""

    stage: str
    key: str
    digest: str
    made: str
    commit: str | None
    versions: dict[str, str]
    identity: dict[str, Json]
    inputs: dict[str, InputEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one iteration did with a prompt.

    `policy` drew the candidates; `judge` is the policy that judged them, None where no policy did. `counts` is what
    the prompt added to `selection.json`, `pairs` the ids (chosen, rejected) of its preference pairs; both are empty,
    and `rule` is None, before there is a selection.
    """

    iteration: int
    policy: PolicyName
    judge: PolicyName | None
    candidates: tuple[Considered, ...]
    rule: Rule | None
    counts: dict[str, int]
    pairs: tuple[tuple[str, str], ...]
    chain: tuple[Link, ...]


def explain_round(view: RunView, iteration: int, prompt: Prompt) -> Round:
    """What iteration `iteration` did with a prompt that it sampled."""
    stages = view.iterations[iteration]
    sampled, judged, selected = stages["sample"], stages.get("judge"), stages.get("select")
    drawn = records_where(sampled, Candidate, "prompt_id", prompt.id)
    judgments = [] if judged is None else records_where(judged, Judgment, "prompt_id", prompt.id)
    evidence: list[Judgment] = []
    if judged is not None and judged.has("evidence"):
        evidence = records_where(judged, Judgment, "prompt_id", prompt.id, "evidence")
    rated = {one.candidate.id: one for one in rate(drawn, judgments)} if judgments else {}
    rule = None if selected is None else _rule(view, iteration, selected)
    choice = _choice(view, iteration, stages["select"], rule, prompt, list(rated.values())) if rule else None
    return Round(
        iteration=iteration,
        policy=policy_name(view, iteration, sampled),
        judge=policy_name(view, iteration, judged) if judged and "policy" in judged.manifest.inputs else None,
        candidates=tuple(
            Considered(
                candidate=one,
                judgments=tuple(judgment for judgment in (*evidence, *judgments) if one.id in judgment.candidate_ids),
                score=rated[one.id].score if one.id in rated else None,
                reason=choice.reasons[one.id] if choice else None,
            )
            for one in sorted(drawn, key=lambda candidate: candidate.index)
        ),
        rule=rule,
        counts=dict(choice.counts) if choice else {},
        pairs=choice.pairs if choice else (),
        chain=chain_of(view, iteration),
    )


def prompt_of(view: RunView, iteration: int, prompt_id: str) -> Prompt | None:
    """The prompt as iteration `iteration` sampled it; None where it did not."""
    sampled = view.iterations[iteration].get("sample")
    if sampled is None:
        return None
    found = records_where(input_of(view, iteration, sampled, "prompts"), Prompt, "id", prompt_id)
    return found[0] if found else None


def chain_of(view: RunView, iteration: int) -> tuple[Link, ...]:
    """The artifacts that lead from the source of prompts to the training set and the policy, in order.

    Raises CorruptArtifact where one was made from something else than what the run holds.
    """
    stages = view.iterations[iteration]
    links = [link_of(one) for one in tables_behind(view, iteration, stages["prompts"], "train")]
    for stage, roles in _CHAIN.items():
        if (artifact := stages.get(stage)) is not None:
            for role in roles:
                input_of(view, iteration, artifact, role)
            links.append(link_of(artifact))
    return tuple(links)


def tables_behind(view: RunView, iteration: int, artifact: Artifact, role: str) -> list[Artifact]:
    """The table of a source that was an input of `artifact`; before it, the one it was cleaned from, if it was."""
    table = input_of(view, iteration, artifact, role)
    before = [input_of(view, iteration, table, "table")] if "table" in table.manifest.inputs else []
    return [*before, table]


def policy_name(view: RunView, iteration: int, artifact: Artifact) -> PolicyName:
    """The policy that was an input of `artifact`, a stage of iteration `iteration`."""
    used = artifact.manifest.inputs["policy"]
    start = view.iterations[0]["sample"].manifest.inputs["policy"].digest
    digests = [start, *(stages["update"].digest for stages in view.iterations[:iteration])]
    number = next((t for t in reversed(range(len(digests))) if digests[t] == used.digest), None)
    return PolicyName(number=number, key=used.key, digest=used.digest)


def _rule(view: RunView, iteration: int, selected: Artifact) -> Rule:
    decided = "decision" in selected.manifest.inputs
    found = input_of(view, iteration, selected, "decision").json("decision")["orders"] if decided else None
    orders = NO_ORDERS if found is None else Orders(**found)
    return Rule(lowered(spec_of(selected), orders), _seed(selected), orders)


def _choice(
    view: RunView, iteration: int, selected: Artifact, rule: Rule, prompt: Prompt, rated: Sequence[Rated]
) -> Choice:
    asked = input_of(view, iteration, selected, "prompts")
    human = records_where(asked, Example, "prompt_id", prompt.id, "human") if asked.has("human") else []
    first: Sequence[Rated] = ()
    if rule.orders.anchored:
        drawn, judged = (input_of(view, iteration, selected, f"first_{name}") for name in ("candidates", "judgments"))
        before = records_where(drawn, Candidate, "prompt_id", prompt.id)
        verdicts = records_where(judged, Judgment, "prompt_id", prompt.id)
        first = worst_two(rule.spec, prompt, rate(before, verdicts))
    if human and isinstance(rule.spec, PreferencePairs):
        return explain_anchor(rule.spec, prompt, human[0], rated, first)
    kept = None if rule.orders.cluster_cap is None else _row_ids(selected, prompt.id)
    return explain_choice(rule.spec, prompt, rated, rule.seed, rule.orders, first, kept)


def _row_ids(selected: Artifact, prompt_id: str) -> set[str]:
    """The ids of the rows that a selection made of one prompt."""
    table, row_type = training_table(selected)
    return {row.id for row in records_where(selected, row_type, "prompt_id", prompt_id, table)}


def spec_of(selected: Artifact) -> AnySelect:
    """The settings of a selection. Raises CorruptArtifact where they are of no rule that this version knows."""
    try:
        return TypeAdapter[AnySelect](SelectSpec).validate_python(selected.manifest.identity["spec"])
    except ValueError as error:
        raise CorruptArtifact(f"{selected.path} was made by a rule that is not known here: {error}") from error


def _seed(artifact: Artifact) -> int:
    seed = artifact.manifest.identity["seed"]
    assert isinstance(seed, int)
    return seed


def link_of(artifact: Artifact) -> Link:
    """An artifact as its manifest tells it."""
    manifest = artifact.manifest
    return Link(
        stage=manifest.stage,
        key=manifest.key,
        digest=manifest.digest,
        made=manifest.made,
        commit=manifest.commit,
        versions=manifest.versions,
        identity=manifest.identity,
        inputs=manifest.inputs,
    )
