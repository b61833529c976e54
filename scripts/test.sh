#!/usr/bin/env bash
# Makes the environment, fetches the embedded model and data, and runs every test.
# FAST=1 leaves out the tests that need the real model or vLLM, and a few slow ones.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh dev
# As the package sets it for itself: pytest may load torch before it.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
# One thread each: two processes with two torch threads each on two cores would slow each other tenfold.
chosen="not model and not vllm"
[ -z "${FAST:-}" ] || chosen+=" and not slow"
OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile -m "$chosen" "$@"
[ -z "${FAST:-}" ] || exit 0
.venv/bin/selfreward assets
.venv/bin/python -m pytest -m "model and not vllm" "$@"
bash scripts/setup_vllm.sh
exec .venv/bin/python -m pytest -m vllm "$@"
