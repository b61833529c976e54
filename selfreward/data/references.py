"""The reference that stands in a worked answer, cut out of it."""

from selfreward.answers import PatternTooSlow, boxes, cut_in_time, hashed
from selfreward.data.columns import RowError


def cut_reference(text: str, pattern: str) -> str:
    r"""The last `\boxed{..}` of `text` (`boxed`), what its last #### brings (`hashes`), or the group of `pattern`.

    Raises RowError where there is none, and where a pattern takes too long.
    """
    try:
        found = _cut(text, pattern)
    except PatternTooSlow as error:
        raise RowError(
            f"cannot be cut: {error}, or set columns.reference_pattern to boxed or hashes", "pattern_too_slow"
        ) from error
    if found is None:
        raise RowError(
            f"has an answer without {pattern!r} ({text[-60:]!r}): change columns.reference_pattern", "no_reference"
        )
    return found.strip()


def _cut(text: str, pattern: str) -> str | None:
    match pattern:
        case "boxed":
            return next((content for *_, content in reversed(boxes(text))), None)
        case "hashes":
            return next(reversed(hashed(text)), None)
        case _:
            return cut_in_time(pattern, text)
