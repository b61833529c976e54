#!/usr/bin/env bash
# Self-judged, verifier-judged and randomly picked RFT, three seeds each; about 45 minutes on two cores.
# Stop it whenever you like: the same command goes on.
set -euo pipefail
for seed in 0 1 2; do
  arm() { selfreward run experiment=three_arms "seed=$seed" "run=$1-seed$seed" "${@:2}"; }
  arm likelihood
  # All right answers, three times over: right ones are few, and this makes as many steps as the other arms take.
  arm verifier judge=verifier select.threshold=1 select.top=4 select.dedup=false update.epochs=3
  arm random select=random_pick
done
