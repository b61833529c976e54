"""What a question is about: its content words, numbers and signs, without the words that only frame it. English."""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache

_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "−": "-", "×": "*", "÷": "/"})  # noqa: RUF001
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*|(?<![^\W\d])[-/](?=\s*[\d(])|[+*=<>^%]")
_SIGN = re.compile(r"(?<![^\W\d])[-/*](?=\s*[\d(])|(?<=\d)%")
_NOT_LATIN = re.compile(r"[^\W\d_\u0000-\u024f\u1e00-\u1eff]")
_NUMERIC = re.compile(r"[\d+*=<>^%/-]")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
_CONTRACTED = re.compile(r"(?<=[a-z])'(?:s|re|ve|ll|d|m)\b|(?<=s)'(?=\s|$)")
_NEGATED = re.compile(r"\bcan't\b|\bwon't\b|(?<=[a-z])n't\b")

_ASK = r"(?:tell|give|show|name|explain|describe|state|answer|say|let|help|remind|inform)(?: (?:me|us|know|out))*"
_POLITE = (
    r"(?:please|kindly|thanks|thank you|cheers|hi|hello|hey|dear|excuse me|sorry|ok|okay|well|so|um|just|quick question"
    r"|(?:can|could|would|will|might|may) (?:you|i|someone|somebody|anyone|anybody)(?: (?:please|kindly|possibly|ask))*"
    r"|(?:i'm|i am|i was|just) (?:curious|wondering)(?: (?:about|if|whether))?|i wonder"
    r"|(?:i'd|i would|i) (?:really )?(?:like|love|want|need|wish) to (?:know|learn|understand|find out|hear)"
    r"|(?:do|does) (?:you|anyone|anybody|someone) (?:happen to )?know|i don't know|any idea|a question"
    rf"|{_ASK})"
)
_OPENING = re.compile(rf"^[\s,;:.!?-]*(?:{_POLITE}\b[\s,;:.!?-]*)+")
_CLOSING = re.compile(
    r"[\s,;:.!?-]*(?:\b(?:please|thanks(?: in advance| a lot| so much)?|thank you(?: very much| so much)?|cheers"
    r"|do you know|can you tell me|if you know|for me)[\s,;:.!?-]*)+$"
)

_TAIL = 120


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FRAME = _words(
    "a an the of in on at to for from by with into as about is are was were be been being am do does did has have had"
    " can could will would shall should may might must i me my you your we us our it its this that these those there"
    " and so then which what whatever it's exactly actually usually really normally generally"
    " precisely please tell describe explain"
)
_MENTIONS = _words("of to for word letter verb noun")
_RESPELT = {"whom": "who", "minus": "-", "plus": "+", "percent": "%", "cannot": "not", "never": "not", "no": "not"}
_RESPELT |= {"whats": "what", "wheres": "where", "whos": "who", "hows": "how", "whens": "when", "dont": "not"}
_RESPELT |= {"doesnt": "not", "isnt": "not", "arent": "not", "didnt": "not", "cant": "not", "wont": "not"}
_COUNTS = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_RESPELT |= {word: str(number) for number, word in enumerate(f"{_COUNTS} eighteen nineteen twenty".split(), 2)}
_RESPELT |= {word: str(number) for number, word in enumerate(_ORDINALS.split(), 1)}
# A question about one of these is no question about another; they are compared as they stand.
_HARD = _words("where when why who whose how not before after")


@dataclass(frozen=True, slots=True)
class Wording:
    """A text as it is compared: stems of its content words, and what must be the same in any paraphrase.

    `spelt` are the stems with the words they were taken from, for slips; it makes no other wording.
    `numbers` are its numbers and arithmetic signs in order; `hard` are the words that turn a question into another.
    """

    content: frozenset[str]
    hard: frozenset[str]
    numbers: tuple[str, ...]
    spelt: frozenset[tuple[str, str]] = field(default=frozenset(), compare=False)


def normal_form(text: str) -> str:
    """`text` without case, spacing and punctuation, in any language; signs of arithmetic stay."""
    plain = unicodedata.normalize("NFKC", text.translate(_QUOTES)).casefold().replace("'", "")
    signs = {found.start() for found in _SIGN.finditer(plain)}
    kept = (mark if at in signs or unicodedata.category(mark)[0] not in "PZC" else " " for at, mark in enumerate(plain))
    return " ".join("".join(kept).split())


def wording_of(text: str) -> Wording:
    """The wording of `text`; it has no content in a script whose words are not known here."""
    if _NOT_LATIN.search(unicodedata.normalize("NFKC", text)):
        return Wording(content=frozenset(), hard=frozenset(), numbers=())
    plain = _OPENING.sub("", _plain(text))
    # Only the end is searched: on a long hostile text the pattern would take quadratic time.
    plain = plain[:-_TAIL] + _CLOSING.sub("", plain[-_TAIL:])
    plain = _CONTRACTED.sub("", _NEGATED.sub(" not", _ORDINAL.sub("", plain)))
    mentioned = set(re.findall(r"[\"']([^\W\d_]+)[\"']", plain))
    tokens = [_RESPELT.get(token, token) for token in _TOKEN.findall(plain)]
    numbers = tuple(token for token in tokens if _NUMERIC.match(token))
    words = [token for token in tokens if not _NUMERIC.match(token)]
    # The text speaks about its last word ("the past tense of do"), not with it ("made of").
    mentioned |= {words[-1]} if len(words) > 1 and words[-2] in _MENTIONS else set()
    stay = [word for word in words if word not in _HARD and (word not in _FRAME or word in mentioned)]
    spelt = frozenset((_stem(word), word) for word in stay)
    return Wording(
        content=frozenset(stem for stem, _ in spelt),
        hard=frozenset(word for word in words if word in _HARD),
        numbers=numbers,
        spelt=spelt,
    )


def slipped(left: str, right: str) -> bool:
    """Whether the words differ by one letter lost, added or doubled, or by two neighbours swapped, past the first.

    A letter in place of another is no slip: it makes Ireland of Iceland.
    """
    if min(len(left), len(right)) < 4 or left[0] != right[0] or abs(len(left) - len(right)) > 1:
        return False
    short, long = sorted((left, right), key=len)
    start = next((at for at, letter in enumerate(short) if letter != long[at]), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = long[:start] + long[start : start + 2][::-1] + long[start + 2 :]
    return short == swapped and left != right


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.translate(_QUOTES).casefold())
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark)).strip()


@cache
def _stem(word: str) -> str:
    import snowballstemmer

    stem: str = snowballstemmer.stemmer("english").stemWord(word.replace("'", ""))
    return stem
