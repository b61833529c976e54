#!/usr/bin/env bash
# Builds the wheel, installs it in an empty environment and runs the quick start at debug size, away from the checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD
bash scripts/setup.sh dev
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
.venv/bin/python -m hatchling build -t wheel -d "$folder"
python3 -m venv "$folder/empty"
# First by itself, as in setup.sh.
"$folder/empty/bin/pip" install --quiet "$(grep '^torch==' constraints.txt)"
"$folder/empty/bin/pip" install --quiet -c "$checkout/constraints.txt" "$folder"/selfreward-*.whl
cd "$folder"
export PATH="$folder/empty/bin:$PATH"
selfreward assets
selfreward run experiment=quickstart size=debug
selfreward report quickstart
selfreward verify quickstart
