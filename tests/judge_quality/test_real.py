"""Published agreement of people, reproduced where their labels lie beside the checkout."""

import json
from pathlib import Path

import pytest

from selfreward.judge_quality.agreement import fleiss_kappa, krippendorff_alpha, mean_pairwise_kappa
from selfreward.judge_quality.estimate import Measure

REAL = Path(__file__).parents[2].parent / "shared" / "data"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the folder shared/data is not beside the checkout")
ALPHA = {
    "grammar": 0.415,
    "fluency": 0.432,
    "verbosity": 0.399,
    "structure": 0.399,
    "success": 0.363,
    "overall": 0.435,
}
ANNOTATORS = ((0, 1), (0, 2), (1, 2))


def value(measure: Measure) -> float:
    assert measure.interval is not None, measure.why_missing
    assert measure.interval.low < measure.interval.value < measure.interval.high
    return measure.interval.value


@real
def test_pandalm_annotators() -> None:
    rows = json.loads((REAL / "pandalm-testset/testset-v1.json").read_text())
    votes = [[str(row[f"annotator{person}"]) for person in (1, 2, 3)] for row in rows]
    assert value(fleiss_kappa(votes, 0)) == pytest.approx(0.8642, abs=5e-5)
    pairs = [value(mean_pairwise_kappa([(vote[a], vote[b]) for vote in votes], 0)) for a, b in ANNOTATORS]
    assert pairs == pytest.approx([0.8520, 0.8789, 0.8617], abs=5e-5)


@real
@pytest.mark.parametrize("criterion", ALPHA)
def test_recipe_ratings(criterion: str) -> None:
    rows = json.loads((REAL / "recipe-ratings/meta_evaluation_recipes.json").read_text())["instances"]
    ratings = [row["annotations"][criterion]["individual_human_scores"] for row in rows]
    assert value(krippendorff_alpha(ratings, "ordinal", 0)) == pytest.approx(ALPHA[criterion], abs=5e-4)
