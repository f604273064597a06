#!/usr/bin/env bash
# Trains a tiny model with --tensorboard in two sessions, where the second resumes before the end of
# the first, and checks that TensorBoard reads one curve. Needs Python with `tensorboard` (see
# check_hugging_face.sh for the environment). Prints SKIPPED and exits with 0 if it can't be
# installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${DOWNHILL_VENV:-.venv-check}
python=$venv/bin/python

skip() {
    echo "SKIPPED: TensorBoard check: $1"
    exit 0
}

has_package() {
    [[ -x $python ]] && "$python" -c 'import tensorboard.backend.event_processing.event_accumulator' 2>/dev/null
}

if ! has_package; then
    command -v python3 >/dev/null || skip "there is no python3"
    [[ -x $python ]] || python3 -m venv "$venv" || skip "python3 can't make a virtual environment"
    "$python" -m pip install --quiet --disable-pip-version-check \
        "$(grep '^tensorboard' scripts/requirements.txt)" "$(grep '^setuptools' scripts/requirements.txt)" ||
        skip "the package can't be installed"
    has_package || skip "the package was installed but doesn't import"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo build -q --release
downhill() { cargo run -q --release -- "$@"; }

echo -n "TensorBoard: one session: "
downhill train --preset tiny --steps 12 --seed 1 --run "$work/run" --quiet --tensorboard \
    --set eval.every=5 --set checkpoint.every=5 --set sample.tokens=40 >"$work/log"
"$python" scripts/check_tensorboard.py "$work/run"

# As after a crash: the first session got beyond the checkpoint from which the second one resumes.
rm -r "$work/run/checkpoints/step-"*12
echo -n "TensorBoard: a resumed session: "
downhill train --resume "$work/run" --steps 20 --quiet --tensorboard >"$work/log"
"$python" scripts/check_tensorboard.py "$work/run"

echo -n "TensorBoard: enabled in the second session: "
downhill train --preset tiny --steps 6 --seed 1 --run "$work/late" --quiet --set sample.tokens=40 >"$work/log"
downhill train --resume "$work/late" --steps 9 --quiet --tensorboard >"$work/log"
"$python" scripts/check_tensorboard.py "$work/late"
