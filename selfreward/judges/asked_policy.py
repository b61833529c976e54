"""Which policy is asked beside the one that is trained, and on what engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from selfreward.backends import AnyBackend, BackendSpec, engines_that
from selfreward.backends.abilities import OWN_POLICY, Ability, in_words
from selfreward.backends.rendering import ChatSpec
from selfreward.spec import Spec, execution

PolicyName = Literal["live", "previous", "initial", "external", "endpoint"]


class AskedPolicy(Spec):
    """Settings of a part that asks a policy: which one, and for `external` the model folder and how to talk to it.

    The policy counts by its digest, not by how it was named. `backend` is the engine that holds it, None for the run's;
    a `policy` that is `endpoint` is the model that this engine names.
    """

    policy: PolicyName = execution("live")
    path: Path | None = execution(None)
    chat: ChatSpec = execution(ChatSpec())
    backend: BackendSpec | None = execution(None)

    @property
    def engine(self) -> AnyBackend | None:
        """As it is set."""
        return self.backend

    @property
    def needs(self) -> frozenset[Ability]:
        """A folder has to be held; one that is talked to in a way of its own has to be given tokens."""
        found: set[Ability] = set() if self.policy == "endpoint" else {"weights"}
        return frozenset(found | ({"raw_tokens"} if self.chat != ChatSpec() else set()))


def check_policy(name: str, asked: AskedPolicy, engine: AnyBackend) -> None:
    """Raises ValueError where the part `name` does not say which policy it asks, or says it to the wrong engine."""
    if (asked.policy == "external") != (asked.path is not None):
        raise ValueError(
            f"{name}.policy={asked.policy} with {name}.path={asked.path}: an external model, and no other, needs "
            f"{name}.path=<model folder>"
        )
    if (asked.policy == "endpoint") != (engine.endpoint is not None):
        raise ValueError(
            f"{name}.policy={asked.policy} on backend={engine.kind}: set {name}.policy=endpoint where the engine names "
            f"the model itself, as +backend@{name}.backend=server does, and only there"
        )
    if asked.policy != "external" and asked.chat != ChatSpec():
        raise ValueError(
            f"{name}.chat goes with {name}.policy=external: a run's own policies are talked to as model.chat_template, "
            "model.template_kwargs, model.end_of_turn and model.date say, and an endpoint as its server does"
        )


def check_engine(
    part: str, needs: frozenset[Ability], engine: AnyBackend, *, setting: str, scripted: bool, ways: Sequence[str] = ()
) -> None:
    """Raises ValueError where an engine cannot do what a part `needs`, or holds no models of the run's kind.

    `part` is set below `setting`, and `ways` are settings by which it would need less. The model may be `scripted`.
    """
    if missing := needs - engine.can:
        able = [f"+backend@{setting}.backend={one}" for one in engines_that(needs)]
        run = [f"backend={one}" for one in engines_that(needs | OWN_POLICY)]
        raise ValueError(
            f"{part} on backend={engine.kind}, which cannot {in_words(missing)}"
            f"{' as it is set' if missing <= engine.could else ''}: set {', or '.join([*run, *able, *ways])}"
        )
    if "weights" in engine.can and (engine.kind == "scripted") != scripted:
        raise ValueError(
            f"{setting}.backend={engine.kind} and {'model=scripted' if scripted else 'a real model'} do not go "
            "together: scripted goes with scripted alone"
        )
