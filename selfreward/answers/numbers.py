"""Numbers in a text, each in one form whatever it was written as, exact and of any length."""

import re
from fractions import Fraction
from functools import lru_cache

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_ONES += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_WORDS = (
    {word: str(value) for value, word in enumerate(_ONES)}
    | {word: str(10 * place) for place, word in enumerate(_TENS, 2)}
    | {
        f"{tens} {ones}": str(10 * place + _ONES.index(ones))
        for place, tens in enumerate(_TENS, 2)
        for ones in _ONES[1:10]
    }
    | {scale: "1" + "0" * places for scale, places in _SCALES.items()}
)
_SIGN = r"(?<![\w.^])(?P<sign>(?<!\d)-)?"
# Possessive, so that the 1 of 10^6 is not taken for a number. A power is none itself.
_NUMBER = re.compile(
    _SIGN + r"(?:(?:(?P<whole>\d{1,12}+) )?(?<!/)(?P<over>\d{1,30}+) ?/ ?(?P<under>\d{1,30}+)(?![\w/^]|\.\d)"
    r"|(?P<digits>\d++(?:\.\d++)?+|\.\d++)(?!\^)"
    r"|(?P<word>\b(?:" + "|".join(sorted(_WORDS, key=len, reverse=True)) + r")\b))"
    r"(?P<scales>(?: (?:" + "|".join(_SCALES) + r")\b){0,2})"
)


@lru_cache(maxsize=64)
def numbers(text: str) -> tuple[str, ...]:
    """The numbers of a cleaned `text` in order: digits, words up to ninety-nine, fractions, thousands and millions.

    One value has one form: "8.0", "eight" and "16/2" are 8, "3/4" is 0.75, "2/6" is 1/3, "1.5 million" is 1500000.
    """
    return tuple(form for found in _NUMBER.finditer(text) for form in _forms(found))


def _forms(found: re.Match[str]) -> list[str]:
    sign = found["sign"] or ""
    places = sum(_SCALES[scale] for scale in found["scales"].split()) if found["scales"] else 0
    if found["over"] is None:
        # Digits of other scripts count too.
        digits = found["digits"] or _WORDS[found["word"]]
        if not digits.isascii():
            digits = "".join(one if one == "." else str(int(one)) for one in digits)
        return [_one_form(sign, digits, places)]
    whole, over, under = (int(found[name] or 0) for name in ("whole", "over", "under"))
    if under == 0:
        return [_one_form(sign, str(one), 0) for one in (over, under)]
    return [_of_fraction(sign, (Fraction(over, under) + whole) * 10**places)]


def _of_fraction(sign: str, value: Fraction) -> str:
    """The decimal of `value` where that ends, else numerator and denominator."""
    places = next((places for places in range(101) if 10**places % value.denominator == 0), None)
    if places is None:
        return f"{sign}{value.numerator}/{value.denominator}"
    digits = str(value.numerator * 10**places // value.denominator).zfill(places + 1)
    return _one_form(sign, f"{digits[: len(digits) - places]}.{digits[len(digits) - places :]}", 0)


def _one_form(sign: str, digits: str, places: int) -> str:
    """`digits` shifted by `places` to the left, without zeros that say nothing; text, as it may be of any length."""
    whole, _, part = digits.partition(".")
    part = part.ljust(places, "0")
    whole, part = (whole + part[:places]).lstrip("0") or "0", part[places:].rstrip("0")
    value = f"{whole}.{part}" if part else whole
    return value if value == "0" else sign + value
