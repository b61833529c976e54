"""What became of a candidate, in words, where the monitor has changed the rule."""

from selfreward.monitor.controller import Orders
from selfreward.reading.fate_words import fate_in_words, rule_in_words
from selfreward.reading.prompt_rounds import Considered, PolicyName, PromptRound, SelectionRule
from selfreward.records import make_prompt
from selfreward.selection import AnySelect
from selfreward.selection.examples import RandomPick
from selfreward.selection.fates import Fate
from selfreward.selection.pairs import PreferencePairs
from tests.test_explain import candidate

PROMPT = make_prompt("Why?", system="", stratum="open", source="test")
PASSED = Considered(
    candidate=candidate(PROMPT, 0, "Because."),
    judgments=(),
    fate=Fate(
        prompt_id=PROMPT.id, candidate_id="candidate-0", index=0, fate="passed_over", score=1.0, worth=1.0, rank=1
    ),
)


def a_round(spec: AnySelect, orders: Orders, anchors: bool = False) -> PromptRound:
    return PromptRound(
        iteration=1, drawers=(PolicyName(number=1, key="k", digest="d"),), judge=None, candidates=(PASSED,),
        rule=SelectionRule(spec, 0, orders), anchors=anchors, chain=(),
    )  # fmt: skip


def test_an_order_that_decides_is_what_is_told() -> None:
    anchored = a_round(PreferencePairs(), Orders(anchored=True), anchors=True)
    assert fate_in_words(PASSED, anchored).endswith("an answer of iteration 0 stands against the human one")
    novel = a_round(RandomPick(), Orders(novelty=True))
    assert fate_in_words(PASSED, novel).endswith("select.top=1 and others were preferred, novel ones first")


def test_the_first_k_are_looked_at_whatever_became_of_them() -> None:
    assert rule_in_words(a_round(RandomPick(k=3), Orders()))[1].startswith("eligible: those of the first 3 that ")
