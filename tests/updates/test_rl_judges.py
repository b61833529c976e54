"""Judges that reward: what one that compares gives, that they are frozen, asked at the same time, and closed."""

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from selfreward.__main__ import compose
from selfreward.artifacts.atomic_files import sha256_of
from selfreward.artifacts.parquet import clear_unfinished
from selfreward.backends import HfSpec, ServerSpec, VllmSpec
from selfreward.backends.hf import HfBackend
from selfreward.config import validate
from selfreward.errors import StageError
from selfreward.judges import AnyJudge
from selfreward.judges.base import Judge, Means
from selfreward.judges.likelihood import LikelihoodSpec, judge_likelihood
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.judges.pointwise import pointwise
from selfreward.judges.standard import Moments
from selfreward.policies import Endpoint, Policy, RewardModels
from selfreward.records import Candidate, Judgment, Prompt, make_prompt, undrawn
from selfreward.updates import GrpoSpec, rl_trainer
from selfreward.updates.base import FrozenJudge, Task, Training
from selfreward.updates.rl_judges import OpenJudge, opened
from selfreward.updates.rl_rewards import HERE, RewardSource, Scores, reward
from selfreward.updates.rl_sources import JudgeReward, LengthReward, judged
from selfreward.updates.training_process import run_update
from tests.backends.fake_server import FakeServer, listed, says
from tests.judges.made import Says
from tests.judges.pairs import prefers, shown, spec_of
from tests.rewarding import make_tiny_reward_model
from tests.tiny import make_tiny_policy

OPEN = make_prompt("tell me of the sea", system="", stratum="open", source="t")
KNOWN = make_prompt("tell me of the land", system="", stratum="open", source="t", references=("good", "other"))
HF = HfSpec(device="cpu", dtype="float32", workers=1)
POLICY = Policy(path=Path("p"), key="p", digest="p")
LIKELIHOOD = LikelihoodSpec(backend=HF)


def completions(*texts: str, step: int = 1, group_size: int = 4) -> list[Candidate]:
    return [undrawn(f"{step}-{place}", "p", place % group_size, text) for place, text in enumerate(texts)]


def comparing(answers: Callable[[str], Any], *overrides: str, reference: bool = False) -> tuple[RewardSource, Says]:
    """A pairwise judge as a source, over a backend that answers as it is told."""
    spec, backend = spec_of(*overrides), Says(answers)
    judge = spec.build(Means(policy=POLICY, backend=backend))  # type: ignore[arg-type]
    return judged(
        "pairs", 1.0, OpenJudge(judge=judge, spec=spec, asks=frozenset({HERE})), 7, reference=reference
    ), backend


def scored(source: RewardSource, prompts: Sequence[Prompt], *texts: str, group_size: int) -> list[float | None]:
    found = reward([source], prompts, completions(*texts, group_size=group_size), group_size).sources[0]
    return list(found.scores.values())


def test_the_better_one_of_a_group_has_the_higher_reward_and_groups_are_apart_though_they_share_a_prompt() -> None:
    source, backend = comparing(prefers("best", "good", "fair", "bad"))
    given = scored(source, [OPEN] * 6, "good", "bad", "best", "fair", "bad", "good", group_size=3)
    good, bad, best, fair, worst, top = (one for one in given if one is not None)
    assert best > good > bad
    assert top > fair > worst
    assert good == fair, "each is the second of its own group"
    met = [{*shown(one[-1].content)} for one in backend.asked]
    assert len(met) == 2 * 3 * 2
    assert {"best", "fair"} not in met


def test_completions_that_are_alike_have_the_same_reward_and_are_asked_about_once() -> None:
    source, backend = comparing(prefers("good", "bad"))
    first, second, third = scored(source, [OPEN] * 3, "good", "bad", "good", group_size=3)
    assert first == third
    assert first is not None and second is not None and first > second
    assert len(backend.asked) == 2


def test_a_member_of_a_group_that_no_comparison_decided_is_missing_and_told_by_its_outcome() -> None:
    def answers(message: str) -> str:
        return "I cannot say" if "odd" in shown(message) else prefers("good", "bad", "odd")(message)

    source, _ = comparing(answers)
    found = reward([source], [OPEN] * 3, completions("good", "odd", "bad", group_size=3), 3)
    assert found.kept == [True, False, True]
    assert found.sources[0].why == {"unparsed": 1}
    assert found.figures()["source/pairs/missing"] == 1


