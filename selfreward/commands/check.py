"""`selfreward check`: whether a model can be rendered, drawn from, scored, trained and saved, before a run."""

import copy
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from selfreward.artifacts import Artifact, Output, Store
from selfreward.artifacts.reports import load_report, save_report
from selfreward.artifacts.runs import Run
from selfreward.backends.base import Answer, NotScored, Sampling
from selfreward.backends.chat import Chat, option_tokens, render_user_turn, stop_ids
from selfreward.backends.chat_template import render, template_file
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.model_folder import check_config
from selfreward.backends.model_loading import context_length, load_chat, load_configs, load_model, quiet, read_whole
from selfreward.backends.one_line import one_line
from selfreward.commands.arguments import Compose, settings_parser
from selfreward.commands.check_reward import check_reward
from selfreward.commands.findings import Checked, CheckFinding, CheckSpec
from selfreward.config import RunConfig, judges_of, validate
from selfreward.console import ConsoleReporter
from selfreward.data.models import HfModel, model_policy, start_policy
from selfreward.errors import BackendError
from selfreward.installed import version
from selfreward.judges.base import PolicyJudgeBase
from selfreward.judging_policies import brought_models
from selfreward.policies import Policy
from selfreward.records import Message
from selfreward.updates.training import save_policy
from selfreward.writing.settings import Magpie, WriterBase

VERSION = 4
_SHOWN = 60  # characters
_OPTIONS = (("1", "2", "3", "4", "5"), ("A", "B"), ("yes", "no"))
_QUESTION = (Message(role="user", content="What is the capital of France?"),)
_SMALL = {
    **dict.fromkeys(("hidden_size", "intermediate_size", "moe_intermediate_size"), 64),
    **dict.fromkeys(("num_attention_heads", "num_experts", "num_local_experts"), 4),
    "head_dim": 16,
    "num_experts_per_tok": 2,
}


def main(arguments: list[str], compose: Compose) -> int:
    """0 where the models can be worked with. Raises SelfrewardError that says what to set where one cannot."""
    parser = settings_parser(
        "check",
        "Renders, draws, scores and saves with a small copy of the model, and of every external judge, looks into "
        "every reward model that judges, and says what was found.",
        epilog="example: selfreward check model.path=/models/my-instruct",
    )
    config = validate(compose(parser.parse_args(arguments).settings))
    store = Store(config.store.runs / "store", ConsoleReporter())
    for name, checked in check_models(config, Run(config.store.runs / config.run, store, config.seed)):
        print(f"{name}:")
        found = load_report(checked, "check", Checked).found
        width = max(len(one.what) for one in found)
        for one in found:
            print(f"  {one.what:{width}}  {one.says}")
    return 0


def check_models(config: RunConfig, run: Run) -> list[tuple[str, Artifact]]:
    """The check of the start model, of every external judge and every reward model, by the names of their settings.

    There is none of a script. Raises BackendError for what cannot work, also for a template in which a writer that is
    to open user turns can open none.
    """
    policies, rewards = _policies(config, run.store.root), _rewards(config, run.store.root)
    if not policies and not rewards:
        return []
    libraries = {name: version(name) for name in ("torch", "transformers", "tokenizers", "jinja2", "trl")}
    spec = CheckSpec(trusted=config.backend.trusts, libraries=libraries)
    bare = CheckSpec(trusted=False, libraries=libraries)
    found = [(name, run.source(f"check_{name}", check, spec, policy=policy)) for name, policy in policies.items()]
    if isinstance(config.prompts, Magpie) and policies:
        writer = policies.get("prompts", policies["model"])
        render_user_turn(load_chat(writer.path, trust_remote_code=config.backend.trusts), ())
    found += [(name, run.source(f"check_{name}", check_reward, bare, policy=one)) for name, one in rewards.items()]
    return found


