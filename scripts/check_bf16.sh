#!/bin/sh
# Checks that bf16 products don't hurt the loss: the final loss with bf16 products must lie within
# the spread of f32 runs that differ in their seed alone.
#
#   scripts/check_bf16.sh TEXT S|M [SEEDS_F32] [SEEDS_BF16]
#
# S: preset gpt2-cpu, 2,000 steps. M: preset gpt2-char without dropout, batch 8, 500 steps. Prints
# the validation loss in nats per token over the whole validation part for each run, then the
# verdict.
set -eu
text=$1
model=${2:-S}
f32=${3:-5}
bf16=${4:-5}
case $model in
S) settings="--preset gpt2-cpu --steps 2000" ;;
M) settings="--preset gpt2-char --steps 500 --set train.batch=8 --set model.dropout=0" ;;
*) echo "unknown model: choose S or M" >&2 && exit 2 ;;
esac
cd "$(dirname "$0")/.."
cargo build --release --quiet
program=${CARGO_TARGET_DIR:-target}/release/downhill
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
losses() { # precision, seeds
    for seed in $(seq 1 "$2"); do
        # shellcheck disable=SC2086
        loss=$("$program" train "$text" $settings --seed "$seed" --set "train.precision=$1" \
            --set eval.every=1000000 --run "$folder/$1-$seed" --json |
            grep '"full":true' | tail -n 1 | sed 's/.*"val_nats_per_token":\([0-9.]*\).*/\1/')
        echo "$model $1 seed $seed: $loss" >&2
        echo "$1 $loss"
    done
}
grep -m 1 'model name' /proc/cpuinfo || true
{
    losses f32 "$f32"
    losses bf16 "$bf16"
} | awk '
    $1 == "f32" { if (!n++ || $2 < least) least = $2; if ($2 > most) most = $2 }
    $1 == "bf16" { sum += $2; count++; if ($2 > worst) worst = $2 }
    END {
        printf "f32: %.4f to %.4f; bf16: mean %.4f, worst %.4f: %s\n", least, most, sum / count,
            worst, (sum / count <= most) ? "within the spread" : "OUTSIDE the spread"
    }'