@pytest.mark.parametrize("method", ["sampled", "probability"])
def test_against_the_reference_a_reward_is_the_log_odds_of_being_better_and_others_have_none(method: str) -> None:
    chances = (0.9, 0.09, 0.01)

    def answers(message: str) -> Any:
        said = prefers("best", "good", "bad")(message)
        if method == "sampled":
            return said
        return chances if said.endswith("A") else (chances[1], chances[0], chances[2])

    source, backend = comparing(answers, f"judge.method={method}", reference=True)
    assert [source.applies(one) for one in (OPEN, KNOWN)] == [False, True]
    best, good, bad = scored(source, [OPEN, KNOWN, KNOWN, KNOWN], "bad", "best", "good", "bad", group_size=4)
    likely = 1.0 if method == "sampled" else 0.9 + 0.01 / 2
    assert best == pytest.approx(math.log((likely + 0.1) / (1.1 - likely)))
    assert bad is not None and best is not None and bad == pytest.approx(-best)
    assert good == 0.0
    assert [{*shown(one[-1].content)} for one in backend.asked] == [{"best", "good"}] * 2 + [{"bad", "good"}] * 2


def failing(share: float, failed: int) -> RewardSource:
    def ask(items: Any, seed: int, advance: Any) -> list[Judgment]:
        outcome = partial(pointwise, judge="j", raw="server is down")
        return [
            outcome(item, outcome="failed") if place < failed else outcome(item, score=float(place))
            for place, item in enumerate(items)
        ]

    spec = LikelihoodSpec(max_failed_share=share)
    return judged("mine", 1.0, OpenJudge(judge=Judge("j", ask), spec=spec, asks=frozenset({HERE})), 0)


def test_more_failures_than_the_judge_may_have_end_training_and_fewer_are_missing() -> None:
    asked = [OPEN] * 4, completions(*"abcd"), 4
    found = reward([failing(0.5, 2)], *asked)
    assert found.total == (None, None, 2.0, 3.0)
    assert found.sources[0].why == {"failed": 2}
    told = r"^update\.rewards\.mine: 3 of 4 judgments failed \(server is down\), max_failed_share allows 50%: .*raise"
    with pytest.raises(StageError, match=told) as caught:
        reward([failing(0.5, 3)], *asked)
    assert "\n" not in str(caught.value)


@dataclass
class Clock:
    """Counts who is at work at the same time."""

    now: int = 0
    most: int = 0

    def source(self, name: str, *asks: str, error: str | None = None) -> RewardSource:
        def score(prompts: Sequence[Prompt], _: Sequence[Candidate]) -> Scores:
            self.now += 1
            self.most = max(self.most, self.now)
            time.sleep(0.3)
            self.now -= 1
            if error is not None:
                raise StageError(error)
            return Scores([1.0] * len(prompts))

        return RewardSource(name=name, weight=1.0, applies=lambda _: True, score=score, asks=frozenset(asks))


@pytest.mark.parametrize(
    ("asks", "at_once"),
    [
        ((["m"], [HERE], ["n"]), 3),
        ((["m"], [HERE], ["m"]), 2),
        ((["m"], ["n"], ["m", "n"]), 1),
        ((["m", HERE], [HERE], ["n"]), 2),
        (([HERE], [HERE], [HERE]), 1),
    ],
)
def test_sources_that_ask_nothing_in_common_are_asked_at_the_same_time(asks: Any, at_once: int) -> None:
    clock, began = Clock(), time.monotonic()
    sources = [clock.source(name, *given) for name, given in zip("abc", asks, strict=True)]
    found = reward(sources, [OPEN] * 4, completions(*"abcd"), 4)
    assert clock.most == at_once
    assert at_once < 3 or time.monotonic() - began < 0.8, "three take about as long as one"
    assert found.total == (3.0,) * 4
    assert [one.name for one in found.sources] == ["a", "b", "c"]


@pytest.mark.parametrize(("broken", "told"), [((True, False), "a broke"), ((False, True), "b broke")])
def test_what_breaks_in_one_source_is_told_as_it_is(broken: tuple[bool, bool], told: str) -> None:
    first, second = ("a broke" if broken[0] else None), ("b broke" if broken[1] else None)
    sources = [Clock().source("a", "m", error=first), Clock().source("b", HERE, error=second)]
    with pytest.raises(StageError, match=f"^{told}$"):
        reward(sources, [OPEN] * 4, completions(*"abcd"), 4)


