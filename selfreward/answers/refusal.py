"""Answers that decline to answer."""

import re

_REFUSAL = re.compile(
    r"""
    (?: (?:(?:i'm|i\ am)\ (?:(?:so|very|truly|really)\ )?)?sorry[,.]?\ (?:but\ )?
      | (?:i\ apologi[sz]e|my\ apologies|unfortunately)[,.]?\ (?:but\ )?
      | as\ an?\ (?:ai|(?:large\ )?language\ model)\b[^.,]{0,40},\ )*
    (?: i\ (?:can't|cannot|can\ not|won't|will\ not|am\ unable\ to|am\ not\ able\ to)\ |i'm\ (?:unable|not\ able)\ to\ )
    (?: assist|comply|provide|generate|create|engage\ in|fulfil|fulfill
      | help(?=\ you|\ with|[.!]|$)
      | (?:answer|discuss|do|give|share|tell|write)\ (?:you|your|that|this|such) )\b
    | i\ (?:must|have\ to)\ (?:respectfully\ |politely\ )?(?:decline|refuse)\b
    | i\ (?:respectfully\ |politely\ )?decline\ to\b
    """,
    re.VERBOSE,
)


def refused(text: str) -> bool:
    """Whether `text` opens with an English stock phrase that declines; it misses more refusals than it invents."""
    opening = " ".join(text[:300].casefold().replace("\u2019", "'").split()).lstrip("\"'*_# ")
    return _REFUSAL.match(opening) is not None
