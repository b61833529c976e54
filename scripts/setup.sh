#!/usr/bin/env bash
# Makes the environment .venv with exact versions, once. Usage: source scripts/setup.sh [extra]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

extra="${1:-}"
stamp=".venv/.ready-${extra:-base}-$(cat pyproject.toml constraints.txt | sha256sum | cut -c1-16)"
if [ ! -e "$stamp" ]; then
  python="${PYTHON:-python3}"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "selfreward needs Python 3.11 or newer; $python is $("$python" --version). Set PYTHON=/path/to/python3.11" >&2
    exit 2
  }
  echo "making the environment in .venv (about two minutes, once)"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  install() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile "$@"
  }
  install --upgrade pip
  # First by itself: an index may offer a CPU build under exactly this version.
  install "$(grep '^torch==' constraints.txt)"
  install --constraint constraints.txt --editable ".${extra:+[$extra]}"
  # On all cores, where pip compiles on one. What some packages ship is no Python of this version; it stays as it is.
  .venv/bin/python -m compileall -qq -j 0 .venv/lib/python3*/site-packages || true
  touch "$stamp"
fi