def served(server: FakeServer, *overrides: str, model: str = "judge") -> AnyJudge:
    engine = ServerSpec(model=model, urls=(server.url,), backoff=0.001, key_env=None)
    judge = validate(compose(["judge=rubric", *overrides])).judge
    return judge.model_copy(update={"policy": "endpoint", "backend": engine})


def test_judges_on_servers_are_asked_at_the_same_time_and_their_connections_end() -> None:
    frozen = {
        name: FrozenJudge(policy=Endpoint(model=model, revision=None))
        for name, model in (("drawn", "judge"), ("read", "other"))
    }
    answers = [says("Score: 4"), listed({"1": -0.7, "3": -0.7} | dict.fromkeys("0245", -40.0))]
    slowly = [replace(one, delay=0.3) for one in answers]
    with FakeServer(plan=lambda body, _: slowly["logprobs" in body], models=("judge", "other")) as server:
        judges = {
            "drawn": served(server, "judge.temperature=0"),
            "read": served(server, "judge.method=expected", model="other"),
        }
        with opened(judges, frozen) as found:
            sources = [judged(name, 1.0, one, 3) for name, one in found.judges.items()]
            assert [one.asks for one in sources] == [{"judge"}, {"other"}]
            rewards = reward(sources, [OPEN, OPEN], completions("a", "b", group_size=2), 2)
            assert found.used == {"requests": 4, "retries": 0, "untold": 0}
        assert server.most_at_once >= 4, "two of each"
        assert [one.tokens for one in rewards.sources] == [28, 20], "as the server tells them"
    assert [list(one.scores.values()) for one in rewards.sources] == [[4.0, 4.0], [pytest.approx(2.0)] * 2]


def test_a_judge_on_a_server_that_answers_nothing_is_told_with_its_source() -> None:
    with FakeServer(plan=lambda body, _: says("I would rather not rate this")) as server:
        judges = {"drawn": served(server)}
        with opened(judges, {"drawn": FrozenJudge(policy=Endpoint(model="judge", revision=None))}) as found:
            rewards = reward([judged("drawn", 1.0, found.judges["drawn"], 3)], [OPEN] * 2, completions("a", "b"), 2)
    assert rewards.kept == [False, False]
    assert rl_trainer._nothing(4, rewards).startswith(
        "no group of step 4 has two completions with a reward, so nothing can be learned (drawn said nothing of 2 of 2:"
        " 2 unparsed)"
    )


def test_models_that_judge_are_opened_once_for_all_sources_that_ask_them_and_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfreward.backends import reward_model

    folder = make_tiny_reward_model(tmp_path / "reward")
    brought = RewardModels(members=(Policy(path=folder, key="r", digest="r"),), engine={})
    own = validate(compose(["judge=reward_model", f"judge.models=[{folder}]", "judge.standardise=false"])).judge
    policy = make_tiny_policy(tmp_path / "policy")
    opens, closes = [], []
    monkeypatch.setattr(HfBackend, "close", lambda self: closes.append(self))
    init = HfBackend.__init__
    monkeypatch.setattr(HfBackend, "__init__", lambda self, *given: (opens.append(self), init(self, *given))[1])
    judges: dict[str, Any] = {"one": LIKELIHOOD, "two": LikelihoodSpec(backend=HF, max_failed_share=0.5), "three": own}
    frozen = {
        "one": FrozenJudge(policy=policy),
        "two": FrozenJudge(policy=policy),
        "three": FrozenJudge(policy=brought),
    }
    with opened(judges, frozen) as found:
        sources = [judged(name, 1.0, one, 3) for name, one in found.judges.items()]
        rewards = reward(sources, [OPEN] * 2, completions("hello you", "no"), 2)
        assert [one.asks for one in sources] == [{HERE}] * 3
    assert all(rewards.kept)
    assert rewards.sources[0].scores == rewards.sources[1].scores
    assert len(opens) == 1 and closes == opens
    assert reward_model._held.cache_info().currsize == 0


