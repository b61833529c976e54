"""Texts whose meaning is known, and what the monitor makes of them when they are spoilt."""

import numpy as np
import pytest

from selfreward.benchmarks.bench_table import Row
from selfreward.benchmarks.corruptions import corruptions_section, said_twice, with_preamble, with_preamble_cut
from selfreward.benchmarks.exact_loops import ANSWERS, make_people
from selfreward.benchmarks.writer import embed_concepts, make_writer, one_form, texts_of
from selfreward.metrics.estimators import mean_pairwise_distance, words


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    return {row.name: row for row in corruptions_section(np.random.SeedSequence(0), 64).rows}


@pytest.mark.parametrize("name", ["nothing", "a preamble", "said twice", "one word for each concept"])
def test_spoilt_form_injects_nothing(rows: dict[str, Row], name: str) -> None:
    assert rows[name].passed
    assert rows[name].cells[-1] == 0.1


def test_lost_meanings_raise_the_alarm_and_bring_human_data(rows: dict[str, Row]) -> None:
    *_, state, share = rows["all but one meaning of a prompt rare"].cells
    assert state in ("ALARM", "SEVERE")
    assert isinstance(share, float) and share > 0.1


def test_a_preamble_does_not_move_diversity_of_meaning(rows: dict[str, Row]) -> None:
    assert rows["a preamble"].cells[0] == rows["nothing"].cells[0]


def test_the_embedder_sees_meaning_and_not_its_words() -> None:
    rng = np.random.default_rng(0)
    writer, people_PK = make_writer(rng, 1), make_people(rng, 1, 1.0)
    same, other = (
        [one.text for one in texts_of(rng, writer, people_PK, np.array([meanings]))["0"]]
        for meanings in ([5] * 8, range(8))
    )
    assert (mean_pairwise_distance(embed_concepts(same)) or 0) < 0.5 * (
        mean_pairwise_distance(embed_concepts(other)) or 0
    )
    assert embed_concepts([one_form(same[0])]) == pytest.approx(embed_concepts([same[0]]))
    assert one_form(same[0]) != same[0]


def test_corruptions_keep_one_log_probability_a_word() -> None:
    rng = np.random.default_rng(0)
    writer, people_PK = make_writer(rng, 1), make_people(rng, 1, 1.0)
    answer = texts_of(rng, writer, people_PK, np.array([[ANSWERS - 1]]))["0"][0]
    for spoilt in (answer, with_preamble(answer), with_preamble_cut(answer), said_twice(answer)):
        assert len(words(spoilt.text)) == len(spoilt.token_logprobs)
    assert len(with_preamble_cut(answer).token_logprobs) == len(answer.token_logprobs)
