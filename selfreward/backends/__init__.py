"""Engines that hold a policy: one file per kind, one union to choose from."""

from typing import Annotated, get_args

from pydantic import Field

from selfreward.backends.abilities import Ability
from selfreward.backends.base import Backend
from selfreward.backends.hf import HfSpec
from selfreward.backends.scripted import ScriptedSpec
from selfreward.backends.server import ServerSpec
from selfreward.backends.vllm import VllmSpec
from selfreward.policies import Endpoint

AnyBackend = HfSpec | ScriptedSpec | ServerSpec | VllmSpec
BackendSpec = Annotated[AnyBackend, Field(discriminator="kind")]

__all__ = ["AnyBackend", "Backend", "BackendSpec", "HfSpec", "ScriptedSpec", "ServerSpec", "VllmSpec"]


def endpoint_of(spec: AnyBackend) -> Endpoint:
    """The model that the engine names itself; the settings were checked for one."""
    assert spec.endpoint is not None
    return spec.endpoint


def engines_that(needs: frozenset[Ability]) -> list[str]:
    """The kinds of engines for real models that can do all that is needed, at least under some settings."""
    kinds = [one for one in get_args(AnyBackend) if one is not ScriptedSpec]
    return sorted(one.model_fields["kind"].default for one in kinds if needs <= one.could)
