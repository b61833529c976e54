"""What became of a candidate, in words, where the monitor has changed the rule."""

from selfreward.monitor.controller import Orders
from selfreward.reading.rounds import Considered, PolicyName, Round, Rule
from selfreward.records import make_prompt
from selfreward.report.reasons import fate, rule_in_words
from selfreward.selection import AnySelect
from selfreward.selection.examples import RandomPick
from selfreward.selection.pairs import PreferencePairs
from selfreward.selection.reasons import Reason
from tests.test_explain import candidate

PROMPT = make_prompt("Why?", system="", stratum="open", source="test")
PASSED = Considered(
    candidate=candidate(PROMPT, 0, "Because."), judgments=(), score=1.0, reason=Reason(name="passed_over", rank=1)
)


def a_round(spec: AnySelect, orders: Orders, counts: dict[str, int], pairs: tuple[tuple[str, str], ...] = ()) -> Round:
    return Round(
        iteration=1, policy=PolicyName(number=1, key="k", digest="d"), judge=None, candidates=(PASSED,),
        rule=Rule(spec, 0, orders), counts=counts, pairs=pairs, chain=(),
    )  # fmt: skip


def test_an_order_that_decides_is_what_is_told() -> None:
    anchored = a_round(PreferencePairs(), Orders(anchored=True), {"human_pairs": 1}, (("human", "an-old-one"),))
    assert fate(PASSED, anchored).endswith("an answer of iteration 0 stands against the human one")
    novel = a_round(RandomPick(), Orders(novelty=True), {"passed_over": 1})
    assert fate(PASSED, novel).endswith("select.top=1 and others were preferred, novel ones first")


def test_the_first_k_are_looked_at_whatever_became_of_them() -> None:
    assert rule_in_words(a_round(RandomPick(k=3), Orders(), {}))[1].startswith("eligible: those of the first 3 that ")
