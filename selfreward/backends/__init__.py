"""Engines that hold a policy: one file per kind, one union to choose from."""

from typing import Annotated

from pydantic import Field

from selfreward.backends.base import Backend
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.scripted import ScriptedBackend, ScriptedSpec
from selfreward.backends.server import ServerSpec
from selfreward.backends.vllm import VllmBackend, VllmSpec
from selfreward.records import Policy

AnyBackend = HfSpec | ScriptedSpec | ServerSpec | VllmSpec
BackendSpec = Annotated[AnyBackend, Field(discriminator="kind")]

__all__ = [
    "AnyBackend",
    "Backend",
    "BackendSpec",
    "HfSpec",
    "ScriptedSpec",
    "ServerSpec",
    "VllmSpec",
    "open_backend",
    "trusts",
]


def open_backend(spec: AnyBackend, policy: Policy) -> Backend:
    """A backend holding `policy`; nothing is loaded until a stage needs it."""
    match spec:
        case HfSpec():
            return HfBackend(spec, policy)
        case ScriptedSpec():
            return ScriptedBackend(spec, policy)
        case ServerSpec():
            return spec.open(spec.endpoint)
        case VllmSpec():
            return VllmBackend(spec, policy)


def trusts(spec: AnyBackend) -> bool:
    """Whether code that a model brings may run."""
    return isinstance(spec, HfSpec | VllmSpec) and spec.trust_remote_code
