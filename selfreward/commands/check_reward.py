"""What `selfreward check` looks at in a reward model: whether it can score, and where it is read."""

from collections.abc import Iterator
from pathlib import Path

from selfreward.artifacts import Output
from selfreward.artifacts.reports import save_report
from selfreward.backends.chat_template import template_file
from selfreward.backends.model_loading import context_length, load_chat
from selfreward.backends.reward_model import Shown, look_up_reward_model, read_position, reward_rows
from selfreward.commands.findings import Checked, CheckFinding, CheckSpec
from selfreward.errors import BackendError
from selfreward.policies import Policy
from selfreward.records import Message

VERSION = 1
_SHOWN = Shown(messages=(Message(role="user", content="What is the capital of France?"),), text="Paris")


def check_reward(out: Output, spec: CheckSpec, *, policy: Policy) -> None:
    """`check.json` is a Checked. Raises BackendError for what cannot work."""
    save_report(out, "check", Checked(found=tuple(reward_findings(policy.path))))


def reward_findings(folder: Path) -> Iterator[CheckFinding]:
    """What there is to say of the reward model in `folder`. Raises BackendError for what cannot work."""
    model, chat = look_up_reward_model(folder), load_chat(folder, trust_remote_code=False)
    (row,) = reward_rows(chat, [_SHOWN])
    if (known := model.get_input_embeddings().num_embeddings) <= max(row):
        raise BackendError(
            f"the tokenizer in {folder} gives token {max(row)}, and the model knows {known} tokens: give the tokenizer "
            "and the config.json of these weights"
        )
    place, limit = read_position(row, model.config.get_text_config().pad_token_id), context_length(model.config)
    behind = [chat.tokenizer.decode([token]) for token in row[place + 1 :]]
    where = f"{chat.tokenizer.decode([row[place]])!r}, " + (
        f"before {''.join(behind)!r}, by which the model pads" if behind else "the last token"
    )
    yield CheckFinding("chat template", template_file(chat.tokenizer))
    yield CheckFinding(
        "system turn", "its own" if chat.rendering.system == "own" else "merged into the first user turn"
    )
    yield CheckFinding("score", f"one logit, read at {where} of a conversation")
    yield CheckFinding("context", "no limit is named" if limit is None else f"{limit:,} tokens, prompt and answer")
    yield CheckFinding("weights", f"all {sum(1 for _ in model.parameters())} there, the head among them")
