"""A mixture of real models, tiny ones: loaded one after the other, each drawing what it draws alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from selfreward.artifacts import Store
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.hf_model import ModelFacts
from selfreward.policies import Policies
from selfreward.records import Candidate, Prompt
from selfreward.stages.sample import SampleSpec, sample, who_draws
from tests.stages.tables import artifact, open_prompt
from tests.support import Silent
from tests.tiny import make_tiny_policy

SPEC = HfSpec(dtype="float32", device="cpu", workers=1)


def test_each_model_is_loaded_once_and_draws_what_it_draws_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [make_tiny_policy(tmp_path / f"tiny{layers}", layers=layers) for layers in (1, 2, 3)]
    initial, previous, live = (replace(one, key=one.path.name, digest=one.path.name) for one in made)
    policies = Policies(live=live, previous=previous, initial=initial)
    asked = [open_prompt(number) for number in range(5)]
    prompts = artifact(tmp_path, "asked", {"rows": (Prompt, asked)})
    loaded: list[str] = []
    ask_facts = HfBackend._ask_facts

    def facts(backend: HfBackend) -> ModelFacts:
        if backend._facts is None:
            loaded.append(backend._policy.digest)
        return ask_facts(backend)

    monkeypatch.setattr(HfBackend, "_ask_facts", facts)
    store = Store(tmp_path / "store", Silent())

    def drawn(**shares: float) -> list[Candidate]:
        settings = {"k": 4, "shard_prompts": 2, "max_new_tokens": {"closed": 6, "open": 6}, "from": shares}
        spec, drawers = who_draws(SampleSpec.model_validate(settings), policies)
        with HfBackend(SPEC, live) as backend:
            found = store.run(sample, spec, seed=1, backend=backend, prompts=prompts, **drawers)
            assert (backend._held is None) == (shares != {"live": 1.0}), "one alone stays for who comes next"
        return list(found.records(Candidate))

    rows = drawn(live=0.5, previous=0.25, initial=0.25)
    assert loaded == ["tiny3", "tiny2", "tiny1"]
    assert [(one.prompt_id, one.index) for one in rows] == [(one.id, index) for one in asked for index in range(4)]
    assert [one.policy_digest for one in rows] == ["tiny3", "tiny2", "tiny1", "tiny3"] * len(asked)
    for name, policy, count in (("live", live, 2), ("previous", previous, 1), ("initial", initial, 1)):
        mine = [one for one in rows if one.policy_digest == policy.digest]
        alone = [one for one in drawn(**{name: 1.0}) if one.index < count]
        assert [(one.id, one.text, one.seed) for one in mine] == [(one.id, one.text, one.seed) for one in alone]
        assert [one.logprob for one in mine] == pytest.approx([one.logprob for one in alone], abs=1e-4)
