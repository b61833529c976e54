"""What a reply commits to: its final answer where it marks one, else what it states."""

import re
from collections.abc import Iterable, Sequence

from selfreward.answers.asked import BRACKETED, QuestionContent, asked_by
from selfreward.answers.found import Reading
from selfreward.answers.latex import expression, plain
from selfreward.answers.marks import (
    BOX,
    BULLET,
    CONCLUDES,
    Block,
    blocks,
    bold,
    committed,
    explicit_statement,
    first_statement,
    is_bare_number,
    lines_of,
    marks,
    parts,
    take_boxes,
    without_clause,
)
from selfreward.answers.mathematical import read_math
from selfreward.answers.numbers import numbers
from selfreward.answers.patterns import found_in_time
from selfreward.answers.words import LONGEST, clean, echoes, normalise, trimmed
from selfreward.records import Prompt

_DIGITS = re.compile(r"\d[\d.]*")
_LETTER = re.compile(r"\b[a-j]\)")
_SEPARATOR = re.compile(r"[,;&/\n]|\band\b")


def read_answer(text: str, prompt: Prompt) -> Reading:
    r"""The short answer that `text` commits to.

    1. Marks are read first: `\boxed{..}`, a last line `#### ..` and "the final answer is", each of which outweighs what
       stands before it, and "the answer is", "answer:", "the correct option is" or a last line "A: ..". All must say
       the same; a mark that says "not" or cannot be read is skipped, but a reply with marks is read by nothing else.
    2. Without a mark one statement is read, the first sentence. It never runs past its line, unless the line ends in a
       colon. Questions and a leading "Sure!" are skipped. A list of several bullets is no single answer.
    3. A trailing clause (" which ...", " that ...", " because ...", ", not ...", "; ...") is cut. A statement that
       still says "not" commits to nothing.
    4. The statement is split at is, are, called, =, colons and their like. The answer is the last part that
       says more than the question did, so that both "The capital of France is Paris" and "Paris is the capital of
       France" answer Paris; where no part does, it is the last.
    5. Pieces between commas that repeat the question go ("Paris, France"), then leading and trailing words
       like "the word" or "made of". What is left must be one to four words, or an expression. What alone is bold is
       the answer where the statement has none, or as a part of it. Where the question lists choices, a letter and its
       text are one answer.

    A `numeric` answer is the one number of the last part holding one that the question lacks, else the last
    part's only number; two such numbers in a part commit to none. Without a mark, a concluding sentence ("So ...") and
    bold numbers come before the first sentence, and equations with several results are at odds. One value has one
    form, exactly: `numbers.numbers`.
    A `set` answer is the bullets, the short lines, or else the chosen part split at commas and "and"; its
    members come sorted, joined by ", ".

    A `math` answer is what math-verify reads, by none of these rules.
    """
    if prompt.match == "math":
        return read_math(text, prompt.references)
    asked = asked_by(prompt.messages[-1].content)
    rest, held = take_boxes(text.replace(BOX, ""))
    numeric, of_set = prompt.match == "numeric", prompt.match == "set"
    lines = lines_of(plain(BRACKETED.sub(r" \1) ", rest) if not numeric and asked.choices else rest))
    found = blocks(lines, bullets=not numeric)
    in_piece = _number_of if numeric else _members_of if of_set else _phrase_of
    in_sentence = _number_in if numeric else _phrase_in
    marked = marks(found, held, None if numeric or of_set else lambda tail: expression(tail) is not None)
    if of_set:
        marked = [mark for mark in marked if mark.piece is not None]
    if marked:
        return _agreed(
            in_sentence(committed(mark.sentence), asked) if mark.piece is None else in_piece(mark.piece, asked)
            for mark in marked
        )
    if numeric:
        return _agreed(_stated_numbers(found, asked))
    return Reading(_members_in(lines, asked) if of_set else _stated_phrase(lines, found, asked))


def extract_answer(text: str, prompt: Prompt) -> str | None:
    """The short answer that `text` commits to, normalised; None where it commits to none, or to several."""
    return read_answer(text, prompt).answer


