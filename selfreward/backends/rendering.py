"""How conversations become text for one model: what the user may set, and what was settled for a policy's folder."""

from datetime import date as Date
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from selfreward.artifacts.atomic_files import write_json
from selfreward.errors import BackendError
from selfreward.spec import Spec

FILE = "rendering.json"
PINNED_DATE = "2026-01-01"
TemplateKwargs = dict[str, bool | int | float | str]


class ChatSpec(Spec):
    """How a model is talked to. What is left at null is read from the model's own chat template.

    `chat_template` is a file, `chatml`, `plain`, or the name of one of the model's own templates; `template_kwargs` are
    handed to it, as in {enable_thinking: false}. `end_of_turn` is the token that ends an answer. `date` is what a
    template that prints today's date prints, as YYYY-MM-DD.
    """

    chat_template: str | None = None
    template_kwargs: TemplateKwargs = Field(default_factory=dict)
    end_of_turn: str | None = None
    date: str = PINNED_DATE

    @field_validator("date")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        try:
            return Date.fromisoformat(value).isoformat()
        except ValueError as error:
            raise ValueError(f"date={value} is no day: give one as {PINNED_DATE}") from error


class Rendering(Spec):
    """What is settled about rendering for one policy; it lies in the policy's folder and counts in its digest.

    An answer stands in a conversation as `opening`, `lead`, `space`, the answer, `trail`, `end_of_turn`.

    opening: what a prompt ends in, behind the text of the last turn; the template's generation prompt.
    header: what the template writes there only when an answer follows, so that prompts need it added; mostly empty.
    lead: control tokens and an empty thought that the template writes before an answer. An answer that brings no
        thought of its own is conditioned on it, and it bears no loss.
    space: white space that the template writes before an answer instead; it is part of the answer's tokens.
    trail: what the template writes between an answer and the end of its turn.
    opens_thought: whether a prompt ends inside an open thought; `lead` closes it then.
    system: whether the template takes a system turn, or it is merged into the first user turn.
    content: whether the template reads the text of a turn as it is, or as a list of parts.
    """

    template_kwargs: TemplateKwargs
    date: str
    content: Literal["text", "parts"]
    system: Literal["own", "merged"]
    opening: str
    header: str
    lead: str
    space: str
    trail: str
    end_of_turn: str
    opens_thought: bool


def write_rendering(folder: Path, rendering: Rendering) -> None:
    """Writes what is settled for the policy in `folder`."""
    write_json(folder / FILE, rendering.model_dump())


def read_rendering(folder: Path) -> Rendering | None:
    """What is settled for the policy in `folder`; None where nothing is. Raises BackendError for a foreign file."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return Rendering.model_validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        raise BackendError(
            f"{path} does not say how a model is talked to: delete it, and it is settled anew"
        ) from error