def test_the_judge_of_a_run_that_standardises_does_so_by_the_first_round(tmp_path: Path) -> None:
    folder = make_tiny_reward_model(tmp_path / "reward")
    brought = RewardModels(members=(Policy(path=folder, key="r", digest="r"),), engine={})
    own = validate(compose(["judge=reward_model", f"judge.models=[{folder}]"])).judge
    plain = own.model_copy(update={"standardise": False})
    standard = {"model_1": Moments(mean=0.5, deviation=2.0, scores=9)}
    given = {"own": FrozenJudge(policy=brought, standard=standard), "plain": FrozenJudge(policy=brought)}
    with opened({"own": own, "plain": plain}, given) as found:
        sources = [judged(name, 1.0, one, 3) for name, one in found.judges.items()]
        mine, raw = reward(sources, [OPEN] * 2, completions("hello you", "no"), 2).sources
    assert [mine.scores[place] for place in (0, 1)] == [
        pytest.approx((logit - 0.5) / 2) for logit in raw.scores.values() if logit is not None
    ]


SETTINGS: dict[str, Any] = {
    "device": "cpu",
    "compute": "float32",
    "top_layers": 1,
    "learning_rate": 5e-2,
    "schedule": "constant",
    "steps": 3,
    "prompts_per_step": 2,
    "group_size": 4,
    "batch_size": 8,
    "max_new_tokens": 6,
}
REWARDS = {"own": JudgeReward(), "length": LengthReward(above=1, weight=0.1)}
PROMPTS = [make_prompt(text, system="", stratum="open", source="t") for text in ("what is it", "where", "who")]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return make_tiny_policy(tmp_path_factory.mktemp("tiny") / "policy", extra_stops=range(65, 85))


def trained(policy: Policy, folder: Path, advance: Callable[[int], None] = lambda _: None, **changes: Any) -> Training:
    folder.mkdir(exist_ok=True)
    spec = GrpoSpec(**{**SETTINGS, "rewards": REWARDS, **changes}).judged_by(LikelihoodSpec(), HF)
    judges = {"own": FrozenJudge(policy=policy)}
    task = Task(policy=policy, reference=policy, rows=PROMPTS, out=folder / "model", seed=7, judges=judges)
    return run_update(spec, task, advance)


def test_a_live_judge_says_what_it_says_outside_of_training_and_stays_what_it_was(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[list[Prompt], list[Candidate]]] = []

    def seen(sources: Any, prompts: list[Prompt], candidates: list[Candidate], group_size: int) -> Any:
        drawn.append((prompts, candidates))
        return reward(sources, prompts, candidates, group_size)

    monkeypatch.setattr(rl_trainer, "reward", seen)
    result = trained(policy, tmp_path / "a")
    assert result.rl_steps is not None and len(drawn) == len(result.rl_steps) == 3
    with HfBackend(HF, policy) as backend:
        for (prompts, candidates), step in zip(drawn, result.rl_steps, strict=True):
            items = list(zip(prompts, candidates, strict=True))
            said = judge_likelihood("j", backend, policy, items, 0, lambda _: None)
            scores = [one.score for one in said if one.score is not None]
            own = next(one for one in step.sources if one.name == "own")
            assert (own.applied, own.missing) == (8, 0)
            assert own.tokens == sum(one.usage.prompt_tokens for one in said) > 0
            assert own.mean == pytest.approx(sum(scores) / 8, abs=1e-6)
    before, after = (torch_weights(path) for path in (policy.path, tmp_path / "a/model"))
    assert not torch.equal(before, after), "the policy that was trained has moved"


def torch_weights(folder: Path) -> torch.Tensor:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")["model.layers.2.mlp.down_proj.weight"]


