"""Pairs to read: where a judge and people differ, and where it flips. All text here comes from data or models."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from selfreward.data.roles import question_text
from selfreward.judge_quality.verdicts import Judged, Labelled, Verdicts, as_candidates
from selfreward.judges.both_orders import preference_of
from selfreward.labels.kinds import KindOfPrompt, against_people
from selfreward.records import Judgment
from selfreward.report.figures import share
from selfreward.report.markup import Markup, element, joined
from selfreward.report.tables import table
from selfreward.report.unread import Unread

_FLIPS, _OF_A_KIND = 6, 3
_WORDS = {"first": "the first", "second": "the second", "tie": "neither"}


def flips(judged: Sequence[Judged], judgments: Iterable[Judgment]) -> Markup:
    """The first pairs whose verdict changed with the order, with the reply in each order."""
    flipped = [(item, said) for item, said in judged if said.flipped]
    if not flipped:
        compared = any(said.flipped is False for _, said in judged)
        told = "No verdict changed." if compared else "Its verdicts are no comparisons in both orders."
        return element("p", told, class_="empty")
    replies: defaultdict[str, list[Judgment]] = defaultdict(list)
    for one in judgments:
        if len(one.candidate_ids) == 2:
            replies[one.prompt_id].append(one)
    told = f"{len(flipped):,} of {len(judged):,} pairs; the first {min(len(flipped), _FLIPS)} of them."
    parts = [_article(item, said, _orders(item, replies[item.id])) for item, said in flipped[:_FLIPS]]
    return joined([element("p", told, class_="intro"), *parts])


def disagreements(judged: Sequence[Judged], kind_of: Mapping[str, str], kinds: Sequence[KindOfPrompt]) -> Markup:
    """A table of kinds of prompt, and of each kind the pairs on which the judge is furthest from most people."""
    against: defaultdict[str, list[Judged]] = defaultdict(list)
    for pair in judged:
        if against_people(pair):
            against[kind_of[pair[0].id]].append(pair)
    rows = [
        (one.kind, f"{one.items:,}", f"{one.judged:,}", f"{one.against:,}", share(one.against / one.judged))
        for one in kinds
        if one.judged
    ]
    if not rows:
        return element("p", "On no pair is there both a verdict and a majority of people.", class_="empty")
    examples = [
        element(
            "details",
            element("summary", f"{one.kind}: {min(_OF_A_KIND, one.against)} of {one.against:,}"),
            *(_article(item, said, []) for item, said in _furthest(against[one.kind])),
        )
        for one in kinds
        if one.against
    ]
    return joined([table(("kind of prompt", "pairs", "judged", "against people", "share"), rows), *examples])


def unread(items: Iterable[Labelled], judgments: Iterable[Judgment]) -> Iterator[Unread]:
    """What could not be read of the judgments of labelled pairs."""
    by_id = {item.id: item for item in items}
    for one in judgments:
        if one.outcome != "scored":
            item = by_id[one.prompt_id]
            sides = [_WORDS[side] for side in _sides(item, one)]
            about = f"{' before '.join(sides)} answer" if len(sides) == 2 else f"{sides[0]} answer"
            yield Unread(one.outcome, about, question_text(item.messages), one.raw)


def _furthest(pairs: Sequence[Judged]) -> list[Judged]:
    return sorted(pairs, key=lambda pair: -abs((pair[1].preference or 0.0) - 0.5))[:_OF_A_KIND]


def _article(item: Labelled, said: Verdicts, replies: Sequence[Markup]) -> Markup:
    votes = Counter(item.verdicts)
    people = ", ".join(f"{votes[side]} for {_WORDS[side]}" for side in sorted(votes)) or "nobody was asked"
    judge = "no verdict" if said.preference is None else f"{share(said.preference)} for the first"
    return element(
        "article",
        element("p", f"People: {people}. Judge: {judge}.", class_="eyebrow"),
        element("p", question_text(item.messages), class_="said asked", dir="auto"),
        element(
            "div",
            _column(_title("First", item.first_author), item.first),
            _column(_title("Second", item.second_author), item.second),
            class_="answers",
        ),
        element("div", *replies, class_="answers") if replies else "",
    )


def _title(place: str, author: str | None) -> str:
    return f"{place} answer" if author is None else f"{place} answer, by {author}"


def _orders(item: Labelled, judgments: Iterable[Judgment]) -> list[Markup]:
    """The reply in each order, and what was read from it."""
    shown_first = [(_sides(item, one)[0], one) for one in judgments]
    return [
        _column(f"Asked with {_WORDS[side]} answer before the other: {_verdict(item, one)}", one.raw)
        for side, one in sorted(shown_first, key=lambda pair: pair[0])
    ]


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


def _column(title: str, text: str) -> Markup:
    return element(
        "div",
        element("p", title, class_="who"),
        element("p", text or "(nothing)", class_="said", dir="auto"),
        class_="answer",
    )
