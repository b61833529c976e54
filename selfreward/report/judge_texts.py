"""What a judge was asked and said, to read: flips, pairs against people, replies without a verdict; all hostile."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from selfreward.data.roles import question_text
from selfreward.judge_quality.verdicts import Judged, Labelled, Verdicts, as_candidates
from selfreward.judges.both_orders import preference_of
from selfreward.labels.kinds import KindOfPrompt, against_people
from selfreward.records import Judgment, Outcome
from selfreward.report.figures import share

_FLIPS, _OF_A_KIND, _REPLIES = 6, 3, 40
_WORDS = {"first": "the first", "second": "the second", "tie": "neither"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A labelled pair: what people and the judge say, the question, its answers and the judge's replies with titles."""

    told: str
    question: str
    answers: Sequence[tuple[str, str]]
    replies: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Unread:
    """One judgment without a verdict: why, what it was about in a few words, what was asked, and the reply."""

    outcome: Outcome
    about: str
    question: str
    reply: str


Flips = tuple[str, list[Pair]]
Replies = tuple[str, list[tuple[str, Unread]]]


def flips(judged: Sequence[Judged], judgments: Iterable[Judgment]) -> Flips:
    """A sentence, and the first pairs whose verdict changed with the order, with the reply in each order."""
    flipped = [(item, said) for item, said in judged if said.flipped]
    if not flipped:
        compared = any(said.flipped is False for _, said in judged)
        return "No verdict changed." if compared else "Its verdicts are no comparisons in both orders.", []
    replies: defaultdict[str, list[Judgment]] = defaultdict(list)
    for one in judgments:
        if len(one.candidate_ids) == 2:
            replies[one.prompt_id].append(one)
    told = f"{len(flipped):,} of {len(judged):,} pairs; the first {min(len(flipped), _FLIPS)} of them."
    return told, [_pair(item, said, replies[item.id]) for item, said in flipped[:_FLIPS]]


def against(
    judged: Sequence[Judged], kind_of: Mapping[str, str], kinds: Iterable[KindOfPrompt]
) -> list[tuple[KindOfPrompt, list[Pair]]]:
    """Of each kind of prompt, the pairs on which the judge is furthest from most people, if it is against them."""
    found: defaultdict[str, list[Judged]] = defaultdict(list)
    for pair in sorted(judged, key=lambda pair: -abs((pair[1].preference or 0.0) - 0.5)):
        if against_people(pair):
            found[kind_of[pair[0].id]].append(pair)
    return [(one, [_pair(*pair) for pair in found[one.kind][:_OF_A_KIND]]) for one in kinds if one.against]


def unread(items: Iterable[Labelled], judgments: Iterable[Judgment]) -> Iterator[Unread]:
    """What could not be read of the judgments of labelled pairs."""
    by_id = {item.id: item for item in items}
    for one in judgments:
        if one.outcome != "scored":
            item = by_id[one.prompt_id]
            sides = " before ".join(_WORDS[side] for side in _sides(item, one))
            yield Unread(one.outcome, f"{sides} answer", question_text(item.messages), one.raw)


def replies(found: Iterable[Unread]) -> Replies:
    """How many there are, and each different reply once, the most frequent first, with what is told of it."""
    same: defaultdict[tuple[Outcome, str], list[Unread]] = defaultdict(list)
    for one in found:
        same[one.outcome, one.reply].append(one)
    if not same:
        return "Every judgment has a verdict.", []
    ranked = sorted(same.values(), key=lambda ones: -len(ones))
    counts = Counter(one.outcome for ones in ranked for one in ones)
    told = f"{', '.join(f'{outcome} {count:,}' for outcome, count in counts.most_common())}; {len(ranked):,} different."
    if hidden := ranked[_REPLIES:]:
        told += f" Not shown: {len(hidden):,} of them, given {sum(map(len, hidden)):,} times."
    shown = []
    for first, *more in ranked[:_REPLIES]:
        times = f", {len(more) + 1:,} times, first" if more else ""
        shown.append((f"{first.outcome}{times} about {first.about} to:", first))
    return told, shown


def _pair(item: Labelled, said: Verdicts, judgments: Iterable[Judgment] = ()) -> Pair:
    votes = Counter(item.verdicts)
    people = ", ".join(f"{votes[side]} for {_WORDS[side]}" for side in sorted(votes)) or "nobody was asked"
    judge = "no verdict" if said.preference is None else f"{share(said.preference)} for the first"
    answers = []
    for place, author, text in (("First", item.first_author, item.first), ("Second", item.second_author, item.second)):
        answers.append((f"{place} answer" + ("" if author is None else f", by {author}"), text))
    in_order = sorted(((_sides(item, one)[0], one) for one in judgments), key=lambda pair: pair[0])
    replies = []
    for side, one in in_order:
        replies.append((f"Asked with {_WORDS[side]} answer before the other: {_verdict(item, one)}", one.raw))
    return Pair(f"People: {people}. Judge: {judge}.", question_text(item.messages), answers, replies)


def _verdict(item: Labelled, judgment: Judgment) -> str:
    preference = preference_of(judgment)
    if preference is None:
        return str(judgment.outcome)
    swapped = _side_of(item)[judgment.candidate_ids[0]] == "second"
    for_first = 1 - preference if swapped else preference
    if judgment.verdict is None:
        return f"{share(for_first)} for the first"
    return "neither is better" if for_first == 0.5 else f"{'the first' if for_first > 0.5 else 'the second'} is better"


def _sides(item: Labelled, judgment: Judgment) -> list[str]:
    """Which answers a judgment is about, `first` or `second` of the item, in the order they were shown."""
    side_of = _side_of(item)
    return [side_of[judgment.candidate_ids[place]] for place in judgment.order]


def _side_of(item: Labelled) -> dict[str, str]:
    return {one.id: "first" if one.text == item.first else "second" for _, one in as_candidates([item], seed=0)}
