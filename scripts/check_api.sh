#!/usr/bin/env bash
# Trains two tiny models, serves them, and checks that the `openai` client and
# lm-evaluation-harness work with the API; the harness must find the same log-likelihoods as with
# its own `hf` model on the same folder. Needs Python with scripts/requirements.txt; installs what is
# missing into a virtual environment (in the folder DOWNHILL_VENV, by default .venv-check). Prints
# SKIPPED and exits with 0 if the packages can't be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${DOWNHILL_VENV:-.venv-check}
python=$venv/bin/python

skip() {
    echo "SKIPPED: API check: $1"
    exit 0
}

has_packages() {
    [[ -x $python ]] && "$python" -c 'import torch, transformers, openai, lm_eval' 2>/dev/null
}

provide_packages() {
    has_packages && return
    command -v python3 >/dev/null || skip "there is no python3"
    [[ -x $python ]] || python3 -m venv "$venv" || skip "python3 can't make $venv"
    "$python" -m pip install --quiet --disable-pip-version-check -r scripts/requirements.txt ||
        skip "the packages can't be installed"
    has_packages || skip "the packages were installed but don't import"
}

write_text() {
    for i in $(seq 300); do
        echo "The red ball number $i rolled down the hill and the small dog ran after it."
        echo "\"Who has the ball?\" asked the girl. Nobody knew, but the dog looked proud."
    done >"$work/text.txt"
}

# check NAME TOKENIZER
check() {
    local name=$1 run=$work/runs/$1 url="" checkpoint server result=0
    "$downhill" train "$work/text.txt" --preset tiny --steps 60 --seed 1 --set optim.lr=3e-3 \
        --set model.context=128 --set data.tokenizer="$2" --run "$run" --quiet >"$work/log" 2>&1 ||
        return 1
    checkpoint=$(find "$run/checkpoints" -mindepth 1 -maxdepth 1 -type d -name 'step-*' | sort | tail -n 1)
    echo "key-of-this-check" >"$work/key"
    "$downhill" serve "$checkpoint" --port 0 --api-key-file "$work/key" --model-name "$name" \
        >"$work/served" 2>"$work/log" &
    server=$!
    for _ in $(seq 200); do
        url=$(sed -n 's/^serving //p' "$work/served")
        [[ -n $url ]] && break
        sleep 0.1
    done
    OPENAI_API_KEY=$(cat "$work/key") "$python" scripts/check_api.py "$url" "$name" "$checkpoint" \
        >"$work/checked" 2>>"$work/log" || result=1
    kill -TERM "$server"
    wait "$server" || { echo "the server didn't end with 0" >>"$work/log" && result=1; }
    tail -n 1 "$work/checked"
    return $result
}

passed=0
failed=0
count() {
    echo -n "$1: "
    if check "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $(tail -n 5 "$work/log")"
    fi
}

provide_packages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
write_text
downhill=${DOWNHILL:-}
if [[ -z $downhill ]]; then
    cargo build -q --release
    downhill=target/release/downhill
fi
count served-bpe bpe:400
count served-chars chars

echo "API: $passed passed, $failed failed"
((failed == 0))
