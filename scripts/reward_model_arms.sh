#!/usr/bin/env bash
# RFT on the best of eight by a reward model, and on one of eight picked at random: one update from the start model, three
# seeds each. The reward model of each seed is that of reward_model_trial.py, which trained on
# other questions: give its folders as arguments.
#   bash scripts/reward_model_arms.sh MODEL_OF_SEED_0 MODEL_OF_SEED_1 MODEL_OF_SEED_2
# The table: python scripts/three_arms_table.py runs reward-random
# Stop it whenever you like: the same command goes on.
set -euo pipefail
models=("$@")
for seed in 0 1 2; do
  arm() {
    selfreward run experiment=three_arms loop.iterations=1 data.train_closed=128 data.train_open=0 \
      data.held_out_closed=200 evaluate.ladder=[] sample.k=8 select.k=8 mix.real_share=0 update.epochs=3 \
      data.probe_closed=0 measure.k=2 measure.baseline_k=4 "seed=$seed" "run=$1-seed$seed" "${@:2}"
  }
  arm reward judge=reward_model "judge.models=[${models[seed]}]"
  arm random select=random_pick
done
