"""Gold over KL where its truth is a sum: of tilted policies, of best of n, and of ensembles of proxies.

Shape suffixes: P prompts, A answers, I ensemble members, L positions of tokens, V tokens of the vocabulary.
"""

from collections.abc import Callable, Mapping

import numpy as np

from selfreward.benchmarks.bench_table import Row, Section
from selfreward.benchmarks.tilted_policies import (
    BLIND_SPOTS,
    GAIN,
    LOSS,
    Answers,
    Floats,
    Truth,
    blind_spot,
    chance_right,
    over_optimised,
    tilted,
    truth_of,
)
from selfreward.metrics.best_of_n import ScoredCandidates, best_of_n, best_of_n_kl
from selfreward.metrics.kl_to_initial import DrawnLogprobs, kl_to_initial

MOST_OFF = 4.0

_SHOWN = (0, 2, 4, 5, 6, 8, 10)
_CLOSE = 1e-3
_CANDIDATES, _SETS = 16, 10
_TOKENS, _VOCABULARY, _PROMPTS, _DRAWS = 32, 50, 400, 4
_MEMBERS, _PHRASES, _RARE, _LIKED, _HARM = 4, 4, 0.01, 2.0, 8.0
_SHARED = (0, 1, 2, 3, 4)
# As many answers as leave tilts so far off with a hundred that count: log 4,096 is 8.3 nats.
_FARTHEST, _STEP = 4.0, 0.02
_ENSEMBLE_PROMPTS, _ENSEMBLE_ANSWERS = 32, 4096
_WIDTH = 2 * 1.96


def curve_section(luck: np.random.SeedSequence) -> Section:
    """True proxy and gold along the runs that the other tables watch."""
    rows = []
    for name, lot in zip(BLIND_SPOTS, luck.spawn(len(BLIND_SPOTS)), strict=True):
        answers = blind_spot(name, np.random.default_rng(lot))
        course = over_optimised(answers, 10)
        truths, spread = course.truths(), float(answers.proxy_PA.std())
        gained = {course.peak: GAIN, 10: GAIN - LOSS}
        for number in _SHOWN:
            one = truths[number]
            rise, gain = (one.proxy - truths[0].proxy) / spread, one.gold - truths[0].gold
            passed = abs(gain - gained[number]) <= _CLOSE if number in gained else None
            rows.append(Row(name=name, cells=(number, max(0.0, one.kl) ** 0.5, rise, one.gold, gain), passed=passed))
    return Section(
        title="Proxies with a blind spot",
        reading=(
            "What is true of the policies of a run of 10 rounds. `length`: the proxy likes quality and length, and "
            "past the mean more length does harm. `a phrase`: it likes a phrase that makes an answer wrong. `a kind of "
            "question`: in half of the prompts it likes the worse answer. KL is that to the initial policy, in nats "
            "per answer; the proxy rises in standard deviations of the initial policy's scores; gold is the share of "
            f"right answers. Asked: a gain of {GAIN:g} at the peak, of which {LOSS:g} is lost in the end."
        ),
        columns=("policy", "root of KL", "proxy rose by", "gold", "gold gained"),
        rows=tuple(rows),
    )


def best_of_n_section(luck: np.random.SeedSequence) -> Section:
    """The exact gold of best of n beside what candidates already drawn say of it."""
    rows = []
    for name, lot in zip(BLIND_SPOTS, luck.spawn(len(BLIND_SPOTS)), strict=True):
        rng = np.random.default_rng(lot)
        answers = blind_spot(name, rng)
        sets = [_candidates(answers, rng) for _ in range(_SETS)]
        for n in (1, 2, 4, 8, 16):
            policy_PA = _best_of(answers.proxy_PA, n)
            true, true_P = truth_of(answers, policy_PA), (policy_PA * answers.gold_PA).sum(axis=1)
            off = np.array([[best_of_n(one, n)[1] for one in prompts] - true_P for prompts in sets])
            error = float(off.std()) / off.size**0.5
            z = float(off.mean()) / error
            cells = (n, best_of_n_kl(n), true.kl, true.gold, true.gold + float(off.mean()), error, round(z, 2))
            passed = abs(z) <= MOST_OFF and true.kl <= best_of_n_kl(n) + 1e-9
            rows.append(Row(name=name, cells=cells, passed=passed))
    return Section(
        title="Best of n from candidates already drawn",
        reading=(
            f"Best of n of the initial policy by the proxies above. `Formula`: log n - (n - 1) / n nats; `KL`: what is "
            "true where there are 256 answers to a prompt and scores may have ties. `Gold`: what is true. "
            f"`Estimated`: from {_CANDIDATES} candidates of each prompt, over {_SETS} sets of them, for every n at "
            f"once, with its standard error. A row holds if the estimate lies within {MOST_OFF:g} standard errors of "
            "the truth and the formula is not below KL."
        ),
        columns=("n", "formula", "KL", "gold", "estimated", "standard error", "z"),
        rows=tuple(rows),
    )


