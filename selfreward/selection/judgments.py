"""Which answers have their judgments compared, and the pair that the best and the worst judgment of one make."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import variance
from typing import Literal, get_args

from selfreward.artifacts import derive_seed
from selfreward.judge_quality.meta_preferences import Given
from selfreward.judges.base import Item
from selfreward.judges.prompting import Rubric
from selfreward.records import Judgment, PreferencePair, Prompt, digest_of, undrawn
from selfreward.thought import split_thought

AnswerOutcome = Literal["pair", "tie", "undecided", "varies_less", "steady", "too_few"]
_ROUNDING = 1e-9
ANSWER_OUTCOMES: tuple[AnswerOutcome, ...] = get_args(AnswerOutcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAnswer:
    """An answer, and what came of its judgments.

    Of `judgments`, `unscored` state no score, `too_long` have too many tokens, and `repeated` say to the letter what
    another one says; the rest may be compared, and `spread` is the variance of their scores, None of fewer than two.
    `outcome`: a pair; a tie of the best and the worst; undecided, where no comparison has a verdict; not looked at
    because the scores of others vary more, because its own are all the same (`steady`), or because there are too few.
    Of a pair, `best` and `worst` are the repeats of its judgments.
    """

    candidate_id: str
    prompt_id: str
    judgments: int
    unscored: int
    too_long: int
    repeated: int
    spread: float | None
    outcome: AnswerOutcome
    pair_id: str | None = None
    best: int | None = None
    worst: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer, its judgments that may be compared, and how many others there are, by why."""

    item: Item
    usable: Sequence[Judgment]
    left_out: Counter[str]

    @property
    def id(self) -> str:
        """That of the candidate."""
        return self.item[1].id

    @property
    def spread(self) -> float | None:
        """The variance of the scores; None of fewer than two."""
        scores = [one.score for one in self.usable if one.score is not None]
        return variance(scores) if len(scores) > 1 else None

    @property
    def given(self) -> dict[str, Given]:
        """The judgments that may be compared, by their names."""
        return {
            _name(one): Given(score=one.score, length=len(_text(one))) for one in self.usable if one.score is not None
        }

    def told(
        self, outcome: AnswerOutcome, pair_id: str | None = None, best: int | None = None, worst: int | None = None
    ) -> JudgedAnswer:
        """What came of it."""
        return JudgedAnswer(
            candidate_id=self.id,
            prompt_id=self.item[0].id,
            judgments=len(self.usable) + self.left_out.total(),
            unscored=self.left_out["unscored"],
            too_long=self.left_out["too_long"],
            repeated=self.left_out["repeated"],
            spread=self.spread,
            outcome=outcome,
            pair_id=pair_id,
            best=best,
            worst=worst,
        )


def sorted_out(item: Item, judgments: Sequence[Judgment], max_tokens: int) -> Judged:
    """An answer with its `judgments`: those that may be compared, and the others counted."""
    usable: dict[str, Judgment] = {}
    left_out = Counter[str]()
    for one in judgments:
        if one.outcome != "scored":
            left_out["unscored"] += 1
        elif one.usage.completion_tokens > max_tokens:
            left_out["too_long"] += 1
        elif one.raw in usable:
            left_out["repeated"] += 1
        else:
            usable[one.raw] = one
    return Judged(item, list(usable.values()), left_out)


def unasked(one: Judged) -> JudgedAnswer:
    """What comes of an answer that is not looked at."""
    if one.spread is None:
        return one.told("too_few")
    return one.told("varies_less" if one.spread > 0 else "steady")


def most_varied(told: Mapping[str, JudgedAnswer], answers: int, seed: int) -> set[str]:
    """The ids of the `answers` to look at: those whose scores vary most; of those that vary alike a lot decides."""
    luck = random.Random(derive_seed(seed, "answers"))
    varied = [(-one.spread, luck.random(), name) for name, one in told.items() if one.spread]
    return {name for _, _, name in sorted(varied)[:answers]}


def as_items(one: Judged, rubric: Rubric) -> list[Item]:
    """The judgments of an answer as candidates of a prompt: what the judge was asked about the answer.

    The prompt has the id of the answer, since two prompts may differ in what the judge is not shown.
    """
    prompt, candidate = one.item
    request = Prompt(
        id=one.id,
        messages=rubric.ask_about(prompt, candidate.text, explained=True),
        stratum="open",
        source="meta",
        references=(),
        match=None,
    )
    return [(request, undrawn(_name(said), request.id, said.repeat, _text(said))) for said in one.usable]


def concluded(
    one: Judged, strengths: Sequence[Judgment], rubric: Rubric
) -> tuple[JudgedAnswer, PreferencePair | None, float | None]:
    """What came of an answer whose judgments have these `strengths`, its pair, and by how much their scores differ.

    Of equally strong judgments the first drawn counts. The margin of the pair is the difference of strengths.
    """
    strong = {name.candidate_ids[0]: name.score for name in strengths if name.score is not None}
    known = [(strong[_name(said)], said) for said in one.usable if _name(said) in strong]
    if len(known) < 2:
        return one.told("undecided"), None, None
    strongest, best = max(known, key=lambda both: both[0])
    weakest, worst = min(known, key=lambda both: both[0])
    if strongest == weakest:
        return one.told("tie"), None, None
    pair = _pair(one, best, worst, strongest - weakest, rubric)
    assert best.score is not None, "only judgments with a score are compared"
    assert worst.score is not None, "only judgments with a score are compared"
    return one.told("pair", pair.id, best.repeat, worst.repeat), pair, best.score - worst.score


def within_share(pairs: Sequence[PreferencePair], own: int, share: float) -> list[PreferencePair]:
    """Those of `pairs`, in order, that may stand beside `own` other pairs so that they are at most `share` of both.

    The widest margins are kept.
    """
    allowed = int(share / (1 - share) * own + _ROUNDING)
    widest = sorted(pairs, key=lambda pair: (-(pair.margin or 0.0), pair.id))[:allowed]
    kept = {pair.id for pair in widest}
    return [pair for pair in pairs if pair.id in kept]


def _pair(one: Judged, best: Judgment, worst: Judgment, margin: float, rubric: Rubric) -> PreferencePair:
    prompt, candidate = one.item
    return PreferencePair(
        id=digest_of("meta", candidate.id, best.raw, worst.raw),
        prompt_id=prompt.id,
        messages=rubric.ask_about(prompt, candidate.text, explained=True),
        chosen=_text(best),
        rejected=_text(worst),
        origin="meta",
        stratum="open",
        chosen_tokens=best.usage.completion_tokens,
        rejected_tokens=worst.usage.completion_tokens,
        margin=margin,
        chosen_id=candidate.id,
        rejected_id=candidate.id,
        chosen_thought=split_thought(best.raw)[0],
        rejected_thought=split_thought(worst.raw)[0],
    )


def _name(said: Judgment) -> str:
    """What a judgment is called where it is compared."""
    return digest_of("judgment", said.candidate_ids[0], said.repeat)


def _text(said: Judgment) -> str:
    """A judgment without a thought before it."""
    return split_thought(said.raw)[1]
