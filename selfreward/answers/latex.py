r"""LaTeX in answers: what stands in a box, its words as plain text, and the one form of an expression.

`\frac{3}{4}`, `\dfrac34` and `3/4` are one expression, `\text{(B)}` and `(B)` one answer. Nothing is computed: x+1 and
1+x differ. The forms are those of the MATH data set (Hendrycks et al. 2021).
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

import regex

from selfreward.answers.words import plain_signs

LONGEST = 300
"""Characters in the longest expression."""

_DEEPEST = 20
_BRACE = re.compile(r"\\[{}]|\\(?:boxed|fbox)\s?\{|[{}]")
_BARE_BOX = re.compile(r"\\boxed\s([^\s{}$\\]{1,40})")
_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.|$)|[{}]|[^\\{}]", re.DOTALL)
_ROOT = re.compile(r"\\sqrt\s?\[(\w{1,3})\]")
_MATRIX = re.compile(r"\\begin\{(\w?matrix)\}(.{0,300}?)\\end\{\1\}", re.DOTALL)
_ROW = r"\\"
_NOTE = re.compile(r"<<[^<>\n]{0,200}>>")
_SYMBOLS = {
    **dict.fromkeys([*r"{}()[]\;: ", "quad", "qquad"], " "),
    "!": "", ",": "", "left": "", "right": "", "big": "", "displaystyle": "", "limits": "",
    "times": " * ", "cdot": " * ", "div": "/", "pi": "π", "infty": "∞", "circ": "°", "degree": "°", "pm": "±",
    "le": "<=", "leq": "<=", "ge": ">=", "geq": ">=", "ne": "≠", "neq": "≠", "cup": "∪", "cap": "∩",  # noqa: RUF001
    "lt": "<", "gt": ">", "sin": "sin", "cos": "cos", "tan": "tan", "log": "log", "ln": "ln", "approx": "≈",
}  # fmt: skip
# How many arguments a command has.
_ARGUMENTS = {
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), 2),
    **dict.fromkeys((f"{kind}{style}" for kind in ("text", "math") for style in ("bf", "it", "rm", "sf")), 1),
    **dict.fromkeys(("text", "mbox", "operatorname", "boxed", "fbox", "underline", "emph", "sqrt"), 1),
}
_EDGES = " \t\n.,;:!?'\"`*_<>=~#"
_SIMPLE = re.compile(r"√?[\w.π∞]+")
_UNIT = re.compile(r"(?<=[\d}])[\s\\,~]*\\(?:text|mbox|mathrm|textrm)\{[^{}]*[A-Za-z][^{}]*\}(?:\^\{?\d\}?)?[\s.$]*$")
_NAMED = re.compile(r"[A-Za-z]{1,2}\s*=\s*(?=[^\s=])")
# A word of three letters that is no function, or two words side by side.
_FUNCTION = "sin|cos|tan|log|ln|sqrt|exp|max|min|mod|gcd|lcm"
_WORDY = regex.compile(
    rf"(?<![a-z\\])(?!(?:{_FUNCTION})(?![a-z]))[a-z]{{3,}}|(?<=[a-z])(?<!\\[a-z]*|{_FUNCTION}) [a-z]"
)
_MIXED = re.compile(r"\d+ \d+/\d+")
_APART = re.compile(r"\d \d")
_SIGNED = re.compile(r"[\\^_/*+=<>|√π∞±≠∪∩()\[\]{},]|(?<=\w)\s?-\s?(?=\w)")  # noqa: RUF001


def boxes(text: str) -> list[tuple[int, int, str]]:
    r"""Start, end and content of the boxes of `text`, in order: `\boxed{..}` and `\fbox{..}` with balanced braces.

    A box in a box is part of it. A brace with a backslash counts as a sign. `\boxed 5` is a box too.
    """
    opened: list[tuple[int, int] | None] = []
    found: list[tuple[int, int, int]] = []
    for brace in _BRACE.finditer(text):
        if brace[0] == "}":
            if opened and (box := opened.pop()) is not None:
                while found and found[-1][0] > box[0]:
                    found.pop()
                found.append((box[0], brace.end(), box[1]))
        elif brace[0] == "{":
            opened.append(None)
        elif len(brace[0]) > len(r"\{"):
            opened.append((brace.start(), brace.end()))
    closed = [(start, end, text[inside : end - 1]) for start, end, inside in found]
    return closed or [(box.start(), box.end(), box[1]) for box in _BARE_BOX.finditer(text)]


def plain(text: str) -> str:
    """`text` with its LaTeX as plain text: fractions as a/b, roots as √, groups without their braces.

    Notes of a calculator (`<<3*4=12>>`) go. Text without a backslash stays as it is otherwise.
    """
    if "<<" in text:
        text = _NOTE.sub("", text)
    return _converted(text) if "\\" in text else text


@lru_cache(maxsize=4096)
def expression(text: str) -> str | None:
    """The one form of `text` where it is a formula, a tuple, an interval or a number; None where it is words.

    Spaces, dollar signs, brackets of size, a name before one equals sign and a unit behind a number go.
    """
    form = _form(text) if len(text) <= LONGEST else None
    # What goes at an edge may bare another: one more look, so that a form is its own form.
    return form if form is None else _form(form) or form


def _form(text: str) -> str | None:
    text = plain_signs(plain_signs(text).casefold()).replace("−", "-")  # noqa: RUF001
    text = _converted(_UNIT.sub("", _edged(text))).replace("$", "")
    text = re.sub(r"(?<!\\)sqrt|√\s+", "√", text)
    text = re.sub(r"(?<=\d)(?:\s?[%°])+|°", "", re.sub(r"(?<![\w.])\.(?=\d)", "0.", text))
    text = _edged(text if text.count("=") != 1 else _NAMED.sub("", _edged(text), count=1))
    if lone := re.fullmatch(r"[(\[]{1,2}\s*(-?\w[\d.]*)\s*[)\]]{1,2}", text):
        text = lone[1]
        if not text[-1].isdigit():
            return text
    if not re.search(r"[(\[]", text):
        text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    if number := re.fullmatch(r"(-?\d+)(\.\d+)?", text):
        return number[1] if number[2] is None or not number[2].strip(".0") else text
    text = " ".join(text.split())
    if _WORDY.search(text) or _APART.search(_MIXED.sub("", text)) or not _balanced(text):
        return None
    if not _SIGNED.search(text) or not re.search(r"\w", text):
        return None
    text = re.sub(r"√\((\w+)\)", r"√\1", text)
    return re.sub(r"(?<!\d) | (?!\d)", "", text)


def _converted(text: str) -> str:
    text = _MATRIX.sub(lambda found: f"[{found[2].replace(_ROW, ';')}]", _ROOT.sub(r"[\1]\\sqrt", text))
    return _group(iter(_TOKEN.findall(text)), 1)


def _group(signs: Iterator[str], depth: int) -> str:
    """What the `signs` and commands of a group say, up to its closing brace; a command that lacks arguments goes."""
    out: list[str] = []
    command, arguments = "", list[str]()
    for sign in signs:
        name = sign[1:].lower() if sign[0] == "\\" else ""
        inner = _group(signs, depth + 1) if sign == "{" and depth < _DEEPEST else None
        if sign == "}" and depth > 1:
            break
        if name in _ARGUMENTS:
            out += arguments
            command, arguments = name, []
            continue
        shown = inner if inner is not None else _symbol(name) if name else sign
        after_script = bool(out) and out[-1] in ("^", "_")
        if command and not sign.isspace():
            arguments.append(shown.strip())
            if len(arguments) == _ARGUMENTS[command]:
                out.append(_written(command, arguments, out[-1] if out else ""))
                command, arguments = "", []
        elif not command and after_script and shown.strip() == "°":
            out[-1] = "°"
        elif not command:
            out.append(shown if inner is None or not after_script else _bracketed(shown))
    return "".join(out + arguments)


def _symbol(name: str) -> str:
    """A command without arguments: a sign, itself where it is one, or a name that is not known."""
    return _SYMBOLS.get(name, f"\\{name} " if name[0].isalpha() else name)


def _written(command: str, arguments: Sequence[str], before: str) -> str:
    """A command with its arguments, behind what was written `before` it."""
    if command == "sqrt":
        return f"√{_bracketed(arguments[0])}"
    if len(arguments) == 1:
        return f" {arguments[0]} "
    over, under = arguments
    # A sign goes before a fraction that opens an expression, so that -1/2 has one form.
    sign = "-" if before.strip() in ("", "(", "[", ",", "=") and re.fullmatch(r"-\w+", over) else ""
    # A mixed number: 2\frac{1}{2} is two and a half.
    space = " " if before[-1:].isdigit() else ""
    return f"{space}{sign}{_bracketed(over.removeprefix(sign))}/{_bracketed(under)}"


def _bracketed(text: str) -> str:
    return text if _SIMPLE.fullmatch(text) else f"({text})"


def _edged(text: str) -> str:
    """`text` without punctuation and markdown around it; a point in front may be that of .5."""
    return text.rstrip(_EDGES).lstrip(_EDGES.replace(".", ""))


def _balanced(text: str) -> bool:
    """Whether brackets close in the order in which they open; those of [0,1) are of two kinds."""
    depths = [0, *accumulate((sign in "([") - (sign in ")]") for sign in text)]
    return min(depths) == depths[-1] == 0
