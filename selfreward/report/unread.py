"""Replies that state no verdict, in full. All text here comes from data or models and is hostile."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from selfreward.records import Outcome
from selfreward.report.markup import Markup, element, joined

_MOST = 40


@dataclass(frozen=True, slots=True)
class Unread:
    """One judgment without a verdict: why, what it was about in a few words, what was asked, and the reply."""

    outcome: Outcome
    about: str
    question: str
    reply: str


def replies(found: Iterable[Unread]) -> Markup:
    """Each different reply once, the most frequent first; how many are not shown is told."""
    same: defaultdict[tuple[Outcome, str], list[Unread]] = defaultdict(list)
    for one in found:
        same[one.outcome, one.reply].append(one)
    if not same:
        return element("p", "Every judgment has a verdict.", class_="empty")
    ranked = sorted(same.values(), key=lambda ones: -len(ones))
    parts = [_reply(ones) for ones in ranked[:_MOST]]
    counts = Counter(one.outcome for ones in ranked for one in ones)
    told = ", ".join(f"{outcome} {count:,}" for outcome, count in counts.most_common())
    hidden = ranked[_MOST:]
    rest = f" Not shown: {len(hidden):,} of them, given {sum(map(len, hidden)):,} times." if hidden else ""
    return joined([element("p", f"{told}; {len(ranked):,} different.{rest}", class_="intro"), *parts])


def _reply(ones: list[Unread]) -> Markup:
    first = ones[0]
    times = f", {len(ones):,} times, first" if len(ones) > 1 else ""
    return element(
        "article",
        element("p", f"{first.outcome}{times} about {first.about} to:", class_="eyebrow"),
        element("p", first.question, class_="said hint", dir="auto"),
        element("pre", first.reply or "(nothing)", dir="auto"),
    )
