"""Prompts: which prompts this round samples answers to, those of the training set and new ones that are written."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain, islice

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import Backend
from selfreward.data.roles import question_text
from selfreward.errors import DataError, StarvedLoop
from selfreward.policies import Judging
from selfreward.records import Example, Prompt, RowPrompt, prompt_type
from selfreward.selection.mixing import Spent, uses_of
from selfreward.stages.clean import Likeness, likeness, measured_rows
from selfreward.stages.mix import mixing_of
from selfreward.writing.filters import Filters, Text
from selfreward.writing.report import Writing, writing_report
from selfreward.writing.rows import OwnPrompt, WrittenPrompt
from selfreward.writing.settings import AnyPrompts, AnyWriter, PromptsBase, WriterBase
from selfreward.writing.writer import Writer

VERSION = 2
_COMPARED, _COMPARED_NEW = "compared_", "compared_new"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPrompts:
    """Which prompts a round asks: `prompts` training prompts and `human_prompts` that bring a human answer.

    Without replacement, `drawn` holds the ids of all that were drawn up to this round and `prompts_left` counts the
    others; it is None where prompts are not drawn.
    """

    round: int
    prompts: int
    prompts_left: int | None
    human_prompts: int
    drawn: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A training prompt, by its id."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a round wrote, and how like its new prompts are to those of the role `beside`; None where it kept none."""

    report: Writing
    likeness: Likeness | None
    beside: str | None


def written_of(asked: Artifact) -> Written | None:
    """What a round wrote; None where it asks training prompts alone."""
    if not asked.has_json("written"):
        return None
    counts, report = asked.manifest.counts, load_report(asked, "written", Writing)
    beside = next((role for role in ("target", "train") if _COMPARED + role in counts), None)
    if beside is None:
        return Written(report=report, likeness=None, beside=None)
    like = Likeness(
        energy_distance=counts["energy_distance"],
        p_value=counts["p_value"],
        compared=(int(counts[_COMPARED_NEW]), int(counts[_COMPARED + beside])),
    )
    return Written(report=report, likeness=like, beside=beside)


def prompts(
    out: Output,
    spec: AnyPrompts,
    *,
    seed: int | None = None,
    train: Artifact,
    human: Artifact,
    previous: Artifact | None,
    training: Artifact | None,
    backend: Backend | None = None,
    writer: Judging | None = None,
    **measured: Artifact,
) -> None:
    """Table `rows` of Prompt to sample, table `human` of the Examples whose prompts are among them, `prompts.json`.

    Where prompts of `train` have columns of their row, `rows` is of RowPrompt. Where new prompts are written, those
    that are kept are among `rows`; table `written` has every draft as a WrittenPrompt, table `own` the new prompts of
    this round and all before as OwnPrompt, and `written.json` the counts.

    `previous` is this stage's artifact of the round before, `training` the training set before, with the ledger of
    human examples spent; it is None, as the `seed` is, where the settings draw nothing. `backend` holds the `writer` of
    new prompts, which may ask nothing that is in the tables `measured`, by role. Raises StarvedLoop when fewer than
    `spec.count` prompts are left to draw, and where no prompt at all can be asked.
    """
    assert (seed is not None) == spec.draws, "a seed where something is drawn, and only there"
    before = None if previous is None else load_report(previous, "prompts", RoundPrompts)
    this_round = 0 if before is None else before.round + 1
    chosen, drawn = _own(spec, train, this_round, set() if before is None else set(before.drawn), seed)
    new: list[Prompt] = []
    if isinstance(spec, WriterBase):
        assert seed is not None
        assert backend is not None
        assert writer is not None
        earlier = [] if previous is None else list(previous.records(OwnPrompt, "own"))
        writing = _writer(spec, seed, this_round, backend, writer, train, earlier, measured)
        new = _write(out, writing, train.rows() if chosen is None else len(chosen))
        _compare(out, new, train, measured)
    examples = _human(spec, human, training, train, chosen, {one.id for one in new}, seed)
    asked = (prompt for place, prompt in enumerate(train.records(RowPrompt)) if chosen is None or place in chosen)
    first = [*islice(asked, 1)]
    rows = chain(first, asked, map(_as_row, new), map(_prompt_of, examples))
    written = out.write_table(prompt_type(first), rows)
    with out.table(Example, "human") as table:
        table.write(examples)
    told = RoundPrompts(
        round=this_round,
        prompts=written - len(examples) - len(new),
        prompts_left=train.rows() - len(drawn) if drawn else None,
        human_prompts=len(examples),
        drawn=tuple(sorted(drawn)),
    )
    save_report(out, "prompts", told)


