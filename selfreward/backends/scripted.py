"""A deterministic fake policy with adjustable skill, diversity and faults: no model, no torch.

It answers from sixteen fixed outcomes a prompt. Outcome 0 of a sum ("What is 3 + 5?") is the right total, the others
are near misses; the outcomes of any other prompt are sentences made of its own words. Draws depend on the policy's
state, the prompt, the seed and the index alone, so nothing changes with batches or shards. Asked to judge an answer, it
replies as `scripted_judge` says; asked for new prompts, as `scripted_writer` does.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Literal, cast

from pydantic import Field

from selfreward.backends.abilities import EngineSpec
from selfreward.backends.base import (
    Advance,
    Answer,
    Backend,
    Completion,
    Conversation,
    NotScored,
    OptionScore,
    OptionScores,
    Prompts,
    Request,
    Sampling,
    TextScore,
    Unfit,
)
from selfreward.backends.scripted_judge import CompareTask, JudgeTask, MetaTask, judge_task
from selfreward.backends.scripted_policy import (
    OUTCOMES,
    outcome_of,
    outcome_text,
    probabilities,
    read_state,
)
from selfreward.backends.scripted_reviser import REFUSAL, ReviserFaults, ReviseTask, revise_task
from selfreward.backends.scripted_writer import WriteTask, invented, write_task
from selfreward.errors import BackendError
from selfreward.policies import Judging, Policy
from selfreward.spec import identity, neutral

_CONTEXT = 2048
_UNKNOWN_LOGPROB = -30.0
_JUDGED_LOGPROB = -5.0


class ScriptedSpec(EngineSpec):
    """Faults to plant, as shares of answers: cut by the token limit, refused, impossible to score.

    `unparsed_share` is that of the judge's replies that state no verdict, `position_bias` that of the comparisons in
    which it takes the answer shown first for the better one, and `score_liking` that of the comparisons of judgments in
    which it takes the one with the higher score for the better one. `revising` are the faults of revisions.
    `malformed_share` is that of its replies with new prompts in which none can be found, `repeated_share` that of its
    new prompts which repeat an example.
    """

    kind: Literal["scripted"] = "scripted"
    cut_share: float = Field(0.0, ge=0, le=1)
    refusal_share: float = Field(0.0, ge=0, le=1)
    unscored_share: float = Field(0.0, ge=0, le=1)
    unscored_outcome: Literal["unparsed", "refused", "truncated", "failed"] = "truncated"
    unparsed_share: float = neutral(0.0, ge=0, le=1)
    position_bias: float = neutral(0.0, ge=0, le=1)
    revising: ReviserFaults = neutral(ReviserFaults())
    malformed_share: float = neutral(0.0, ge=0, le=1)
    repeated_share: float = neutral(0.0, ge=0, le=1)
    score_liking: float = neutral(0.0, ge=0, le=1)

    def open(self, policy: Judging) -> "ScriptedBackend":
        """A backend that holds a model folder."""
        assert isinstance(policy, Policy)
        return ScriptedBackend(self, policy)


class ScriptedBackend(Backend):
    """The scripted policy as a Backend."""

    _spec: ScriptedSpec
    _policy: Policy

    @property
    def identity(self) -> Mapping[str, str | int | float | bool]:
        """The planted faults, and a version to raise when the script changes."""
        return cast(dict[str, str | int | float | bool], {"version": 1, **identity(self._spec)})

    def _generate(self, requests: Sequence[Request], advance: Advance) -> list[list[list[Completion]]]:
        return [
            self._user_turns(one, advance)
            if one.opens == "user"
            else self._answers(one.prompts, one.sampling, one.seed, advance)
            for one in requests
        ]

    def _user_turns(self, asked: Request, advance: Advance) -> list[list[Completion]]:
        written = []
        for messages in asked.prompts:
            before = "\n".join(one.content for one in messages)
            lucks = [f"{asked.seed}|{index}|{before}" for index in range(asked.sampling.k)]
            written.append(
                [self._completion(before, invented(luck), _UNKNOWN_LOGPROB, _uniforms(luck)) for luck in lucks]
            )
            advance(asked.sampling.k)
        return written

    def _answers(self, prompts: Prompts, sampling: Sampling, seed: int, advance: Advance) -> list[list[Completion]]:
        state = read_state(self._policy.path)
        greedy = sampling.temperature == 0
        ends = list(accumulate(probabilities(state, sampling.temperature or 1.0)))
        plain = [math.log(max(value, 1e-12)) for value in probabilities(state)]
        best = plain.index(max(plain))
        answers = []
        for messages in prompts:
            question = messages[-1].content
            revising = revise_task(question)
            task = judge_task(question)
            writing = write_task(question) if task is None else None
            if len(question.split()) + sampling.max_new_tokens > _CONTEXT:
                raise BackendError(
                    f"a prompt of {len(question.split())} tokens and an answer of {sampling.max_new_tokens} do not fit "
                    f"the context of {_CONTEXT} tokens: shorten the prompt or lower max_new_tokens"
                )
            drawn = []
            for index in range(sampling.k):
                luck = _uniforms(f"{seed}|{index}|{question}")
                if revising is not None:
                    drawn.append(self._revision(revising, len(question.split())))
                    continue
                if writing is not None:
                    text, logprob = self._written(writing, f"{luck[0]}|{question}"), _UNKNOWN_LOGPROB
                elif task is None:
                    outcome = best if greedy else next((i for i, end in enumerate(ends) if luck[0] < end), OUTCOMES - 1)
                    text, logprob = outcome_text(question, outcome), plain[outcome]
                else:
                    text, logprob = self._verdict(task, question, luck, greedy=greedy), _JUDGED_LOGPROB
                drawn.append(self._completion(question, text, logprob, luck))
            answers.append(drawn)
            advance(sampling.k)
        return answers

    def _verdict(self, task: JudgeTask | CompareTask, question: str, luck: list[float], *, greedy: bool) -> str:
        unparsed = _uniforms(f"unparsed|{luck[0]}|{question}")[0] < self._spec.unparsed_share
        lot = None if greedy else luck[0]
        if isinstance(task, CompareTask):
            return task.reply(merit=self._merit(task, question), luck=lot, unparsed=unparsed)
        return task.reply(right=_is_right(task.question, task.answer), luck=lot, unparsed=unparsed)

    def _revision(self, task: ReviseTask, prompt_tokens: int) -> Completion:
        """A critique or a revision; what goes wrong hangs on question and answer alone, so that both fare alike."""
        luck = _uniforms(f"revise|{task.question}|{task.answer}")
        fault, in_critique = self._spec.revising.planted(luck[0], luck[1])
        text, cut = task.reply(outcome_text(task.question, 0), fault, in_critique=in_critique)
        tokens = len(text.split()) + (not cut)
        return Completion(
            text=text,
            finish="length" if cut else "stop",
            tokens=tokens,
            token_logprobs=(_JUDGED_LOGPROB, *(0.0,) * (tokens - 1)),
            prompt_tokens=prompt_tokens,
        )

    def _written(self, task: WriteTask, luck: str) -> str:
        malformed = _uniforms(f"malformed|{luck}")[0] < self._spec.malformed_share
        return task.reply(luck, malformed=malformed, repeated_share=self._spec.repeated_share)

    def _merit(self, task: CompareTask, question: str) -> float:
        """How much better the first answer is, or seems to a judge who goes by the order: -1 to 1."""
        if _uniforms(f"position|{question}")[0] < self._spec.position_bias:
            return 1.0
        if isinstance(task, MetaTask):
            liked = _uniforms(f"liking|{task.request}|{sorted((task.first, task.second))}")[0] < self._spec.score_liking
            return task.lead() if liked else task.merit(right=_is_right(task.judged.question, task.judged.answer))
        return float(_is_right(task.question, task.first) - _is_right(task.question, task.second))

    def _completion(self, question: str, text: str, logprob: float, luck: list[float]) -> Completion:
        if luck[1] < self._spec.refusal_share:
            text, logprob = REFUSAL, _UNKNOWN_LOGPROB
        cut = luck[2] < self._spec.cut_share
        tokens = len(text.split()) + (not cut)
        return Completion(
            text=text[:-1] if cut else text,
            finish="length" if cut else "stop",
            tokens=tokens,
            # The first token decides which answer it is, the others follow from it.
            token_logprobs=(logprob, *(0.0,) * (tokens - 1)),
            prompt_tokens=len(question.split()),
        )

    def _score(self, answers: Sequence[Answer], advance: Advance) -> list[TextScore | NotScored]:
        plain = [math.log(max(value, 1e-12)) for value in probabilities(read_state(self._policy.path))]
        results: list[TextScore | NotScored] = []
        for answer in answers:
            question = answer.messages[-1].content
            if _uniforms(f"score|{question}|{answer.text}")[0] < self._spec.unscored_share:
                results.append(NotScored(outcome=self._spec.unscored_outcome, reason="planted fault"))
            else:
                outcome = outcome_of(question, answer.text)
                logprob = _UNKNOWN_LOGPROB if outcome is None else plain[outcome]
                tokens = len(f"{answer.thought or ''}{answer.text}".split()) + answer.ended
                # As in what it draws: the first token decides which answer it is.
                told = (logprob, *(0.0,) * (tokens - 1))[:tokens]
                length = len(question.split())
                results.append(TextScore(logprob=logprob, tokens=tokens, prompt_tokens=length, token_logprobs=told))
            advance(1)
        return results

    def _score_options(self, prompts: Prompts, options: Sequence[str], advance: Advance) -> OptionScores:
        """Random options, the same for the same prompt, or as a judge of the answer sees them."""
        results: OptionScores = []
        for messages in prompts:
            # A judge that gave its reasons is asked for the verdict behind them: what it judges stands before.
            shown = (one.content for one in reversed(messages) if judge_task(one.content) is not None)
            question = next(shown, messages[-1].content)
            task = judge_task(question)
            unparsed = _uniforms(f"unparsed|{question}")[0] < self._spec.unparsed_share
            if isinstance(task, JudgeTask) and all(option.isdecimal() for option in options):
                right = _is_right(task.question, task.answer)
                logprobs = task.logprobs(options, right=right, unparsed=unparsed)
            elif isinstance(task, CompareTask) and len(options) == 3:
                logprobs = task.logprobs(merit=self._merit(task, question), unparsed=unparsed)
            else:
                weights = [0.05 + _uniforms(f"option|{question}|{option}")[0] for option in options]
                logprobs = tuple(math.log(weight / (sum(weights) + 1)) for weight in weights)
            results.append(OptionScore(logprobs=logprobs, prompt_tokens=len(question.split())))
            advance(1)
        return results

    def why_unfit(self, messages: Conversation, room: int = 1) -> Unfit | None:
        """A script takes any conversation whose last turn leaves room for the answer."""
        words = len(messages[-1].content.split())
        if words + room <= _CONTEXT:
            return None
        return Unfit("prompt_too_long", f"its {words} words leave no room for an answer of {room} in {_CONTEXT}")

    def _count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words of each text and the end of turn."""
        return [len(text.split()) + 1 for text in texts]


def _is_right(question: str, text: str) -> bool:
    return outcome_of(question, text) == 0


def _uniforms(name: str) -> list[float]:
    """Three numbers in [0, 1) that depend on `name` alone."""
    digest = hashlib.sha256(name.encode()).digest()
    return [int.from_bytes(digest[start : start + 8], "big") / 2**64 for start in (0, 8, 16)]
