"""A closed prompt to read answers to."""

from selfreward.records import Match, Prompt, make_prompt

EGGS = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast and bakes muffins with four. She sells the "
    "remainder for $2 per egg. How much does she make every day?"
)


def asking(question: str, *references: str, match: Match = "exact") -> Prompt:
    return make_prompt(question, system="", stratum="closed", source="test", references=references, match=match)
