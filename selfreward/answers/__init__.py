"""Short answers: what a free reply commits to, and whether that is right.

A reply is judged by the answer it commits to, never by the words it mentions. The reading rules are few and
the accepted answers play no part in them, so a ramble cannot be right by luck.
"""

from selfreward.answers.latex import boxes
from selfreward.answers.marks import hashed
from selfreward.answers.patterns import PatternTooSlow, found_in_time
from selfreward.answers.reading import Reading, accepts, distinct_key, extract_answer, is_right, read_answer
from selfreward.answers.words import normalise

__all__ = [
    "PatternTooSlow",
    "Reading",
    "accepts",
    "boxes",
    "distinct_key",
    "extract_answer",
    "found_in_time",
    "hashed",
    "is_right",
    "normalise",
    "read_answer",
]