def kl_section(luck: np.random.SeedSequence) -> Section:
    """Two estimates of KL from token log-probabilities beside the truth."""
    rng = np.random.default_rng(luck)
    likely_LV = -rng.uniform(0.5, 3, (_TOKENS, 1)) * np.log(np.arange(1, _VOCABULARY + 1))
    noise_LV = rng.standard_normal((_TOKENS, _VOCABULARY))
    silenced_LV = 0.1 * noise_LV
    silenced_LV[0, 0] = -30
    moved: Mapping[str, Floats] = {
        "moved a little": 0.1 * noise_LV,
        "moved": 0.4 * noise_LV,
        "moved far": 1.5 * noise_LV,
        "sharpened to temperature 0.5": likely_LV,
        "moved a little, the likeliest opening never said": silenced_LV,
    }
    rows = []
    for name, change_LV in moved.items():
        own_LV, initial_LV = _log_chances(likely_LV + change_LV), _log_chances(likely_LV)
        true = float((np.exp(own_LV) * (own_LV - initial_LV)).sum())
        found = kl_to_initial(_answers(own_LV, initial_LV, rng), seed=0)
        assert found is not None, "answers were drawn"
        errors = [(one.high - one.low) / _WIDTH for one in (found.plain, found.k3)]
        z = [(one.value - true) / error for one, error in zip((found.plain, found.k3), errors, strict=True)]
        told = (found.plain.value, errors[0], round(z[0], 2), found.k3.value, errors[1], round(z[1], 2))
        rows.append(Row(name=name, cells=(true, true / _TOKENS, *told), passed=abs(z[0]) <= MOST_OFF))
    return Section(
        title="KL from token log-probabilities",
        reading=(
            f"Answers of {_TOKENS} independent tokens, {_DRAWS} to each of {_PROMPTS} prompts; nats per answer, beside "
            "them nats a token. `Plain` is the sum of log p - log p0, `k3` that of p0/p - 1 - log p0/p, each with its "
            f"standard error and its distance from the truth in these. A row holds if the plain one is within "
            f"{MOST_OFF:g}. Near the initial policy k3 is far less noisy. Far off it is noisier; where the policy no "
            "longer says what the initial one did, it is too low and its interval does not show it."
        ),
        columns=("KL", "a token", "plain", "error", "z", "k3", "error of k3", "z of k3"),
        rows=tuple(rows),
    )


Aggregate = Callable[[Floats], Floats]
"""From members' scores (I, P, A) to one score (P, A)."""

AGGREGATES: Mapping[str, Aggregate] = {
    "one member": lambda members_IPA: members_IPA[0],
    "mean": lambda members_IPA: members_IPA.mean(axis=0),
    "lower, lambda 1": lambda members_IPA: members_IPA.mean(axis=0) - members_IPA.std(axis=0, ddof=1),
    "lower, lambda 2": lambda members_IPA: members_IPA.mean(axis=0) - 2 * members_IPA.std(axis=0, ddof=1),
    "min": lambda members_IPA: members_IPA.min(axis=0),
}


