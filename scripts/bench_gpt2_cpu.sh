#!/usr/bin/env bash
# Times `downhill train --preset gpt2-cpu` against the same recipe in PyTorch, alternating.
#
#     scripts/bench_gpt2_cpu.sh TEXT [--full] [--compile]
#
# Three rounds of 200 steps each, the order swapped every round; --full adds one whole run of 2,000
# steps of each for the training time and the validation loss; --compile lets PyTorch compile.
# Needs scripts/requirements.txt in DOWNHILL_VENV (or .venv-check) and an otherwise idle machine.
set -euo pipefail

usage() {
    echo "usage: scripts/bench_gpt2_cpu.sh TEXT [--full] [--compile]" >&2
    exit 2
}

[[ $# -ge 1 && -f $1 ]] || usage
text=$(realpath "$1")
shift
full=no
peer_flags=()
for flag in "$@"; do
    case $flag in
    --full) full=yes ;;
    --compile) peer_flags+=(--compile) ;;
    *) usage ;;
    esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${DOWNHILL_VENV:-.venv-check}/bin/python
"$python" -c 'import torch' 2>/dev/null || {
    echo "$python has no torch: set DOWNHILL_VENV, or run scripts/check_hugging_face.sh once" >&2
    exit 1
}

threads=2
rounds=3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo build -q --release

# ours NAME STEPS, peer NAME STEPS: one run each, its output in $work
ours() {
    cargo run -q --release -- train "$text" --preset gpt2-cpu --threads "$threads" \
        --steps "$2" --run "$work/run-$1" --json >"$work/ours-$1.jsonl"
}
peer() {
    "$python" scripts/bench_nanogpt.py "$text" --threads "$threads" --steps "$2" --json \
        "${peer_flags[@]}" >"$work/peer-$1.json"
}

for round in $(seq "$rounds"); do
    echo "round $round of $rounds" >&2
    if ((round % 2)); then
        ours "$round" 200
        peer "$round" 200
    else
        peer "$round" 200
        ours "$round" 200
    fi
done
if [[ $full == yes ]]; then
    echo "whole runs of 2,000 steps" >&2
    ours full 2000
    peer full 2000
fi

"$python" scripts/bench_summary.py "$work"
