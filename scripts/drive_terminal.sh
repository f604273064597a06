#!/usr/bin/env bash
# Drives the terminal screen in a real terminal (tmux): resizing, leaving, a finished run, an empty
# run, a truncated last line in events.jsonl. Prints SKIPPED and exits with 0 if there is no tmux.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v tmux >/dev/null; then
    echo "SKIPPED: terminal screen: tmux is not installed"
    exit 0
fi

work=$(mktemp -d)
socket=downhill-$$
in_tmux() { tmux -L "$socket" -f /dev/null "$@"; }
trap 'in_tmux kill-server 2>/dev/null || true; rm -rf "$work"' EXIT

cargo build -q --release
program=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/downhill

screen() { in_tmux capture-pane -p -t screen; }

# shows TEXT: waits until the terminal shows it.
shows() {
    for _ in $(seq 300); do
        if screen | grep -qF -- "$1"; then return; fi
        sleep 0.1
    done
    echo "FAILED: terminal screen: \"$1\" isn't shown; the screen is:"
    screen
    exit 1
}

keys() { in_tmux send-keys -t screen "$@"; }

# size WIDTH HEIGHT: resizes the terminal.
size() { in_tmux resize-window -t screen -x "$1" -y "$2"; }

# A shell whose prompt shows the last command's exit code, to see it after the screen is left.
in_tmux new-session -d -s screen -x 120 -y 36 "env PS1='left \$?> ' bash --norc --noprofile"
shows "left 0>"

keys "$program train --tui --no-page --preset tiny --steps 100000 --run $work/run --set eval.every=50" Enter
shows "loss (log scale)"
shows "of peak"
shows "sample at step 0"
shows "better than"
size 80 30
shows "metrics"
size 40 10
shows "speed"
size 130 40
shows "% linear"
keys q
shows "left 130>"
keys clear Enter

keys "$program watch --tui $work/run" Enter
shows "interrupted"
keys Escape
shows "left 0>"
keys clear Enter

printf '{"event":"step","ti' >>"$work/run/events.jsonl"
keys "$program watch --tui $work/run" Enter
shows "interrupted"
keys C-c
shows "left 0>"
keys clear Enter

mkdir "$work/empty"
cp "$work/run/run.toml" "$work/empty/"
keys "$program watch --tui $work/empty" Enter
shows "no events in this run yet"
keys q
shows "left 0>"
keys clear Enter

"$program" train --preset tiny --steps 3 --quiet --run "$work/finished" >/dev/null
keys "$program watch --tui $work/finished" Enter
shows "finished"
keys q
shows "left 0>"
echo "terminal screen: resized, left, interrupted, truncated, empty and finished"
