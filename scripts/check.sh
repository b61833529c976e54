#!/usr/bin/env bash
# Style, types and the direction of imports.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh dev
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/mypy --config-file scripts/mypy.ini scripts/*.py
.venv/bin/lint-imports
