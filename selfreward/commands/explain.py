"""`selfreward explain RUN [ID]`: a training row, a candidate or a prompt back to everything that led to it.

Of a policy, it tells how that was trained (`explain_policy`).

Text from models and data stands behind a bar, nothing else does.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from textwrap import shorten

from selfreward.artifacts.identity import flat_settings
from selfreward.artifacts.manifest import Manifest
from selfreward.artifacts.runs import read_run
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.commands.candidate_lines import candidate_lines, quoted, score_text
from selfreward.commands.explain_list import listing_json, listing_lines
from selfreward.commands.explain_policy import POLICY, policy_json, policy_lines
from selfreward.reading.chain import Explanation, HumanOrigin, RowStory, TrainingSet, explain
from selfreward.reading.fate_words import rule_in_words
from selfreward.reading.prompt_rounds import PolicyName, PromptRound
from selfreward.reading.written_prompts import WrittenStory, draft_in_words
from selfreward.records import Prompt, TrainingRow
from selfreward.report.figures import plural
from selfreward.report.pages import visible
from selfreward.row_kinds import answers_of, candidates_of, facts_of, kind_of
from selfreward.spec import Json, Spec

_OF_MANIFEST = ("stage", "key", "digest", "made", "commit", "versions", "identity", "inputs")
_LONGEST = 60  # characters of a setting


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
        lines = [listing_json(view, parsed.iteration)] if parsed.json else listing_lines(view, parsed.iteration)
    else:
        told = explain(view, parsed.id, parsed.iteration)
        lines = [json.dumps(told, default=_plain, indent=2)] if parsed.json else explanation_lines(told)
    print(*lines, sep="\n")
    return 0


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
        if not told.rounds:
            yield "  sampled in no iteration: it is among the examples for new prompts"
    for written in told.written:
        yield from _written(written)
    for one in told.rounds:
        yield from _round(one, told)


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


def _written(story: WrittenStory) -> Iterator[str]:
    yield from ("", f"Written by {_policy(story.writer)}")
    yield from (_fact(name, value) for name, value in draft_in_words(story.draft))
    yield from quoted(story.draft.text, 2)


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
        yield from candidate_lines(considered, one, told.id)
    yield from _artifacts(one.iteration, one.chain)


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
    return value if isinstance(value, str) else score_text(value)
