"""A round of writing: replies are drawn, read and filtered until enough prompts are kept, or no more may be drawn."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from selfreward.artifacts import derive_seed
from selfreward.artifacts.output import Advance, Table
from selfreward.backends.base import Backend, Completion, Conversation, Reply, Request, Sampling
from selfreward.policies import Judging
from selfreward.records import Message, Prompt, make_prompt
from selfreward.writing.drafts import Draft, alone, listed
from selfreward.writing.filters import Filters, LeftOut, Text, asked_filters
from selfreward.writing.requests import request_for_prompts, request_for_verdict, verdict_in
from selfreward.writing.rows import OwnPrompt, WrittenPrompt
from selfreward.writing.settings import AnyWriter, Magpie, SelfInstruct

_VERDICT_TOKENS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A draft: number `place` in reply number `reply` of the round, drawn behind the `examples` of these ids."""

    draft: Draft
    reply: int
    tokens: int
    place: int
    examples: tuple[str, ...]


@dataclass(kw_only=True)
class Writer:
    """Writes the new prompts of a round; `backend` holds the policy `writer`.

    `given` are the training prompts that serve as examples, `own` the new prompts of earlier rounds. `system` is the
    turn that goes before each new prompt, empty for none.
    """

    spec: AnyWriter
    seed: int
    round: int
    backend: Backend
    writer: Judging
    given: Sequence[OwnPrompt]
    own: Sequence[OwnPrompt]
    system: str
    filters: Filters
    kept: list[WrittenPrompt] = field(default_factory=list)
    replies: int = 0

    def write(self, table: Table[WrittenPrompt], advance: Advance) -> list[WrittenPrompt]:
        """Every draft of the round in order, written to `table`, a shard a call of the engine.

        A shard hangs on those before it and on the seed alone, so that a round that was ended in the middle goes on as
        it would have gone. Ends with `spec.budget` prompts that are kept, or after `spec.max_draws` replies.
        """
        drafts: list[WrittenPrompt] = []
        shard = 0
        while len(self.kept) < self.spec.budget and self.replies < self.spec.max_draws:
            # A reply may bring a prompt: more of them than prompts are missing would be drawn for nothing.
            count = min(self.spec.batch, self.spec.max_draws - self.replies, self.spec.budget - len(self.kept))
            rows = table.shard(partial(self._batch, derive_seed(self.seed, "write", shard), count))
            drafts += rows
            self.kept += [one for one in rows if one.fate == "kept"]
            self.filters.know(*(Text(one.id, one.text, "new") for one in rows if one.asked_about))
            self.replies += count
            shard += 1
            advance(count)
        return drafts

    def prompt_of(self, text: str) -> Prompt:
        """The prompt that a new text makes: open, without references."""
        return make_prompt(text, system=self.system, stratum="open", source=f"written/{self.spec.kind}")

    def _batch(self, seed: int, count: int) -> list[WrittenPrompt]:
        """What becomes of the drafts in `count` replies, drawn under `seed`."""
        drafts = list(self._draw(seed, count))
        reasons = {number: self._left_out(one.draft) for number, one in enumerate(drafts)}
        passed = {number: drafts[number].draft.text for number, reason in reasons.items() if reason is None}
        said = self._answerable(seed, passed)
        reasons |= {number: LeftOut(by="answerable") for number, answer in said.items() if answer is False}
        room = self.spec.budget - len(self.kept)
        rows = []
        for number, one in enumerate(drafts):
            reason = reasons[number]
            unread = number in said and said[number] is None
            rows.append(self._row(one, seed, reason, over=room <= 0, why="unread" if unread else None))
            room -= reason is None
        return rows

    def _left_out(self, draft: Draft) -> LeftOut | None:
        """The first filter that a draft does not pass; one that passes is known to the drafts after it."""
        reason = self.filters.left_out(draft)
        if reason is None:
            self.filters.know(Text(self.prompt_of(draft.text).id, draft.text, "new"))
        return reason

    def _row(self, one: _Found, seed: int, reason: LeftOut | None, *, over: bool, why: str | None) -> WrittenPrompt:
        filters = asked_filters(self.spec)
        return WrittenPrompt(
            id=self.prompt_of(one.draft.text).id,
            text=one.draft.text,
            fate=reason.by if reason is not None else "over_budget" if over else "kept",
            why=why if reason is None else reason.why,
            passed=tuple(filters if reason is None else filters[: filters.index(reason.by)]),
            other_id=None if reason is None else reason.other_id,
            similarity=None if reason is None else reason.similarity,
            examples=one.examples,
            writer_key=self.writer.key,
            writer_digest=self.writer.digest,
            seed=seed,
            reply=one.reply,
            reply_tokens=one.tokens,
            place=one.place,
            round=self.round,
        )

    def _draw(self, seed: int, count: int) -> Iterator[_Found]:
        """The drafts in so many replies of the writer."""
        if isinstance(self.spec, Magpie):
            before: Conversation = (Message(role="system", content=self.system),) if self.system else ()
            asked = Request(prompts=[before], sampling=self._sampling(count), seed=seed, opens="user")
            ((turns,),) = self.backend.generate_all([asked], _untold)
            for number, turn in enumerate(turns):
                yield from self._found(number, turn, alone(turn), [])
            return
        examples = [self._examples(self.spec, derive_seed(seed, number)) for number in range(count)]
        conversations = [request_for_prompts([one.text for one in some], self.spec.per_reply) for some in examples]
        drawn: list[Sequence[Reply]] = self.backend.generate_each(conversations, self._sampling(1), seed, _untold)
        for number, (some, (reply,)) in enumerate(zip(examples, drawn, strict=True)):
            yield from self._found(number, reply, listed(reply), some)

    def _found(
        self, number: int, reply: Reply, drafts: Sequence[Draft], examples: Sequence[OwnPrompt]
    ) -> Iterator[_Found]:
        ids, tokens = tuple(one.id for one in examples), reply.tokens if isinstance(reply, Completion) else 0
        for place, draft in enumerate(drafts):
            yield _Found(draft=draft, reply=self.replies + number, tokens=tokens, place=place, examples=ids)

    def _examples(self, spec: SelfInstruct, seed: int) -> list[OwnPrompt]:
        """The examples of one reply in the order in which they are shown, drawn without replacement."""
        luck = random.Random(seed)
        earlier = [*self.own, *(OwnPrompt(id=one.id, text=one.text, round=self.round) for one in self.kept)]
        own = luck.sample(earlier, min(spec.own_examples, len(earlier)))
        some = [*own, *luck.sample(self.given, min(spec.examples - len(own), len(self.given)))]
        luck.shuffle(some)
        return some

    def _answerable(self, seed: int, texts: Mapping[int, str]) -> dict[int, bool | None]:
        """What the writer says of each text: whether it can be answered, None where it does not say."""
        if not self.spec.answerable or not texts:
            return {}
        sampling = Sampling(k=1, temperature=0.0, top_p=1.0, max_new_tokens=_VERDICT_TOKENS)
        replies = self.backend.generate_each([*map(request_for_verdict, texts.values())], sampling, seed, _untold)
        return {
            number: verdict_in(reply.text) if isinstance(reply, Completion) else None
            for number, (reply,) in zip(texts, replies, strict=True)
        }

    def _sampling(self, k: int) -> Sampling:
        spec = self.spec
        return Sampling(k=k, temperature=spec.temperature, top_p=spec.top_p, max_new_tokens=spec.max_new_tokens)


def _untold(_: int) -> None:
    """Progress is told a call at a time: how many replies there will be is not known before."""
