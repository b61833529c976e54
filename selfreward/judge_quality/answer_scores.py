"""What a judge makes of a policy's answers, as one score an answer that compares across prompts and policies.

Scores that only rank the answers of a prompt have no level that could rise. Of such a judge the score of an answer is
how far it prefers it to the start model's answer to the same prompt.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from statistics import fmean

from selfreward.artifacts import Output, derive_seed
from selfreward.artifacts.output import Advance
from selfreward.artifacts.parquet import in_batches
from selfreward.judge_quality.opinions import write_opinions
from selfreward.judge_quality.verdicts import Labelled
from selfreward.judges.base import Item, Judge, JudgeBase
from selfreward.judges.judge_shard import write_shard
from selfreward.judges.standard import Standard
from selfreward.metrics.sharpening import EvaluatedAnswer
from selfreward.policies import Policy
from selfreward.records import Candidate, Judgment, Outcome, Prompt, digest_of

_SHARD = 32  # prompts
_EVEN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerScore:
    """The score of one answer, the mean of those it got; None where it has none, for the reason in `outcome`."""

    candidate_id: str
    score: float | None
    outcome: Outcome


def items_of(
    prompts: Iterable[Prompt], answers: Mapping[str, Sequence[EvaluatedAnswer]], policy: Policy, seed: int
) -> list[Item]:
    """The `answers` of `policy` by the id of their prompt, as candidates that a judge is shown, prompt by prompt.

    An engine scores their text anew: nobody kept what it knew when it drew them.
    """
    return [(prompt, _candidate(one, policy, seed)) for prompt in prompts for one in answers.get(prompt.id, ())]


def _candidate(answer: EvaluatedAnswer, policy: Policy, seed: int) -> Candidate:
    return Candidate(
        id=digest_of("evaluated", answer.prompt_id, policy.digest, answer.index),
        prompt_id=answer.prompt_id,
        index=answer.index,
        text=answer.text,
        text_hash=digest_of(answer.text),
        finish=answer.finish,
        tokens=answer.tokens,
        logprob=None,
        policy_key=policy.key,
        policy_digest=policy.digest,
        seed=seed,
        thought=answer.thought,
    )


def score_answers(
    out: Output,
    spec: JudgeBase,
    judging: Judge,
    answers: Sequence[Item],
    start: Sequence[Item] | None,
    *,
    standard: Standard | None,
    rows: str,
    seed: int,
    advance: Advance,
) -> tuple[list[AnswerScore], Standard | None]:
    """A score for each of `answers`, in order; those of a prompt stand together, in the order of their index.

    Scores of a judge that standardises them are standardised by `standard`, where there is none by those of these
    answers; what they were standardised by stands beside them, None of any other judge.

    What was said is written shard by shard: table `<rows>_judgments` of Judgment and, of a judge whose scores only rank
    the answers of a prompt, `<rows>_verdicts` of Verdicts. Such a judge is asked about each answer beside that of
    `start`, the start model's in the same order; equal ones are even, unasked, and so are all where `start` is None,
    which says that these are the start model's. Raises StageError as the stage `judge` does.
    """
    if not spec.relative:
        return _scored(out, spec, judging, answers, standard, rows=rows, seed=seed, advance=advance)
    pairs = [] if start is None else list(zip(answers, start, strict=True))
    different = [_meeting(own, other) for own, other in pairs if own[1].text != other[1].text]
    said = write_opinions(
        out,
        spec,
        judging,
        different,
        rows=f"{rows}_verdicts",
        evidence=f"{rows}_judgments",
        seed=seed,
        advance=advance,
    ).said
    found = {one.id: AnswerScore(candidate_id=one.id, score=one.preference, outcome=one.outcome) for one in said}
    even = (AnswerScore(candidate_id=one.id, score=_EVEN, outcome="scored") for _, one in answers)
    return [found.get(one.candidate_id) or one for one in even], None


def _scored(
    out: Output,
    spec: JudgeBase,
    judging: Judge,
    answers: Sequence[Item],
    standard: Standard | None,
    *,
    rows: str,
    seed: int,
    advance: Advance,
) -> tuple[list[AnswerScore], Standard | None]:
    shards: list[tuple[list[Item], list[Judgment]]] = []
    prompts = (list(group) for _, group in groupby(answers, key=lambda item: item[0].id))
    with out.table(Judgment, f"{rows}_judgments") as asked:
        for shard, groups in enumerate(in_batches(prompts, _SHARD)):
            items = list(chain.from_iterable(groups))
            judgments = write_shard(asked, spec, judging.ask, items, derive_seed(seed, shard), advance)
            out.count(tokens=sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in judgments))
            shards.append((items, judgments))
    if judging.standardising is not None:
        standard = standard or judging.standardising.standard_of(one for _, said in shards for one in said)
        judging = judging.standardising.by(standard)
    conclude = judging.conclude or (lambda _, said: [*said])
    return [score for items, said in shards for score in _means(items, conclude(items, said))], standard


def _means(items: Sequence[Item], concluded: Sequence[Judgment]) -> list[AnswerScore]:
    own: dict[str, list[Judgment]] = {candidate.id: [] for _, candidate in items}
    for one in concluded:
        own[one.candidate_ids[0]].append(one)
    made = []
    for candidate_id, judgments in own.items():
        scores = [one.score for one in judgments if one.score is not None]
        outcome = "scored" if scores else judgments[0].outcome
        score = fmean(scores) if scores else None
        made.append(AnswerScore(candidate_id=candidate_id, score=score, outcome=outcome))
    return made


def _meeting(own: Item, other: Item) -> Labelled:
    """An answer and the start model's to the same prompt, as one item that has the answer's id."""
    prompt, answer = own
    assert prompt.id == other[0].id, "answers to the same prompts"
    return Labelled(
        id=answer.id,
        messages=prompt.messages,
        first=answer.text,
        second=other[1].text,
        verdicts=(),
        source=prompt.source,
    )
