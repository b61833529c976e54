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
selfreward report quickstart
echo "the main job took $((SECONDS - started)) s; runs/quickstart/report.html is there, and two arms beside it follow"
# Both share the start model's figures and candidates with the run, so they have one update each to make: at once, on
# half the cores each. The control trains on answers picked at random, the other arm on those that a verifier accepts.
mkdir -p runs
export OMP_NUM_THREADS=$((($(nproc) + 1) / 2))
selfreward run experiment=quickstart_verifier > runs/quickstart_verifier.log 2>&1 &
verifier=$!
trap 'kill "$verifier" 2> /dev/null || true' EXIT
selfreward run experiment=quickstart run=quickstart-control select=random_pick loop.iterations=1
wait "$verifier" || { cat runs/quickstart_verifier.log; exit 1; }
selfreward report quickstart --control quickstart-control --beside quickstart_verifier
echo "all took $((SECONDS - started)) s; open runs/quickstart/report.html"
