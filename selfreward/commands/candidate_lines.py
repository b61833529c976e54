"""One candidate as `selfreward explain` tells it: its fate, its text, the attempts to revise it, its judgments."""

from collections.abc import Iterator

from selfreward.reading.fate_words import fate_in_words
from selfreward.reading.prompt_rounds import Considered, PromptRound
from selfreward.records import Judgment
from selfreward.report.figures import plural
from selfreward.report.pages import visible
from selfreward.revisions import Revision, called, texts_of

_BAR = "│ "


def quoted(text: str, indent: int) -> Iterator[str]:
    """Text from outside, each line behind a bar, so that it can neither move the cursor nor pass for ours."""
    for line in (text or "(nothing)").split("\n"):
        yield f"{' ' * indent}{_BAR}{visible(line)}"


def candidate_lines(one: Considered, told: PromptRound, asked: str) -> Iterator[str]:
    """The lines of a candidate of a round; the one with the id `asked` is marked."""
    candidate = one.candidate
    mark = "  <- asked for" if candidate.id == asked else ""
    yield from ("", f"  {called(candidate)} {fate_in_words(one, told)}{mark}")
    ended = "ended by itself" if candidate.finish == "stop" else "cut by the token limit"
    of = "" if candidate.revises is None else f", revises {candidate.revises}"
    yield f"     candidate {candidate.id}, {plural(candidate.tokens, 'token')}, {ended}{of}"
    likely = "not told" if candidate.logprob is None else f"{candidate.logprob:.4f} nats"
    policies = told.drawers if one.reviser is None else [one.reviser]
    number = next(policy.number for policy in policies if policy.digest == candidate.policy_digest)
    drawer = candidate.policy_digest if number is None else f"M{number} {candidate.policy_digest}"
    yield f"     log-probability {likely}, seed {candidate.seed}, policy {drawer}"
    if candidate.thought is not None:
        yield "     thought"
        yield from quoted(candidate.thought, 7)
        yield "     answer"
    yield from quoted(candidate.text, 5 if candidate.thought is None else 7)
    for attempt in one.attempts:
        yield from _attempt(attempt)
    for number, judgment in enumerate(one.judgments, start=1):
        yield from _judgment(judgment, number, len(one.judgments), candidate.id)


def _attempt(one: Revision) -> Iterator[str]:
    """An attempt to revise: what came of it, by which principle, and what was said."""
    seeds = f"seeds {one.critique_seed} and {one.revision_seed}"
    yield f"     revision {one.round + 1}: {one.outcome}, principle {visible(one.principle)}, {seeds}"
    for name, text in texts_of(one):
        yield f"       {name}"
        yield from quoted(text, 9)


def _judgment(one: Judgment, number: int, of: int, candidate_id: str) -> Iterator[str]:
    verdict = "" if one.verdict is None else f", verdict {one.verdict}"
    score = "" if one.score is None else f" {score_text(one.score)}"
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


def score_text(value: float | None) -> str:
    """A score or a margin to four digits; what is missing is told."""
    return "none" if value is None else f"{value:.4f}"
