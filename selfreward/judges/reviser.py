"""A policy that criticises answers by principles and revises them.

Source: the supervised phase of Constitutional AI, Bai et al. 2022 (2212.08073): a critique and a revision by a
principle that is drawn for each. There the requests end an open conversation; here a reply has to stand between tags.
"""

from collections.abc import Mapping, Sequence

from pydantic import Field, PositiveInt

from selfreward.artifacts import Advance, derive_seed
from selfreward.backends.abilities import Ability
from selfreward.backends.base import Backend, Sampling
from selfreward.errors import StageError
from selfreward.judges.ask_policy import ask_for_replies
from selfreward.judges.asked_policy import AskedPolicy
from selfreward.judges.base import Item
from selfreward.judges.constitution import Constitution, Principle
from selfreward.judges.prompting import question_of
from selfreward.judges.revising import Part, RevisionTexts, Said, read_reply
from selfreward.policies import Judging
from selfreward.records import Usage
from selfreward.revisions import Revision, RevisionOutcome
from selfreward.spec import Spec


class ReplyLengths(Spec):
    """The longest replies, in tokens, tags included."""

    critique: PositiveInt = 96
    revision: PositiveInt = 96


class ReviseSpec(AskedPolicy):
    """How the first `per_prompt` answers to each prompt are revised, `rounds` times, and by whom.

    A shard with more than `max_failed_share` failed attempts stops the stage.
    """

    rounds: PositiveInt = 1
    per_prompt: PositiveInt = 1
    constitution: Constitution
    texts: RevisionTexts
    temperature: float = Field(0.7, ge=0)
    top_p: float = Field(0.9, gt=0, le=1)
    max_new_tokens: ReplyLengths = ReplyLengths()
    max_failed_share: float = Field(0.05, ge=0, le=1)

    @property
    def needs(self) -> frozenset[Ability]:
        """Replies are drawn."""
        return super().needs | {"draw"}

    def sampling(self, part: Part) -> Sampling:
        """How one reply is drawn."""
        length = self.max_new_tokens.critique if part == "critique" else self.max_new_tokens.revision
        return Sampling(k=1, temperature=self.temperature, top_p=self.top_p, max_new_tokens=length)


def revise_answers(
    spec: ReviseSpec, reviser: Backend, policy: Judging, items: Sequence[Item], seed: int, advance: Advance
) -> list[Revision]:
    """The attempts to revise the first answers among `items`, answer by answer, by round.

    `policy` is what `reviser` holds. Raises StageError where more than `spec.max_failed_share` failed.
    """
    asked = [item for item in items if item[1].index < spec.per_prompt]
    texts = [candidate.text for _, candidate in asked]
    found: list[list[Revision]] = [[] for _ in asked]
    for number in range(spec.rounds):
        attempts = _attempt_round(spec, reviser, policy, asked, texts, number, derive_seed(seed, number))
        for place, one in enumerate(attempts):
            found[place].append(one)
            if one.outcome == "revised" and one.revision is not None:
                texts[place] = one.revision
        advance(len(attempts))
    made = [one for of_answer in found for one in of_answer]
    failed = [one for one in made if one.outcome == "failed"]
    if len(failed) > spec.max_failed_share * len(made):
        why = failed[0].critique_reply if failed[0].revision_reply is None else failed[0].revision_reply
        raise StageError(
            f"{len(failed)} of {len(made)} attempts to revise failed ({why}), revise.max_failed_share allows "
            f"{spec.max_failed_share:.0%}: run the same command again to retry them, or raise revise.max_failed_share"
        )
    return made


def _attempt_round(
    spec: ReviseSpec,
    reviser: Backend,
    policy: Judging,
    asked: Sequence[Item],
    texts: Sequence[str],
    number: int,
    seed: int,
) -> list[Revision]:
    """One attempt for each of the answers, which say `texts` by now, in order."""
    principles = [spec.constitution.draw(derive_seed(seed, candidate.id)) for _, candidate in asked]
    names = spec.constitution.names()
    seeds: dict[Part, int] = {part: derive_seed(seed, part) for part in ("critique", "revision")}
    places = range(len(asked))
    critiques = _said(spec, reviser, "critique", seeds, [_about(asked, texts, principles, one) for one in places])
    able = [place for place in places if critiques[place].text is not None]
    told = [(*_about(asked, texts, principles, one), critiques[one].text or "") for one in able]
    revisions = dict(zip(able, _said(spec, reviser, "revision", seeds, told), strict=True))
    made = []
    for place, (prompt, candidate) in enumerate(asked):
        critique, revision = critiques[place], revisions.get(place)
        both = [critique] if revision is None else [critique, revision]
        made.append(
            Revision(
                prompt_id=prompt.id,
                original_id=candidate.id,
                index=candidate.index,
                round=number,
                principle=names[principles[place].id],
                policy_key=policy.key,
                policy_digest=policy.digest,
                critique_seed=seeds["critique"],
                revision_seed=seeds["revision"],
                answer=texts[place],
                critique=critique.text,
                revision=None if revision is None else revision.text,
                critique_reply=critique.reply,
                revision_reply=None if revision is None else revision.reply,
                outcome=_outcome(texts[place], critique, revision),
                usage=Usage(
                    prompt_tokens=sum(one.prompt_tokens for one in both),
                    completion_tokens=sum(one.completion_tokens for one in both),
                ),
            )
        )
    return made


_Told = tuple[Principle, str, str] | tuple[Principle, str, str, str]
"""What a reply is asked about: a principle, the question, the answer and, for a revision, the critique."""


def _about(
    asked: Sequence[Item], texts: Sequence[str], principles: Sequence[Principle], place: int
) -> tuple[Principle, str, str]:
    return principles[place], question_of(asked[place][0].messages), texts[place]


def _said(
    spec: ReviseSpec, reviser: Backend, part: Part, seeds: Mapping[Part, int], told: Sequence[_Told]
) -> list[Said]:
    """What the reviser says to each, in order."""
    asked = [spec.texts.ask(part, spec.constitution, *one) for one in told]
    replies = ask_for_replies(reviser, asked, spec.sampling(part), seeds[part], lambda _: None, "the reviser")
    return [read_reply(part, reply) for (reply,) in replies]


def _outcome(text: str, critique: Said, revision: Said | None) -> RevisionOutcome:
    said = critique if revision is None else revision
    if said.outcome is not None:
        return said.outcome
    return "unchanged" if said.text == text.strip() else "revised"