def _writer(
    spec: AnyWriter,
    seed: int,
    this_round: int,
    backend: Backend,
    writer: Judging,
    train: Artifact,
    earlier: Sequence[OwnPrompt],
    measured: Mapping[str, Artifact],
) -> Writer:
    """What writes the new prompts of this round. Raises DataError where no training prompt can be an example."""
    given = list(train.records(Prompt))
    systems = Counter(one.messages[0].content if one.messages[0].role == "system" else "" for one in given)
    asks = [[turn.content for turn in one.messages if turn.role != "system"] for one in given]
    examples = [
        OwnPrompt(id=one.id, text=ask[0], round=0) for one, ask in zip(given, asks, strict=True) if len(ask) == 1
    ]
    if spec.needs_examples and not examples:
        raise DataError(
            f"prompts={spec.kind} shows training prompts of one turn as examples, and data.train has none: give some, "
            "or set prompts=magpie"
        )
    known = [Text(one.id, question_text(one.messages), "train") for one in given]
    known += [Text(one.id, one.text, "new") for one in earlier]
    kept_out = [Text(row.id, question_text(row.messages), role) for role, row in measured_rows(measured)]
    return Writer(
        spec=spec,
        seed=seed,
        round=this_round,
        backend=backend,
        writer=writer,
        given=examples,
        own=earlier,
        system=systems.most_common(1)[0][0],
        filters=Filters(spec, known, kept_out),
    )


def _write(out: Output, writing: Writer, beside: int) -> list[Prompt]:
    """The new prompts of the round, which asks so many training prompts `beside` them; every draft in its table."""
    spec = writing.spec
    with out.table(WrittenPrompt, "written") as table, out.progress(spec.max_draws, "replies") as advance:
        drafts = writing.write(table, advance)
    report = writing_report(spec, drafts, replies=writing.replies, beside=beside, earlier=len(writing.own))
    if report.kept + beside == 0:
        raise StarvedLoop(
            f"there is no prompt to ask in round {writing.round}: prompts.share=1 asks new ones alone, and kept are "
            f"{report.told}. Set prompts.share=0.5 or prompts.policy=external with prompts.path=<a better writer>, or "
            "raise prompts.max_draws"
        )
    own = [OwnPrompt(id=one.id, text=one.text, round=one.round) for one in writing.kept]
    out.write_table(OwnPrompt, [*writing.own, *own], "own")
    out.count(completion_tokens=sum(one.reply_tokens for one in drafts if one.place == 0))
    save_report(out, "written", report)
    return [writing.prompt_of(one.text) for one in writing.kept]


def _compare(out: Output, new: Sequence[Prompt], train: Artifact, measured: Mapping[str, Artifact]) -> None:
    """Counts how like the new prompts are to those of the role `target`, or to the training prompts where it has none.

    It is no part of the content: what is trained must not hang on its last digits.
    """
    beside = "target" if measured["target"].rows() else "train"
    if new:
        found = likeness(new, list((measured["target"] if beside == "target" else train).records(Prompt)))
        compared = dict(zip((_COMPARED_NEW, _COMPARED + beside), found.compared, strict=True))
        out.count(energy_distance=found.energy_distance, p_value=found.p_value, **compared)


def _own(
    spec: AnyPrompts, train: Artifact, this_round: int, before: set[str], seed: int | None
) -> tuple[set[int] | None, set[str]]:
    """The places of the training prompts of this round in the source, None for all; and the ids drawn so far."""
    if isinstance(spec, WriterBase) and (most := spec.training_prompts) is not None:
        return set(random.Random(seed).sample(range(train.rows()), min(most, train.rows()))), set()
    if spec.count is None:
        return None, set()
    if spec.per_round == "slice":
        start = this_round * spec.count
        return {(start + offset) % train.rows() for offset in range(min(spec.count, train.rows()))}, set()
    known = _ids(train)
    fresh = [one for one in known if one not in before]
    if len(fresh) < spec.count:
        raise StarvedLoop(
            f"{len(fresh)} of {len(known)} training prompts are left in round {this_round}, prompts.count asks for "
            f"{spec.count}: lower prompts.count or loop.iterations, or bring more prompts"
        )
    chosen = set(random.Random(seed).sample(fresh, spec.count))
    return {place for place, one in enumerate(known) if one in chosen}, before | chosen


def _ids(train: Artifact) -> list[str]:
    return [one.id for one in train.records(_Known)]


def _human(
    spec: PromptsBase,
    human: Artifact,
    training: Artifact | None,
    train: Artifact,
    chosen: set[int] | None,
    new: set[str],
    seed: int | None,
) -> list[Example]:
    """Unspent human examples, the least used first and then at random, one a prompt, none of a prompt asked anyway."""
    if spec.human == 0:
        return []
    asked = new | {one for place, one in enumerate(_ids(train)) if chosen is None or place in chosen}
    uses = uses_of(() if training is None else training.records(Spent, "ledger"))
    most = 1 if training is None else mixing_of(training).max_uses
    pool = [example for example in human.records(Example) if uses[example.id] < most]
    random.Random(seed).shuffle(pool)
    pool.sort(key=lambda example: uses[example.id])
    one_each: dict[str, Example] = {}
    for example in pool:
        if example.prompt_id not in asked and len(one_each) < spec.human:
            one_each.setdefault(example.prompt_id, example)
    return list(one_each.values())


def _as_row(prompt: Prompt) -> RowPrompt:
    return RowPrompt(**{one.name: getattr(prompt, one.name) for one in fields(prompt)})


def _prompt_of(example: Example) -> RowPrompt:
    return RowPrompt(
        id=example.prompt_id,
        messages=example.messages,
        stratum=example.stratum,
        source="human",
        references=(example.text,),
        match=None,
    )
