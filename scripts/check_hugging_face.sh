#!/usr/bin/env bash
# Trains a tiny model of each family and checks that Hugging Face's libraries load it and agree.
# Needs Python with scripts/requirements.txt; creates a virtual environment if there is none (in the
# folder DOWNHILL_VENV, by default .venv-check). Prints SKIPPED and exits with 0 if the packages
# can't be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${DOWNHILL_VENV:-.venv-check}
python=$venv/bin/python
needed_gb=12 # torch includes its GPU libraries

skip() {
    echo "SKIPPED: Hugging Face check: $1"
    exit 0
}

has_packages() {
    [[ -x $python ]] && "$python" -c 'import torch, transformers, tokenizers, safetensors' 2>/dev/null
}

provide_packages() {
    has_packages && return
    command -v python3 >/dev/null || skip "there is no python3"
    mkdir -p "$venv" || skip "can't make the folder $venv"
    local free_gb
    free_gb=$(df -Pk "$venv" | awk 'NR == 2 { print int($4 / 1048576) }')
    ((free_gb >= needed_gb)) || skip "$free_gb GB free, an install needs $needed_gb GB"
    echo "Installing Python packages into $venv (about 6 GB, some minutes)"
    python3 -m venv "$venv" || skip "python3 can't make a virtual environment"
    "$python" -m pip install --quiet --disable-pip-version-check -r scripts/requirements.txt ||
        skip "the packages can't be installed"
    has_packages || skip "the packages were installed but don't import"
}

write_texts() {
    for _ in $(seq 200); do
        echo "The red ball rolled down the hill and the small dog ran after it."
        echo "\"Who has the ball?\" asked the girl. Nobody knew, but the dog looked proud."
        echo
    done >"$work/english.txt"
    for _ in $(seq 300); do
        echo "小狗看见了红色的球,它跑下山去了。"
        echo "女孩问:“球在谁那里?”没有人知道。"
        echo "天黑了,小狗把球带回了家,大家都笑了。"
    done >"$work/chinese.txt"
}

# check NAME CLASS TEXT_FILE PROMPT [FLAGS OF TRAIN …]
check() {
    local name=$1 class=$2 text=$3 prompt=$4 run=$work/$1 checkpoint
    shift 4
    if ! cargo run -q --release -- train "$text" --preset tiny --steps 5 --seed 1 \
        --run "$run" --quiet "$@" >"$work/log" 2>&1; then
        echo "FAILED: $name: training: $(tail -n 3 "$work/log" | tr '\n' ' ')"
        return 1
    fi
    checkpoint=$(find "$run/checkpoints" -mindepth 1 -maxdepth 1 -type d -name 'step-*' | sort | tail -n 1)
    if ! cargo run -q --release -p downhill-session --example logits -- "$checkpoint" "$prompt" \
        >"$work/logits.json" 2>"$work/log"; then
        echo "FAILED: $name: logits: $(tail -n 3 "$work/log" | tr '\n' ' ')"
        return 1
    fi
    echo -n "$name: "
    "$python" scripts/check_hugging_face.py "$checkpoint" --class "$class" \
        --text "$prompt" --logits "$work/logits.json" 2>&1
}

passed=0
failed=0
count() {
    if check "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

provide_packages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
write_texts
cargo build -q --release
cargo build -q --release -p downhill-session --example logits

english="The red ball rolled"
chinese="小狗看见了红色的球"
count gpt2 GPT2LMHeadModel "$work/english.txt" "$english" \
    --set model.family=gpt2 --set model.bias=true
count gpt2-no-bias GPT2LMHeadModel "$work/english.txt" "$english" \
    --set model.family=gpt2 --set model.bias=false
count llama LlamaForCausalLM "$work/english.txt" "$english" --set model.family=llama
count qwen3 Qwen3ForCausalLM "$work/english.txt" "$english" --set model.family=qwen3
count llama-head-size LlamaForCausalLM "$work/english.txt" "$english" \
    --set model.family=llama --set model.head_size=48
count qwen3-head-size Qwen3ForCausalLM "$work/english.txt" "$english" --set model.head_size=16
count english-bytes Qwen3ForCausalLM "$work/english.txt" "$english" --set data.tokenizer=bytes
count chinese-bytes Qwen3ForCausalLM "$work/chinese.txt" "$chinese" --set data.tokenizer=bytes
count chinese-chars Qwen3ForCausalLM "$work/chinese.txt" "$chinese" --set data.tokenizer=chars
count chinese-syllables Qwen3ForCausalLM "$work/chinese.txt" "$chinese" \
    --set data.tokenizer=syllables:300
count english-bpe Qwen3ForCausalLM "$work/english.txt" "$english" --set data.tokenizer=bpe:320
count chinese-bpe Qwen3ForCausalLM "$work/chinese.txt" "$chinese" --set data.tokenizer=bpe:300

echo "transformers: $passed passed, $failed failed"
((failed == 0))
