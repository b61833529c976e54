"""`selfreward explain RUN [ID]`: a training row, a candidate or a prompt back to everything that led to it.

Of a policy, it tells how that was trained (`explain_policy`).

Text from models and data stands behind a bar, nothing else does.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from textwrap import shorten

from selfreward.artifacts import Artifact
from selfreward.artifacts.identity import flat_settings
from selfreward.artifacts.manifest import Manifest
from selfreward.artifacts.runs import RunView, read_run
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.commands.explain_policy import POLICY, policy_json, policy_lines
from selfreward.reading.chain import Explanation, HumanOrigin, RowStory, TrainingSet, explain
from selfreward.reading.fate_words import fate_in_words, rule_in_words
from selfreward.reading.lookup import iterations_of
from selfreward.reading.prompt_rounds import Considered, PolicyName, PromptRound
from selfreward.reading.rounds import Round
from selfreward.records import Judgment, Prompt, TrainingRow
from selfreward.report.figures import plural
from selfreward.report.pages import visible
from selfreward.row_kinds import PROMPTS, answers_of, candidates_of, facts_of, kind_of, rating_of
from selfreward.selection.training_rows import row_kind
from selfreward.spec import Json, Spec
from selfreward.tracking.rl_lines import rl_lines

_BAR = "│ "
_OF_MANIFEST = ("stage", "key", "digest", "made", "commit", "versions", "identity", "inputs")
_LONGEST = 60  # characters of a setting
_WORDS = 44  # characters of a prompt or an answer in the list


def main(arguments: list[str]) -> int:
    """Prints the explanation of an id, or the list of training rows. 0; raises StoreError for an unknown id."""
    parser = run_parser(
        "explain", "Trace a training row, a candidate, a prompt or a policy back; without ID, list the rows."
    )
    parser.add_argument(
        "id", metavar="ID", nargs="?", help="an id of this run, or its first 4 characters; or a policy, as M1"
    )
    parser.add_argument("--iteration", type=int, metavar="N", help="only what iteration N knows")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parsed = parser.parse_intermixed_args(arguments)
    view = read_run(run_folder(parsed.run, parsed.runs))
    if parsed.id is not None and POLICY.fullmatch(parsed.id):
        lines = [policy_json(view, parsed.id)] if parsed.json else policy_lines(view, parsed.id)
    elif parsed.id is None:
        lines = [_listing_json(view, parsed.iteration)] if parsed.json else listing_lines(view, parsed.iteration)
    else:
        told = explain(view, parsed.id, parsed.iteration)
        lines = [json.dumps(told, default=_plain, indent=2)] if parsed.json else explanation_lines(told)
    print(*lines, sep="\n")
    return 0


def listing_lines(view: RunView, iteration: int | None) -> Iterator[str]:
    """One line for each training row, under a line for its training set."""
    listed = 0
    for t, mixed, rows in _training_sets(view, iteration):
        table = row_kind(mixed).table
        drawn_to = f" and {mixed.rows(PROMPTS.table):,} prompts" if mixed.has(PROMPTS.table) else ""
        held = f"{mixed.rows(table):,} {table.replace('_', ' ')}{drawn_to}"
        yield f"iteration {t} (M{t} → M{t + 1}): {held} to train on, mix/{mixed.key}"
        yield from rl_lines(Round(t, view.iterations[t], view.sources))
        for row in rows:
            score, prompt, answer = _in_short(row)
            told = "-" if score is None else f"{score:.4f}"
            answer = answer if answers_of(row)[0].wanted else f"undesirable: {answer}"
            kept = "" if row.iteration == t else f"  (from iteration {row.iteration})"
            yield f"  {row.id}  {row.origin:<5}  {told:>9}  {_first(prompt):<{_WORDS}}  {_first(answer)}{kept}"
            listed += 1
    if listed == 0:
        yield f"{view.name} has no training row yet"
    elif iteration is None:
        yield f"each row is listed where it came in; `selfreward explain {view.name} ID` tells all about one"


def _training_sets(view: RunView, asked: int | None) -> Iterator[tuple[int, Artifact, Iterator[TrainingRow]]]:
    """Every training set of the run with the rows that came in then; of the iteration asked for, with all its rows."""
    for t in iterations_of(view, asked):
        if (mixed := view.iterations[t].get("mix")) is not None:
            kind = row_kind(mixed)
            records = mixed.records(kind.record, kind.table)
            yield t, mixed, (row for row in records if asked is not None or row.iteration == t)


def _in_short(row: TrainingRow) -> tuple[float | None, str, str]:
    """The score of a training row, of a pair its margin, the last turn of its prompt, and the answer to prefer."""
    return rating_of(row), row.messages[-1].content, answers_of(row)[0].text


def _first(text: str) -> str:
    """The first words of `text` on one line."""
    line = " ".join(text.split())
    return visible(line if len(line) <= _WORDS else f"{line[: _WORDS - 1]}…")


def _listing_json(view: RunView, iteration: int | None) -> str:
    sets = []
    for t, mixed, rows in _training_sets(view, iteration):
        table = row_kind(mixed).table
        listed = [_row_json(row) for row in rows]
        sets.append({"iteration": t, "key": mixed.key, "total": mixed.rows(table), table: listed})
    # ASCII only: what a terminal would obey is written as an escape.
    return json.dumps({"run": view.name, "iterations": sets}, indent=2)


def _row_json(row: TrainingRow) -> dict[str, Json]:
    label = {name: value for name, value in facts_of(row) if name == "label"}
    told = {**dict(zip(("score", "prompt", "answer"), _in_short(row), strict=True)), **label}
    return {"id": row.id, "origin": row.origin, "iteration": row.iteration, **told}


def _plain(value: object) -> object:
    """Settings and dataclasses as plain values; of a manifest what the text says too."""
    if isinstance(value, Spec):
        return value.model_dump(mode="json")
    assert is_dataclass(value)
    names = _OF_MANIFEST if isinstance(value, Manifest) else [one.name for one in fields(value)]
    return {name: getattr(value, name) for name in names}


def explanation_lines(told: Explanation) -> Iterator[str]:
    """The lines of an explanation, without ends of line."""
    yield f"{told.kind} {told.id} of run {told.run}"
    for story in told.rows:
        yield from _row(story)
    if told.kind in ("candidate", "prompt") and not told.rows:
        yield from ("", f"No training row came of this {told.kind}; below is why.")
    if told.prompt is not None:
        yield from _prompt(told.prompt)
    for one in told.rounds:
        yield from _round(one, told)


def quoted(text: str, indent: int) -> Iterator[str]:
    """Text from outside, each line behind a bar, so that it can neither move the cursor nor pass for ours."""
    for line in (text or "(nothing)").split("\n"):
        yield f"{' ' * indent}{_BAR}{visible(line)}"


def _row(story: RowStory) -> Iterator[str]:
    row, human = story.row, story.human
    by_people = human is not None and not candidates_of(row)
    asked_apart = by_people or row.origin == "meta"
    kind = kind_of(row)
    yield from ("", f"Training row {row.id}")
    yield _fact("kind", f"{kind.name}: {kind.told}")
    yield _fact("origin", _origin(row))
    yield _fact("came in", f"iteration {row.iteration}")
    yield from (_fact("trained", _training_set(one)) for one in story.sets)
    yield from (_fact(name, _told(value)) for name, value in facts_of(row))
    if human is not None:
        yield from _human(human)
    if asked_apart:
        yield from _texts((message.role, message.content) for message in row.messages)
    for one in answers_of(row):
        yield from _answer(one.name, one.text, one.thought)
    if by_people and human is not None:
        yield from _artifacts(human.spent.iteration, human.chain)


def _texts(texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in texts:
        yield f"  {name}"
        yield from quoted(text, 4)


def _answer(name: str, text: str, thought: str | None) -> Iterator[str]:
    if thought is not None:
        yield from _texts([(f"thought before {name}", thought)])
    yield from _texts([(name, text)])


def _origin(row: TrainingRow) -> str:
    if row.origin == "self":
        return "self: the policy's own"
    if row.origin == "meta":
        return "meta: a judgment of the policy over another of the same answer, by its meta-judge"
    return "human: a person's answer over one of the policy" if candidates_of(row) else "human: written by people"


def _training_set(one: TrainingSet) -> str:
    kept = "" if one.iteration == one.came_in else f", kept from iteration {one.came_in}"
    policy = "no policy yet" if one.policy_key is None else f"M{one.iteration + 1}, update/{one.policy_key}"
    return f"{policy}; as one of {plural(one.rows, 'row')} of mix/{one.key} (digest {one.digest}){kept}"


def _human(origin: HumanOrigin) -> Iterator[str]:
    mixing, data = origin.mixing, origin.source.get("data")
    kind = data.get("kind") if isinstance(data, dict) else None
    uses, asked = mixing.max_uses, mixing.real_share_asked
    once = "once and for all" if uses == 1 else f"which may happen {uses} times"
    content, role = origin.source.get("content"), origin.role
    yield _fact("source", f"data={kind}, role {role}; fingerprint of its content {content}")
    yield _fact("spent", f"in iteration {origin.spent.iteration}, {once}; {origin.spent.tokens} tokens")
    why = f"{mixing.real_share:.1%} of {mixing.unit}, {asked:.1%} asked: {visible(origin.why)}"
    yield _fact("real share", why)
    yield _fact("pool", f"{mixing.human_rows_drawn} drawn that round, {mixing.human_rows_left} left")


def _prompt(prompt: Prompt) -> Iterator[str]:
    compared = "not compared" if prompt.match is None else f"compared as {prompt.match}"
    yield from ("", f"Prompt {prompt.id}")
    yield f"  {prompt.stratum}, from {visible(prompt.source)}, {compared} with its references"
    yield from _texts((message.role, message.content) for message in prompt.messages)
    yield from _texts(("reference", reference) for reference in prompt.references)


def _round(one: PromptRound, told: Explanation) -> Iterator[str]:
    drawers = " and ".join(map(_policy, one.drawers))
    yield from ("", f"Iteration {one.iteration}: {plural(len(one.candidates), 'candidate')} of {drawers}")
    if one.judge is not None:
        yield f"  judged by {_policy(one.judge)}"
    if one.rule is None:
        yield "  not selected from yet"
    else:
        yield from (f"  {line}" for line in rule_in_words(one))
        counted = Counter(each.fate.fate.replace("_", " ") for each in one.candidates if each.fate is not None)
        yield f"  fates: {', '.join(f'{name} {number}' for name, number in sorted(counted.items()))}"
    for considered in one.candidates:
        yield from _candidate(considered, one, told.id)
    yield from _artifacts(one.iteration, one.chain)


def _candidate(one: Considered, told: PromptRound, asked: str) -> Iterator[str]:
    candidate = one.candidate
    mark = "  <- asked for" if candidate.id == asked else ""
    yield from ("", f"  #{candidate.index} {fate_in_words(one, told)}{mark}")
    ended = "ended by itself" if candidate.finish == "stop" else "cut by the token limit"
    yield f"     candidate {candidate.id}, {plural(candidate.tokens, 'token')}, {ended}"
    likely = "not told" if candidate.logprob is None else f"{candidate.logprob:.4f} nats"
    numbers = {policy.digest: policy.number for policy in told.drawers}
    number = numbers[candidate.policy_digest]
    drawer = candidate.policy_digest if number is None else f"M{number} {candidate.policy_digest}"
    yield f"     log-probability {likely}, seed {candidate.seed}, policy {drawer}"
    if candidate.thought is not None:
        yield "     thought"
        yield from quoted(candidate.thought, 7)
        yield "     answer"
    yield from quoted(candidate.text, 5 if candidate.thought is None else 7)
    for number, judgment in enumerate(one.judgments, start=1):
        yield from _judgment(judgment, number, len(one.judgments), candidate.id)


def _judgment(one: Judgment, number: int, of: int, candidate_id: str) -> Iterator[str]:
    verdict = "" if one.verdict is None else f", verdict {one.verdict}"
    score = "" if one.score is None else f" {_score(one.score)}"
    yield f"     judgment {number} of {of}: {one.outcome}{score}{verdict}"
    facts = [f"judge {one.judge}", f"rubric {visible(one.rubric or 'none')}", f"repeat {one.repeat}"]
    facts += [f"{name} {visible(value)}" for name in ("dimension", "principle") if (value := getattr(one, name))]
    if len(one.candidate_ids) > 1:
        place = one.order.index(one.candidate_ids.index(candidate_id)) + 1
        facts.append(f"shown as number {place} of {len(one.candidate_ids)} (order {list(one.order)})")
    used = one.usage
    facts.append(f"{used.prompt_tokens} prompt and {used.completion_tokens} completion tokens")
    yield f"       {', '.join(facts)}"
    yield from quoted(one.raw, 7)


def _artifacts(iteration: int, chain: Sequence[Manifest]) -> Iterator[str]:
    yield from ("", f"  Artifacts of iteration {iteration}, each made from some of those above it")
    for link in chain:
        seed = "" if link.seed is None else f", seed {link.seed}"
        yield f"    store/{link.stage}/{link.key}  digest {link.digest}, version {link.version}{seed}"
        versions = ", ".join(f"{name} {version}" for name, version in sorted(link.versions.items()))
        yield f"      made {link.made}, commit {link.commit or 'not known'}, {versions}"
        for kind in ("spec", "engine"):
            if told := _settings_line(link.identity.get(kind)):
                yield f"      {'settings' if kind == 'spec' else kind} {told}"


def _settings_line(value: Json) -> str:
    """Settings on one line; long texts, such as rubrics, by their start."""
    given = {name: str(one) for name, one in flat_settings(value).items() if one is not None}
    return ", ".join(f"{name}={visible(shorten(one, _LONGEST, placeholder='…'))}" for name, one in given.items())


def _policy(one: PolicyName) -> str:
    name = "a model from outside this run" if one.number is None else f"M{one.number}"
    name = "the reward model trained at the start of this run" if one.rewards else name
    return f"{name} (key {one.key}, digest {one.digest})"


def _fact(name: str, value: str) -> str:
    return f"  {name:<11}{value}"


def _told(value: str | float | None) -> str:
    return value if isinstance(value, str) else _score(value)


def _score(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
