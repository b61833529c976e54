"""The form that constrained replies are held to: regular expressions whose every match `judges.reply` can read."""

from collections.abc import Sequence

_CHARACTERS_A_TOKEN = 2
# One line of plain text. Left out is what could hide the verdict line, or be another: line breaks and control
# characters; colons and equals signs; the marks of tags, code and fences; all of these in full width too.
_REASON = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029:=<>`~\uff1a\uff1c\uff1d\uff1e\uff40\uff5e]"


def explained_pattern(label: str, verdicts: Sequence[str], max_new_tokens: int) -> str:
    """A pattern for a line of reasons, which may be missing, and a last line `<label>: <verdict>`.

    The reasons have two characters at most for each of the `max_new_tokens` tokens that the verdict line leaves: about
    half of them in English, and more than all where a character is a token, so that such replies can still be cut. No
    verdict line fits into them. "The score is 3." does, as a sentence; where the last line says 4, the reply
    contradicts itself and is not read.
    """
    verdict = f"{label}: (?:{'|'.join(verdicts)})"
    # A token is a byte or more; two line breaks and the end of the turn are tokens too.
    left = max_new_tokens - len(f"{label}: {max(verdicts, key=len)}".encode()) - 3
    return rf"(?:{_REASON}{{1,{_CHARACTERS_A_TOKEN * left}}}\n\n?)?{verdict}" if left > 0 else verdict


def check_form(name: str, constrained: bool, reads: str) -> None:
    """Raises ValueError where replies are to be held to a line and the texts called `name` read another form."""
    if constrained and reads != "line":
        raise ValueError(
            f"judge.constrained=true holds replies to a line, and {name} reads a {reads}: set judge.constrained=false"
        )
