#!/usr/bin/env bash
# GRPO on a reward model with a small beta, with a large one, and with the lower bound of an ensemble: one long update from
# the start model. The reward models learn pairs of right and wrong answers; the verifier looks on, with a weight that
# moves nothing, so that every step says how many completions were right. About an hour on two cores.
# The table: python scripts/small_beta_table.py runs
# Stop it whenever you like: the same command goes on.
set -euo pipefail
selfreward run experiment=four_updates_dpo run=pairs select.per_prompt=8 evaluate.ladder=[] "$@"
arm() {
  selfreward run experiment=four_updates_direct reward=small reward.min_pairs=16 reward.pairs_of=pairs \
    evaluate.ladder=[] update.steps=48 update.prompts_per_step=4 update.batch_size=16 update.save_steps=8 \
    update.rewards.verifier.weight=1e-6 "run=$1" "${@:2}"
}
arm beta-0.001 update.beta=0.001 '+update.rewards.model={kind:reward_model}' "$@"
arm beta-0.3 update.beta=0.3 '+update.rewards.model={kind:reward_model}' "$@"
arm lower-0.001 update.beta=0.001 '+update.rewards.model={kind:reward_model,aggregate:lower}' reward.members=3 "$@"
