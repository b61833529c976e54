"""An explanation as plain text, from the top down. Text from models and data stands behind a bar, nothing else does."""

from collections import Counter
from collections.abc import Iterator, Sequence
from textwrap import shorten

from selfreward.artifacts.identity import flat_settings
from selfreward.reading.chain import Explanation, HumanOrigin, RowStory, TrainingSet, candidates_of
from selfreward.reading.prompt_rounds import Considered, Link, PolicyName, PromptRound
from selfreward.records import Example, Judgment, PreferencePair, Prompt
from selfreward.report.fates import fate_in_words, rule_in_words
from selfreward.report.figures import plural
from selfreward.report.markup import visible
from selfreward.spec import Json

_BAR = "│ "
_LONGEST = 60  # characters of a setting


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
    row = story.row
    yield from ("", f"Training row {row.id}")
    yield from _facts(
        [
            (
                "kind",
                "example: one answer to train on" if isinstance(row, Example) else "pair: one answer over another",
            ),
            ("origin", _origin(row)),
            ("came in", f"iteration {row.iteration}"),
            *[("trained", _training_set(one)) for one in story.sets],
            *_amounts(row),
        ]
    )
    if story.human is not None:
        yield from _human(story.human)
    if story.human is not None and not candidates_of(row):
        yield from _texts([(message.role, message.content) for message in row.messages])
    if isinstance(row, Example):
        yield from _texts(_with_thought("answer", row.text, row.thought))
    else:
        yield from _texts(_with_thought("chosen", row.chosen, row.chosen_thought))
        yield from _texts(_with_thought("rejected", row.rejected, row.rejected_thought))
    if story.human is not None and not candidates_of(row):
        yield from _artifacts(story.human.spent.iteration, story.human.chain)


def _texts(texts: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, text in texts:
        yield f"  {name}"
        yield from quoted(text, 4)


def _with_thought(name: str, text: str, thought: str | None) -> list[tuple[str, str]]:
    said = [(name, text)]
    return said if thought is None else [(f"thought before {name}", thought), *said]


def _origin(row: Example | PreferencePair) -> str:
    if row.origin == "self":
        return "self: the policy's own"
    if isinstance(row, PreferencePair) and row.rejected_id is not None:
        return "human: a person's answer over one of the policy"
    return "human: written by people"


def _amounts(row: Example | PreferencePair) -> list[tuple[str, str]]:
    if isinstance(row, Example):
        made_of = [] if row.candidate_id is None else [("candidate", row.candidate_id)]
        return [*made_of, ("score", _score(row.score)), ("tokens", f"{row.tokens}")]
    return [
        ("chosen", f"{row.chosen_id or 'by people'}, {row.chosen_tokens} tokens"),
        ("rejected", f"{row.rejected_id or 'by people'}, {row.rejected_tokens} tokens"),
        ("margin", _score(row.margin)),
    ]


def _training_set(one: TrainingSet) -> str:
    kept = "" if one.iteration == one.came_in else f", kept from iteration {one.came_in}"
    policy = "no policy yet" if one.policy_key is None else f"M{one.iteration + 1}, update/{one.policy_key}"
    return f"{policy}; as one of {plural(one.rows, 'row')} of mix/{one.key} (digest {one.digest}){kept}"


def _human(origin: HumanOrigin) -> Iterator[str]:
    mixing, data = origin.mixing, origin.source.get("data")
    kind = data.get("kind") if isinstance(data, dict) else None
    uses, asked = mixing.max_uses, mixing.real_share_asked
    once = "once and for all" if uses == 1 else f"which may happen {uses} times"
    yield from _facts(
        [
            ("source", f"data={kind}, role {origin.role}; fingerprint of its content {origin.source.get('content')}"),
            ("spent", f"in iteration {origin.spent.iteration}, {once}; {origin.spent.tokens} tokens"),
            ("real share", f"{mixing.real_share:.1%} of {mixing.unit}, {asked:.1%} asked: {visible(origin.why)}"),
            ("pool", f"{mixing.human_rows_drawn} drawn that round, {mixing.human_rows_left} left"),
        ]
    )


def _prompt(prompt: Prompt) -> Iterator[str]:
    compared = "not compared" if prompt.match is None else f"compared as {prompt.match}"
    yield from ("", f"Prompt {prompt.id}")
    yield f"  {prompt.stratum}, from {visible(prompt.source)}, {compared} with its references"
    yield from _texts([(message.role, message.content) for message in prompt.messages])
    yield from _texts([("reference", reference) for reference in prompt.references])


def _round(one: PromptRound, told: Explanation) -> Iterator[str]:
    yield from ("", f"Iteration {one.iteration}: {plural(len(one.candidates), 'candidate')} of {_policy(one.policy)}")
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
    yield f"     log-probability {candidate.logprob:.4f} nats, seed {candidate.seed}, policy {candidate.policy_digest}"
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


def _artifacts(iteration: int, chain: Sequence[Link]) -> Iterator[str]:
    yield from ("", f"  Artifacts of iteration {iteration}, each made from some of those above it")
    for link in chain:
        seed = "" if link.seed is None else f", seed {link.seed}"
        yield f"    store/{link.stage}/{link.key}  digest {link.digest}, version {link.version}{seed}"
        versions = ", ".join(f"{name} {version}" for name, version in sorted(link.versions.items()))
        yield f"      made {link.made}, commit {link.commit or 'not known'}, {versions}"
        for kind in ("spec", "engine"):
            if told := _settings(link.identity.get(kind)):
                yield f"      {'settings' if kind == 'spec' else kind} {told}"


def _settings(value: Json) -> str:
    """Settings on one line; long texts, such as rubrics, by their start."""
    given = {name: str(one) for name, one in flat_settings(value).items() if one is not None}
    return ", ".join(f"{name}={visible(shorten(one, _LONGEST, placeholder='…'))}" for name, one in given.items())


def _policy(one: PolicyName) -> str:
    name = "a model from outside this run" if one.number is None else f"M{one.number}"
    return f"{name} (key {one.key}, digest {one.digest})"


def _facts(facts: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, value in facts:
        yield f"  {name:<11}{value}"


def _score(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