def is_right(prompt: Prompt, text: str) -> bool | None:
    """Whether the answer in `text` is accepted: as `accepts`, and None without a `match`. Raises PatternTooSlow."""
    return None if prompt.match is None else accepts(prompt, read_answer(text, prompt))


def accepts(prompt: Prompt, found: Reading) -> bool | None:
    """Whether what was `found` is accepted; False for no answer, None where it is undecided. Raises PatternTooSlow."""
    if found.right is not None or found.undecided is not None:
        return found.right
    if (answer := found.answer) is None:
        return False
    if prompt.match == "numeric":
        return any(numbers(clean(plain(reference))) == (answer,) for reference in prompt.references)
    if prompt.match == "regex":
        return any(found_in_time(one, answer, whole=True) for one in prompt.references)
    # An answer was trimmed when it was extracted: "10 days" is read as "10".
    asked = asked_by(prompt.messages[-1].content)
    accepted = {_one_form(reference, asked) for reference in prompt.references}
    if prompt.match == "set":
        return set(answer.split(", ")) == accepted
    # With its unit and without: an expression loses it, words do not.
    return answer in accepted or answer in {trimmed(plain(reference)) for reference in prompt.references}


def distinct_key(prompt: Prompt, text: str) -> str:
    """What equal answers to `prompt` share: the extracted answer of a closed one if there is one, else the text."""
    answer = extract_answer(text, prompt) if prompt.stratum == "closed" else None
    return text if answer is None else answer


def _agreed(readings: Iterable[str | None]) -> Reading:
    """The one answer of all that could be read."""
    distinct = tuple(dict.fromkeys(one for one in readings if one is not None))
    return Reading(distinct[0]) if len(distinct) == 1 else Reading(None, at_odds=distinct)


def _number_in(statement: str, asked: QuestionContent) -> str | None:
    """The result of an equation that ends a cleaned `statement`, else the one number of its last part with a new one.

    A number is new where the question lacks it. Where no part holds a new one it is the only number of the last part;
    two numbers in a part are none.
    """
    if (result := _result(statement)) is not None:
        return result
    found = [numbers(part) for part in parts(statement)]
    for part in reversed(found):
        new = set(part) - asked.numbers
        if new:
            return new.pop() if len(new) == 1 else None
    return found[-1][0] if len(found[-1]) == 1 else None


def _number_of(piece: str, asked: QuestionContent) -> str | None:
    """The number of a text that is an answer alone."""
    return _number_in(committed(clean(plain(piece))), asked)


def _stated_numbers(found: Sequence[Block], asked: QuestionContent) -> Sequence[str | None]:
    """The numbers that a reply without a mark commits to, and None for a statement of none; they may contradict.

    1. A last line that is a number and its unit, behind other lines; or the last sentence with a number, where it opens
       with "so", "therefore" or the like and others go before it.
    2. Numbers in bold type that the question lacks.
    3. The first statement and the results of all equations, which must be the same. A first statement that only repeats
       a number of the question is none where later ones bring new ones.
    """
    said = [sentence for block in found for sentence in block.said]
    telling = [sentence for sentence in said if numbers(sentence)]
    if len(found) > 1 and is_bare_number(found[-1].raw) and not is_bare_number(found[-2].raw):
        return [_number_in(committed(sentence), asked) for sentence in found[-1].said[-1:]]
    strong = {
        span: number
        for span in bold(found)
        if (number := _number_in(span, asked)) is not None and number not in asked.numbers
    }
    if len(telling) > 1 and CONCLUDES.match(telling[-1]):
        within = {number for span, number in strong.items() if span in telling[-1]}
        if len(within) == 1:
            return [*within]
        return [_computed(telling[-1]) or _number_in(committed(telling[-1]), asked)]
    if strong:
        return [*strong.values()]
    first = first_statement(found)
    repeats = len(parts(first)) == 1 and set(numbers(first)) <= asked.numbers
    if repeats and any(not set(numbers(sentence)) <= asked.numbers for sentence in telling):
        return []
    return [_number_in(committed(first), asked), *map(_computed, said)]


def _computed(sentence: str) -> str | None:
    """The result of the equation in `sentence`, in its trailing clause if it must be."""
    said = committed(sentence)
    return (_result(said) or _result(sentence)) if said else None


