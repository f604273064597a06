#!/usr/bin/env bash
# Generation, ours and llama.cpp's by turns: models of 10 M and 124 M random weights, in f32, bf16
# and 8 bits. Needs Python with the packages gguf, numpy, safetensors and xllamacpp of
# scripts/requirements.txt (in the folder DOWNHILL_VENV, by default .venv-check; check_llama_cpp.sh
# installs them).
#
#     scripts/bench_generate.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release --quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
downhill=target/release/downhill
# A tokenizer: that of a tiny model.
"$downhill" train --preset tiny --steps 2 --run "$work/tiny" --quiet >/dev/null
"${DOWNHILL_VENV:-.venv-check}/bin/python" scripts/bench_generate.py \
    "$downhill" "$work" "${1:-3}"
