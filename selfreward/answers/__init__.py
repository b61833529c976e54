"""Short answers: what a free reply commits to, and whether that is right.

A reply is judged by the answer it commits to, never by the words it mentions. The reading rules are few and
the accepted answers play no part in them, so a ramble cannot be right by luck.
"""

from selfreward.answers.found import Reading
from selfreward.answers.reading import accepts, distinct_key, extract_answer, is_right, read_answer

__all__ = ["Reading", "accepts", "distinct_key", "extract_answer", "is_right", "read_answer"]
