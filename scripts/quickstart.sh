#!/usr/bin/env bash
# Everything from nothing: environment, embedded model and data, three self-rewarding updates, the report.
# Stop it whenever you like: the same command goes on from there.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh
export PATH="$PWD/.venv/bin:$PATH"
selfreward assets
started=$SECONDS
selfreward run experiment=quickstart
# The control: one round on answers picked at random from the same candidates. It shares all of iteration 0.
selfreward run experiment=quickstart run=quickstart-control select=random_pick loop.iterations=1
# Another arm: a verifier in place of the policy's own likelihood. It shares the start model's figures and candidates.
selfreward run experiment=quickstart_verifier
selfreward report quickstart --control quickstart-control --beside quickstart_verifier
echo "the main job took $((SECONDS - started)) s; open runs/quickstart/report.html"