def _policies(config: RunConfig, store: Path) -> dict[str, Policy]:
    """The start model, every external judge, an external reviser and writer of prompts; none of a script."""
    if not isinstance(config.model, HfModel):
        return {}
    found = {"model": start_policy(config.model, store, trusted=config.backend.trusts)}
    for one in judges_of(config):
        if isinstance(one.judge, PolicyJudgeBase) and one.judge.path is not None:
            found[one.name] = model_policy(one.judge.path, one.judge.chat, store, trusted=one.engine.trusts)
    if (reviser := config.revise) is not None and reviser.path is not None:
        trusted = (reviser.engine or config.backend).trusts
        found["revise"] = model_policy(reviser.path, reviser.chat, store, trusted=trusted)
    if isinstance(config.prompts, WriterBase) and config.prompts.path is not None:
        trusts = (config.prompts.backend or config.backend).trusts
        found["prompts"] = model_policy(config.prompts.path, config.prompts.chat, store, trusted=trusts)
    return found


def _rewards(config: RunConfig, store: Path) -> dict[str, Policy]:
    """Every model that a judge brings, by the setting of that and its number."""
    brought = [(one.name, one.judge.brings) for one in judges_of(config)]
    return {
        f"{name}.model_{number}": model
        for name, brings in brought
        if brings is not None and brings.folders is not None  # those that the run trains are looked into as it does
        for number, model in enumerate(brought_models(brings.folders, brings.chat, store), start=1)
    }


def check(out: Output, spec: CheckSpec, *, policy: Policy) -> None:
    """`check.json` is a Checked. Raises BackendError for what cannot work."""
    save_report(out, "check", Checked(found=tuple(findings(policy.path, trusted=spec.trusted))))


def findings(folder: Path, *, trusted: bool) -> Iterator[CheckFinding]:
    """What there is to say of the model in `folder`. Raises BackendError for what cannot work."""
    chat = load_chat(folder, trust_remote_code=trusted)
    config, generation = load_configs(folder, trust_remote_code=trusted)
    check_config(folder, config)
    # On this device weights are looked up, not read.
    weights = read_whole(folder, trust_remote_code=trusted, device_map="meta").parameters()
    rendering = chat.rendering
    yield CheckFinding("chat template", template_file(chat.tokenizer))
    yield CheckFinding("system turn", "its own" if rendering.system == "own" else "merged into the first user turn")
    yield CheckFinding("a prompt ends in", repr(rendering.opening))
    yield CheckFinding("a user turn", _user_turn(chat))
    yield CheckFinding("end of turn", rendering.end_of_turn)
    stops = chat.tokenizer.convert_ids_to_tokens(stop_ids(chat, generation))
    yield CheckFinding("stops", ", ".join(stops))
    yield CheckFinding("thinking", _thinking(chat))
    yield CheckFinding("options", _options(chat))
    yield CheckFinding("date", _date(chat))
    limit = context_length(config)
    yield CheckFinding("context", "no limit is named" if limit is None else f"{limit:,} tokens, prompt and answer")
    kept = str(getattr(config, "dtype", None) or "float32").removeprefix("torch.")
    yield CheckFinding("number type", f"saved as {kept}; trained policies are saved as float32")
    yield CheckFinding("weights", f"all {sum(1 for _ in weights)} there, no adapter")
    yield CheckFinding("small copy", _small_copy(chat, config, folder, trusted=trusted))


def _user_turn(chat: Chat) -> str:
    try:
        opening, closing = render_user_turn(chat, ())
    except BackendError:
        return "the template writes nothing before or behind it, so prompts=magpie cannot open one"
    opened: str = chat.tokenizer.decode(opening)
    return f"begins behind {opened[-_SHOWN:]!r}, and {closing[:_SHOWN]!r} closes it"


def _thinking(chat: Chat) -> str:
    rendering = chat.rendering
    if rendering.opens_thought:
        return f"a prompt opens a thought; {rendering.lead!r} closes it before answers that bring none"
    if rendering.lead:
        return f"an answer that brings no thought stands behind {rendering.lead!r}"
    return "the template writes no thought before an answer"


