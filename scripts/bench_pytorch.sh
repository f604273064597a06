#!/usr/bin/env bash
# Times whole training steps against PyTorch, alternating. Flags are passed to bench_pytorch.py.
#
#     scripts/bench_pytorch.sh --models S --seconds 1 --no-compile     # less than a minute
#     scripts/bench_pytorch.sh --models S,M,M64,L                      # many minutes
#
# Needs scripts/requirements.txt in DOWNHILL_VENV (or .venv-check) and an otherwise idle machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${DOWNHILL_VENV:-.venv-check}/bin/python
"$python" -c 'import torch, safetensors' 2>/dev/null || {
    echo "$python has no torch: set DOWNHILL_VENV, or run scripts/check_hugging_face.sh once" >&2
    exit 1
}
cargo build -q --release -p downhill-bench --example peer
exec "$python" scripts/bench_pytorch.py \
    --peer "${CARGO_TARGET_DIR:-target}/release/examples/peer" "$@"
