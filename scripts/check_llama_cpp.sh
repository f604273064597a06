#!/usr/bin/env bash
# Trains tiny models of each family with each kind of tokenizer, exports them, and checks that
# llama.cpp loads the GGUF files and agrees. Needs Python with the packages gguf and xllamacpp of
# scripts/requirements.txt; installs these two into a virtual environment if they are missing (in
# the folder DOWNHILL_VENV, by default .venv-check). Prints SKIPPED and exits with 0 if they can't be
# installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${DOWNHILL_VENV:-.venv-check}
python=$venv/bin/python

skip() {
    echo "SKIPPED: llama.cpp check: $1"
    exit 0
}

has_packages() {
    [[ -x $python ]] && "$python" -c 'import gguf, xllamacpp' 2>/dev/null
}

provide_packages() {
    has_packages && return
    command -v python3 >/dev/null || skip "there is no python3"
    [[ -x $python ]] || python3 -m venv "$venv" || skip "python3 can't make $venv"
    local packages
    mapfile -t packages < <(grep -E '^(gguf|xllamacpp|numpy)' scripts/requirements.txt)
    "$python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" ||
        skip "the packages can't be installed"
    has_packages || skip "the packages were installed but don't import"
}

# with_split NAME: the learned tokenizer with another split.
with_split() {
    mkdir -p "$work/$1"
    "$python" - "$work/learned/tokenizer.json" "$1" >"$work/$1/tokenizer.json" <<'END'
import json, sys

path, split = sys.argv[1:]
tokenizer = json.load(open(path, encoding="utf-8"))
parts = tokenizer["pre_tokenizer"]["pretokenizers"]
if split == "gpt-2":
    tokenizer["pre_tokenizer"] = {**parts[1], "use_regex": True}
else:
    parts[0]["pattern"]["Regex"] = parts[0]["pattern"]["Regex"].replace("|\\p{N}|", "|\\p{N}{1,3}|")
    tokenizer["model"]["ignore_merges"] = True
json.dump(tokenizer, sys.stdout)
END
}

# make NAME [FLAGS OF TRAIN …]: trains a model and exports it as a folder.
make() {
    local name=$1
    shift
    "$downhill" train "$work/lines.txt" --preset tiny --steps 40 --seed 1 --set optim.lr=3e-3 \
        --set model.context=128 --run "$work/runs/$name" --quiet "$@" >"$work/log" 2>&1 &&
        "$downhill" export "$work/runs/$name" -o "$work/$name/" >>"$work/log" 2>&1
}

# check NAME TYPE [FLAGS OF THE CHECK …]
check() {
    local name=$1 type=$2 result=ok
    shift 2
    echo -n "$name, $type: "
    "$downhill" export "$work/$name" -o "$work/$name-$type.gguf" --quantize "$type" \
        >"$work/log" 2>&1 &&
        "$python" scripts/check_llama_cpp.py "$work/$name" "$work/$name-$type.gguf" \
            --type "$type" --ours "$ours" --prompt "The first " "$@" || result=failed
    if [[ $result == ok ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        tail -n 3 "$work/log"
    fi
}

# shape NAME [FLAGS OF TRAIN …]: a model with the learned tokenizer.
shape() {
    make "$@" --set data.tokenizer="$work/learned/tokenizer.json" || stop "$1"
    check "$1" f32
}

# types NAME: the same model as the other types.
types() {
    check "$1" f16 --exact "$work/$1-f32.gguf"
    check "$1" q8_0 --exact "$work/$1-f32.gguf"
}

stop() {
    echo "FAILED: $1: $(tail -n 3 "$work/log" | tr '\n' ' ')"
    exit 1
}

# tokenizer NAME KIND: a model with this tokenizer, and the ids of all lines.
tokenizer() {
    make "$1" --set data.tokenizer="$2" || stop "$1"
    "$ours" "$work/$1" --lines "$work/lines.txt" >"$work/ids.json"
    check "$1" f32 --lines "$work/ids.json"
}

passed=0
failed=0
provide_packages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo build -q --release
cargo build -q --release -p downhill-session --example logits
downhill=target/release/downhill
ours=target/release/examples/logits
"$python" scripts/check_llama_cpp_lines.py >"$work/lines.txt"

tokenizer learned bpe:2000
with_split gpt-2
with_split llama-bpe
tokenizer split-gpt-2 "$work/gpt-2/tokenizer.json"
tokenizer split-llama-bpe "$work/llama-bpe/tokenizer.json"
tokenizer chars chars
tokenizer syllables syllables:2000
tokenizer bytes bytes
shape gpt2 --set model.family=gpt2
types gpt2
shape gpt2-no-bias --set model.family=gpt2 --set model.bias=false
shape llama --set model.family=llama
types llama
shape llama-head-size --set model.family=llama --set model.head_size=48 --set model.tied=true
shape llama-bias --set model.family=llama --set model.bias=true
shape qwen3 --set model.heads=4
types qwen3
shape qwen3-head-size --set model.head_size=16 --set model.tied=false
# Rows of 48 numbers don't divide into blocks of 32.
shape narrow --set model.width=48 --set model.hidden=96
types narrow

echo "llama.cpp: $passed passed, $failed failed"
((failed == 0))
