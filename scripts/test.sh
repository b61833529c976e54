#!/usr/bin/env bash
# Makes the environment, fetches the embedded model and data, and runs every test.
# FAST=1 leaves out the tests that need the real model.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh dev
if [ "${FAST:-}" ]; then
  exec .venv/bin/python -m pytest -m "not model" "$@"
fi
.venv/bin/selfreward assets
.venv/bin/python -m pytest -m "not model" "$@"
exec .venv/bin/python -m pytest -m model "$@"
