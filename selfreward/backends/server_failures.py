"""Why a request to a server failed, and what follows from that."""

import asyncio
import email.utils
import re
import time
from dataclasses import dataclass
from typing import Any, Literal

from selfreward.backends.one_line import plain
from selfreward.backends.server_replies import BadReply
from selfreward.records import Outcome

Follows = Literal["ask_again", "leave_it", "stop", "name_models"]
_ASK_AGAIN = {408, 409, 425, 429}
_LONGEST_PAUSE_S = 120.0
_TOO_LONG = re.compile(
    r"context.{0,30}(?:length|size|window)|max(?:imum)?[ _]model[ _]len|prompt.{0,60}too long|longer than the max",
    re.IGNORECASE | re.DOTALL,
)
_MODERATED = re.compile(r"flagged|moderation|content[ _-]?(?:filter|policy|management)", re.IGNORECASE)
_NO_MONEY = re.compile(r"insufficient[ _]quota|insufficient.{0,20}(?:credit|balance|fund)|billing", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What came of a request that gave nothing: the outcome and `reason` of its row, and what `follows`.

    A server that is `busy` is to be left alone, for `pause` seconds where it said how long. `unreachable` says that
    nothing answered, `free` that it is sure to have cost no tokens.
    """

    reason: str
    outcome: Outcome = "failed"
    follows: Follows = "ask_again"
    busy: bool = False
    pause: float | None = None
    unreachable: bool = False
    free: bool = True


def failure_of(error: Exception, key_env: str | None) -> Failure:
    """What an exception of the client means; that of another kind is our own mistake and raised again."""
    import openai

    match error:
        case BadReply():
            return Failure(reason=str(error), follows="ask_again" if error.again else "leave_it")
        case openai.APIStatusError():
            return _of_status(error.status_code, _said(error), error.response.headers.get("retry-after"), key_env)
        case asyncio.TimeoutError() | openai.APITimeoutError():
            return Failure(reason="no answer within timeout", unreachable=True, free=False)
        case openai.APIConnectionError():
            cause = error.__cause__
            refused = type(cause).__name__ in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol")
            said = plain(str(cause)) or type(cause).__name__
            return Failure(reason=f"no whole answer ({said})", unreachable=True, free=refused)
        case _:
            raise error


def _of_status(status: int, said: str, retry_after: str | None, key_env: str | None) -> Failure:
    told = f"{status}: {said}" if said else f"status {status}"
    if status == 402 or (status == 429 and _NO_MONEY.search(said)):
        return Failure(reason=f"the server gives no more for this account ({told})", follows="stop")
    if status in _ASK_AGAIN or status >= 500:
        pause = seconds_of(retry_after)
        if pause is not None and pause > _LONGEST_PAUSE_S:
            return Failure(reason=f"{told} (it asks to wait {pause:,.0f} s)", follows="leave_it")
        return Failure(reason=told, busy=status == 429 or pause is not None, pause=pause)
    if status != 401 and _MODERATED.search(said):
        return Failure(reason=told, outcome="refused", follows="leave_it")
    if status in (401, 403):
        advice = "set judge.backend.key_env=NAME" if key_env is None else f"export {key_env} with a key that is valid"
        return Failure(reason=f"the server refuses the key ({told}): {advice}", follows="stop")
    if status == 404:
        return Failure(reason=told, follows="name_models")
    if status in (400, 413, 422) and _TOO_LONG.search(said):
        return Failure(reason=told, outcome="truncated", follows="leave_it")
    return Failure(reason=told, follows="leave_it")


def seconds_of(retry_after: str | None) -> float | None:
    """The seconds that a header Retry-After asks for, as a number or a date; None where it says neither."""
    if retry_after is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}(?:\.\d{1,9})?\s*", retry_after):
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _said(error: Any) -> str:
    """What the server says in an error, with the name that it has for it."""
    body = error.body
    if isinstance(body, dict):
        told = [text for name in ("message", "code") if isinstance(text := body.get(name), str)]
        return plain(" ".join(told) or str(body.get("detail", "")))
    return plain(body if isinstance(body, str) else "")
