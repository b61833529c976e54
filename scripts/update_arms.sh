#!/usr/bin/env bash
# RFT, DPO and KTO on the same candidates with a verifier's labels, one update from the start model, three seeds each;
# the table: python scripts/three_arms_table.py runs kto-rft kto-dpo dpo-rft
# Stop it whenever you like: the same command goes on.
set -euo pipefail
for seed in 0 1 2; do
  # No human rows: each arm would draw others, and DPO would sample prompts for them. Three passes in every arm.
  arm() {
    selfreward run experiment=three_arms judge=verifier loop.iterations=1 data.train_closed=64 data.train_open=0 \
      data.held_out_closed=80 evaluate.ladder=[] mix.real_share=0 update.epochs=3 "seed=$seed" "run=$1-seed$seed" "${@:2}"
  }
  arm rft select.threshold=1 select.top=4 select.dedup=false
  arm dpo update=dpo select=preference_pairs select.pairs=all select.per_prompt=null select.dedup=false \
    update.learning_rate=1e-4
  arm kto update=kto select=unpaired select.dedup=false update.learning_rate=1e-4
done