def _options(chat: Chat) -> str:
    able = _one_token_each(chat)
    unable = ["/".join(options) for options in _OPTIONS if options not in able]
    behind = {options: chat.tokenizer.decode(lead) for options, lead in able.items()}
    shown = ["/".join(options) + (f" behind {lead!r}" if lead else "") for options, lead in behind.items()]
    told = f"one token each: {', '.join(shown)}" if shown else ""
    refused = f"several tokens, so no judge can read them in one pass: {', '.join(unable)}" if unable else ""
    return "; ".join(part for part in (told, refused) if part)


def _one_token_each(chat: Chat) -> dict[tuple[str, ...], list[int]]:
    """The options of which each is one token to the model, and the tokens that a prompt goes on with before them."""
    able: dict[tuple[str, ...], list[int]] = {}
    for options in _OPTIONS:
        with suppress(BackendError):
            able[options], _ = option_tokens(chat, options)
    return able


def _date(chat: Chat) -> str:
    turns, settled = [{"role": "user", "content": "What day is it?"}], chat.rendering
    one, other = (
        render(chat.tokenizer, turns, settled.template_kwargs, day, settled.content, prompted=True)
        for day in ("2001-02-03", "2014-11-29")
    )
    return "the template prints none" if one == other else f"the template prints {settled.date} (date)"


def _small_copy(chat: Chat, config: Any, folder: Path, *, trusted: bool) -> str:
    """Draws, scores and takes options with a few random weights under the model's configuration.

    It does so twice, the second time with what was read back from the first copy and saved again.
    """
    from transformers import AutoModelForCausalLM

    make: Any = AutoModelForCausalLM
    with tempfile.TemporaryDirectory() as scratch:
        copies = [Path(scratch) / name for name in ("first", "second")]
        try:
            with quiet():
                model = make.from_config(_shrunk(config), trust_remote_code=trusted)
        except (ValueError, TypeError, RuntimeError, AttributeError, LookupError) as error:
            return f"not tried, for the configuration cannot be made small ({one_line(error)})"
        drawn, able = [], _one_token_each(chat)
        for place in copies:
            with quiet():
                save_policy(model, chat, place, like=folder)
            drawn.append(_used(place, able, trusted=trusted))
            model = load_model(place, dtype="float32", device="cpu", trust_remote_code=trusted)
        if drawn[0] != drawn[1]:
            raise BackendError(f"a small copy of {folder} draws or scores otherwise once it was saved and read back")
    takes = ", takes options" if able else ""
    return f"draws, scores{takes}, and does so again after it is saved and read back"


def _shrunk(config: Any) -> Any:
    small = copy.deepcopy(config)
    text = small.get_text_config()
    kinds = list(dict.fromkeys(getattr(text, "layer_types", None) or ()))
    heads = getattr(text, "num_key_value_heads", None)
    grouped = heads is not None and heads < text.num_attention_heads
    for name, value in _SMALL.items():
        if getattr(text, name, None) is not None:
            setattr(text, name, value)
    text.num_hidden_layers = max(2, len(kinds))
    if kinds:
        text.layer_types = (kinds * 2)[: text.num_hidden_layers]
    if heads is not None:
        text.num_key_value_heads = 2 if grouped else 4
    return small


def _used(folder: Path, options: Collection[Sequence[str]], *, trusted: bool) -> Sequence[object]:
    """What an engine makes of the small model in `folder`; each of `options` is one token each."""
    spec = HfSpec(dtype="float32", device="cpu", workers=1, trust_remote_code=trusted)
    sampling = Sampling(k=2, temperature=1.0, top_p=1.0, max_new_tokens=4)
    with HfBackend(spec, Policy(path=folder, key="check", digest="check")) as backend:
        (drawn,) = backend.generate([_QUESTION], sampling, 0, _nobody)
        scored = backend.score([Answer(messages=_QUESTION, text="Paris")], _nobody)
        if isinstance(scored[0], NotScored):
            raise BackendError(f"the model cannot score a short answer: {scored[0].reason}")
        taken = [backend.score_options([_QUESTION], some, _nobody) for some in options]
        return [[(one.text, one.thought, one.token_logprobs) for one in drawn], scored, taken]


def _nobody(_: int) -> None:
    """Progress that nobody watches."""
