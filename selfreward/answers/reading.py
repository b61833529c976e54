"""What a reply commits to: its final answer where it marks one, else what it states."""

from collections.abc import Iterable
from dataclasses import dataclass

from selfreward.answers.asked import asked_by, bare_letters
from selfreward.answers.latex import expression, plain
from selfreward.answers.marks import BOX, marks, take_boxes
from selfreward.answers.numbers import numbers
from selfreward.answers.numeric import number_in, number_of, stated_numbers
from selfreward.answers.patterns import found_in_time
from selfreward.answers.phrase import members_in, members_of, one_form, phrase_in, phrase_of, stated_phrase
from selfreward.answers.sentences import blocks, committed, lines_of
from selfreward.answers.words import clean, trimmed
from selfreward.records import Prompt


@dataclass(frozen=True, slots=True)
class Reading:
    """The short answer of a reply, normalised; None where it has none, or final answers that are `at_odds`."""

    answer: str | None
    at_odds: tuple[str, ...] = ()


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
    """
    asked = asked_by(prompt.messages[-1].content)
    rest, held = take_boxes(text.replace(BOX, ""))
    numeric, of_set = prompt.match == "numeric", prompt.match == "set"
    lines = lines_of(plain(bare_letters(rest) if asked.choices and not numeric else rest))
    found = blocks(lines, bullets=not numeric)
    in_piece = number_of if numeric else members_of if of_set else phrase_of
    in_sentence = number_in if numeric else phrase_in
    marked = marks(found, held, lambda tail: not numeric and not of_set and expression(tail) is not None)
    if of_set:
        marked = [mark for mark in marked if mark.piece is not None]
    if marked:
        return _agreed(
            in_sentence(committed(mark.sentence), asked) if mark.piece is None else in_piece(mark.piece, asked)
            for mark in marked
        )
    if numeric:
        return _agreed(stated_numbers(found, asked))
    return Reading(members_in(lines, asked) if of_set else stated_phrase(lines, found, asked))


def extract_answer(text: str, prompt: Prompt) -> str | None:
    """The short answer that `text` commits to, normalised; None where it commits to none, or to several."""
    return read_answer(text, prompt).answer


def is_right(prompt: Prompt, text: str) -> bool | None:
    """Whether the answer in `text` is accepted; False for none, None without a `match`. Raises PatternTooSlow."""
    return None if prompt.match is None else accepts(prompt, extract_answer(text, prompt))


def accepts(prompt: Prompt, answer: str | None) -> bool:
    """Whether `answer`, as it was extracted, is an accepted one; False for None. Raises PatternTooSlow."""
    if answer is None:
        return False
    if prompt.match == "numeric":
        return any(numbers(clean(plain(reference))) == (answer,) for reference in prompt.references)
    if prompt.match == "regex":
        return any(found_in_time(one, answer, whole=True) for one in prompt.references)
    # An answer was trimmed when it was extracted: "10 days" is read as "10".
    asked = asked_by(prompt.messages[-1].content)
    accepted = {one_form(reference, asked) for reference in prompt.references}
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