def ensemble_section(luck: np.random.SeedSequence) -> Section:
    """Where gold turns if what is optimised is an ensemble whose members share some of their blind spots."""
    rows = []
    for shared, lot in zip(_SHARED, luck.spawn(len(_SHARED)), strict=True):
        members_IPA, gold_PA = _ensemble(shared, np.random.default_rng(lot))
        turns = {name: _turn(Answers(merged(members_IPA), gold_PA)) for name, merged in AGGREGATES.items()}
        single = turns["one member"]
        for name, (turn, reached) in turns.items():
            later = turn.kl / single[0].kl
            told = (turn.kl, later) if reached else (f"above {turn.kl:.2g}", f"above {later:.2g}")
            cells = (f"{shared} of {_PHRASES}", *told, turn.gold, turn.gold - single[0].gold)
            asked = shared < _PHRASES and name.startswith("lower")
            rows.append(Row(name=name, cells=cells, passed=later > 1 if asked else None))
    return Section(
        title="How much an ensemble delays the turn",
        reading=(
            f"{_MEMBERS} proxies that see quality and each like {_PHRASES} phrases that make an answer wrong, each of "
            f"which stands in {_RARE:.0%} of the initial policy's answers. So many phrases all members like; the "
            "others are each one's own. Exactly tilted by the aggregate: KL, in nats per answer, and gold where gold "
            f"is best up to {_FARTHEST:g} nats, and both beside those of one member. `lower` is the mean minus lambda "
            "standard deviations of the members. Asked: unless all phrases are shared, `lower` turns later than one "
            "member."
        ),
        columns=("phrases shared", "KL at the turn", "times one member's", "gold there", "gold more"),
        rows=tuple(rows),
    )


def _candidates(answers: Answers, rng: np.random.Generator) -> list[ScoredCandidates]:
    """What the initial policy draws to every prompt; gold says right or wrong of each."""
    prompts, count = answers.proxy_PA.shape
    drawn_PK = rng.integers(count, size=(prompts, _CANDIDATES))
    proxy_PK, chance_PK = (np.take_along_axis(one, drawn_PK, axis=1) for one in (answers.proxy_PA, answers.gold_PA))
    right_PK = rng.random(chance_PK.shape) < chance_PK
    return [
        ScoredCandidates(proxy=proxy.tolist(), gold=right.tolist())
        for proxy, right in zip(proxy_PK, right_PK, strict=True)
    ]


def _best_of(proxy_PA: Floats, n: int) -> Floats:
    """The chances of best of n where all answers are equally likely and ties are broken by an equal chance of each."""
    policy_PA = np.empty_like(proxy_PA)
    for policy_A, proxy_A in zip(policy_PA, proxy_PA, strict=True):
        _, rank_A, sizes = np.unique(proxy_A, return_inverse=True, return_counts=True)
        upto = np.concatenate([[0.0], sizes.cumsum() / len(proxy_A)]) ** n
        policy_A[:] = (np.diff(upto) / sizes)[rank_A]
    return policy_PA


def _log_chances(logits_LV: Floats) -> Floats:
    return np.asarray(logits_LV - np.log(np.exp(logits_LV).sum(axis=1, keepdims=True)))


def _answers(own_LV: Floats, initial_LV: Floats, rng: np.random.Generator) -> dict[str, list[DrawnLogprobs]]:
    upto_LV, places = np.exp(own_LV).cumsum(axis=1), np.arange(_TOKENS)

    def answer() -> DrawnLogprobs:
        drawn_L = np.minimum((rng.random((_TOKENS, 1)) > upto_LV).sum(axis=1), _VOCABULARY - 1)
        return DrawnLogprobs(own=own_LV[places, drawn_L].tolist(), initial=initial_LV[places, drawn_L].tolist())

    return {str(prompt): [answer() for _ in range(_DRAWS)] for prompt in range(_PROMPTS)}


def _ensemble(shared: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The scores of all members and the chance that an answer is right."""
    shape = (_ENSEMBLE_PROMPTS, _ENSEMBLE_ANSWERS)
    quality_PA, ease_P1 = rng.standard_normal(shape), rng.standard_normal((shape[0], 1))
    common_PA = _phrases(shared, shape, rng)
    own_IPA = np.stack([_phrases(_PHRASES - shared, shape, rng) for _ in range(_MEMBERS)])
    any_PA = (common_PA + own_IPA.sum(axis=0)) > 0
    return quality_PA + _LIKED * (common_PA + own_IPA), chance_right(quality_PA, ease_P1, _HARM * any_PA)


def _phrases(count: int, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """How many of so many phrases stand in each answer."""
    return rng.binomial(count, _RARE, size=shape).astype(np.float64)


def _turn(answers: Answers) -> tuple[Truth, bool]:
    """The truth where gold is best, and whether it falls from there on before the farthest KL that is looked at."""
    found: list[Truth] = []
    for strength in np.arange(_STEP, 100, _STEP).tolist():
        found.append(truth_of(answers, tilted(answers, strength)))
        if found[-1].kl >= _FARTHEST:
            break
    best = max(found, key=lambda one: one.gold)
    return best, best is not found[-1]