def test_what_is_drawn_hangs_on_no_judge(policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def noisy(sources: Any, *given: Any) -> Any:
        torch.manual_seed(0)  # as a user's function may do
        return reward(sources, *given)

    plain = trained(policy, tmp_path / "a")
    monkeypatch.setattr(rl_trainer, "reward", noisy)
    assert trained(policy, tmp_path / "b") == plain


class Killed(BaseException):
    """What nobody catches."""


@pytest.mark.slow
def test_training_that_was_killed_asks_the_judge_again_and_ends_in_the_same_weights(
    policy: Policy, tmp_path: Path
) -> None:
    def kill(more: int) -> None:
        done.append(more)
        if sum(done) == 2:
            raise Killed

    done: list[int] = []
    plain = trained(policy, tmp_path / "plain")
    with pytest.raises(Killed):
        trained(policy, tmp_path / "killed", kill, save_steps=1)
    clear_unfinished(tmp_path / "killed", [], lambda _: None)
    assert trained(policy, tmp_path / "killed", save_steps=1) == plain
    weights = [sha256_of(tmp_path / name / "model/model.safetensors") for name in ("plain", "killed")]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_a_child_process_asks_the_judge_as_this_one_does(policy: Policy, tmp_path: Path) -> None:
    results = [trained(policy, tmp_path / isolate, isolate=isolate) for isolate in ("never", "always")]
    assert results[0] == results[1]
    weights = [sha256_of(tmp_path / isolate / "model/model.safetensors") for isolate in ("never", "always")]
    assert weights[0] == weights[1]


def test_a_child_is_told_of_every_kind_of_what_judges() -> None:
    adapter = TypeAdapter(Task)
    judges = {
        "own": FrozenJudge(policy=POLICY, weights={"a": 1.0}, standard={"m": Moments(mean=0, deviation=1, scores=2)}),
        "far": FrozenJudge(policy=Endpoint(model="m", revision=None), jurors={"juror_a": POLICY}),
        "brought": FrozenJudge(policy=RewardModels(members=(POLICY,), engine={"torch": "1"})),
        "code": FrozenJudge(policy=None),
    }
    task = Task(policy=POLICY, reference=None, rows=PROMPTS, out=Path("o"), seed=1, judges=judges)
    assert adapter.validate_json(adapter.dump_json(task)).judges == judges


def judge_of(*overrides: str) -> AnyJudge:
    return validate(compose([*overrides])).judge


def test_judges_that_cannot_reward_are_told_in_one_line_that_says_what_to_set(tmp_path: Path) -> None:
    folder = make_tiny_reward_model(tmp_path / "reward")
    jury = ("judge=jury", "judge.rule=weighted", "judge.weights=learned")
    pointwise_, pairs = LikelihoodSpec(), judge_of("judge=pairwise")
    models = judge_of("judge=reward_model", f"judge.models=[{folder}]")
    vllm, served_ = VllmSpec(), pairs.model_copy(update={"backend": VllmSpec()})
    cases: list[tuple[JudgeReward, AnyJudge, Any, str]] = [
        (JudgeReward(), pointwise_, vllm, r"rewards\.r asks a judge on backend=vllm, .*\+backend@judge\.backend=hf"),
        (JudgeReward(judge=served_), pointwise_, HF, r"\+backend@update\.rewards\.r\.judge\.backend=hf, or =server"),
        (
            JudgeReward(against="reference"),
            pointwise_,
            HF,
            r"r\.against=reference with judge=likelihood, .*against=group",
        ),
        (JudgeReward(), judge_of("judge=pairwise", "judge.budget=3", "sample.k=4"), HF, "^$"),
        (
            JudgeReward(),
            pairs.model_copy(update={"budget": 2}),
            HF,
            r"judge\.budget=2 .*update\.group_size=4 answers out",
        ),
        (JudgeReward(judge=judge_of(*jury)), pointwise_, HF, r"update\.rewards\.r\.judge\.weights=learned .*alone"),
        (JudgeReward(), judge_of(*jury), HF, "^$"),
        (JudgeReward(judge=models), pointwise_, HF, r"set update\.rewards\.r\.judge\.standardise=false"),
        (JudgeReward(judge=models.model_copy(update={"standardise": False})), pointwise_, HF, "^$"),
        (JudgeReward(), models, HF, "^$"),
    ]
    for given, judge, engine, told in cases:
        why = GrpoSpec(**{**SETTINGS, "rewards": {"r": given}}).why_not_judged(judge, engine) or ""
        assert re.search(told, why), (told, why)
        assert "\n" not in why


def test_only_what_asks_a_judge_is_changed_by_that_of_the_run() -> None:
    plain = GrpoSpec(**{**SETTINGS, "rewards": {"length": LengthReward(above=1)}})
    assert plain.judged_by(LikelihoodSpec(), HF) == plain
    own = GrpoSpec(**{**SETTINGS, "rewards": REWARDS})
    assert own.judges == {"own": None}
    assert own.judged_by(LikelihoodSpec(), HF).judges == {"own": LIKELIHOOD}
    assert own.judged_by(spec_of(), HF).judges == {"own": spec_of().model_copy(update={"backend": HF})}
    assert isinstance(own.judged_by(spec_of(), HF).judges["own"], PairwiseSpec)