def _result(statement: str) -> str | None:
    """The number behind the last equals sign of a cleaned `statement`, where several stand before it."""
    left, equals, right = statement.replace("equals", "=").rpartition("=")
    result = numbers(right) if equals else ()
    return result[0] if len(result) == 1 and len(_DIGITS.findall(parts(left)[-1])) > 1 else None


def _one_form(answer: str, asked: QuestionContent) -> str | None:
    """The form in which `answer`, a reference or what a mark holds, is compared; None where it is no short answer."""
    return asked.choice(plain(answer)) or expression(answer) or _short(plain(answer))


def _phrase_in(statement: str, asked: QuestionContent) -> str | None:
    """The short answer of a cleaned `statement`: the last part that says more than the question, else the last.

    Pieces between commas that repeat the question go. Where the question lists choices, the last part that is one.
    """
    if asked.choices:
        letters = (asked.choice(part) for part in reversed(parts(statement)))
        lettered = [letter for letter in asked.choices if f"{letter})" in _LETTER.findall(statement)]
        if letter := next(filter(None, letters), lettered[0] if len(lettered) == 1 else None):
            return letter
    pieces = re.split(r",(?=\s)", without_clause(_chosen_part(statement, asked)))
    new = [piece for piece in pieces if not echoes(piece, asked.known)]
    return _short(" ".join(new or pieces))


def _phrase_of(piece: str, asked: QuestionContent) -> str | None:
    """The short answer of a text that is an answer alone."""
    said = plain(piece)
    return asked.choice(said) or expression(piece) or _phrase_in(committed(clean(said)), asked)


def _stated_phrase(lines: Sequence[str], found: Sequence[Block], asked: QuestionContent) -> str | None:
    """The short answer of a reply without a mark: of its first statement, or what alone is bold.

    A reply of one line that is an expression is one. A list of several bullets is no single answer.
    """
    if len(lines) == 1 and "=" not in lines[0] and (whole := expression(BULLET.sub("", lines[0]))):
        return whole
    marked = [line for line in lines if BULLET.match(line)]
    if len(marked) > 1 and (lines[0] == marked[0] or lines[0].rstrip(" *_").endswith(":")):
        return None
    answer = _phrase_in(committed(first_statement(found)), asked)
    read = (_phrase_in(span, asked) for span in bold(found) if not echoes(span, asked.known))
    strong = [*{one for one in read if one is not None}]
    return strong[0] if len(strong) == 1 and (answer is None or f" {strong[0]} " in f" {answer} ") else answer


def _members_in(lines: Sequence[str], asked: QuestionContent) -> str | None:
    """The bullets, the short lines or the split statement, sorted, joined by ", "; None if one is no short answer."""
    pieces = [clean(BULLET.sub("", line)) for line in lines if BULLET.match(line)]
    if pieces:
        pieces = [re.split(r":|\s-+\s", piece)[0] for piece in pieces]
    elif len(lines) > 1 and all(len(line.split()) <= LONGEST for line in lines):
        pieces = [clean(line) for line in lines if not line.rstrip().endswith(":")]
    else:
        pieces = [_chosen_part(committed(explicit_statement(blocks(lines, bullets=False))), asked)]
    members = {trimmed(member) for piece in pieces for member in _SEPARATOR.split(piece) if normalise(member)}
    known = [member for member in members if member is not None]
    return ", ".join(sorted(known)) if known and len(known) == len(members) else None


def _members_of(piece: str, asked: QuestionContent) -> str | None:
    """The members of a text that is an answer alone."""
    return _members_in(lines_of(plain(piece)), asked)


def _short(said: str) -> str | None:
    """The words of `said`, or the expression that they are; None where it is neither short nor an expression."""
    answer = trimmed(said)
    return expression(said if answer is None else answer) or answer


def _chosen_part(statement: str, asked: QuestionContent) -> str:
    """The last part of `statement` that says more than the question did; where none does, the last."""
    found = parts(statement)
    return next((part for part in reversed(found) if not echoes(part, asked.known)), found[-1])
