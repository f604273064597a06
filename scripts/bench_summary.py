"""Reads the results of bench_gpt2_cpu.sh, checks that both did the same work, prints the table."""

import json
import math
import statistics
import sys
from pathlib import Path

NOT_TIMED = 10  # as in bench_nanogpt.py
LOSS_TOLERANCE = 0.1  # nats at the first step, between two random initializations


def read_ours(path):
    """The fields that bench_nanogpt.py prints, computed from our events."""
    events = [json.loads(line) for line in path.read_text().splitlines()]
    start = next(e for e in events if e["event"] == "start")
    end = next(e for e in events if e["event"] == "end")
    steps = [e for e in events if e["event"] == "step"]
    return {
        "parameters": start["parameters"],
        "steps": len(steps),
        "first_loss": steps[0]["nats_per_token"],
        "median_step_seconds": statistics.median(s["step_seconds"] for s in steps[NOT_TIMED:]),
        "train_seconds": end["train_seconds"],
        "val_nats_per_token": end["val_nats_per_token"],
    }


def check_same_work(ours, peer):
    if ours["parameters"] != peer["parameters"]:
        sys.exit(f"not the same model: {ours['parameters']} and {peer['parameters']} parameters")
    if ours["steps"] != peer["steps"]:
        sys.exit(f"not the same length: {ours['steps']} and {peer['steps']} steps")
    even = math.log(peer["vocabulary"])
    for name, run in [("downhill", ours), ("PyTorch", peer)]:
        if not abs(run["first_loss"] - even) <= LOSS_TOLERANCE:
            sys.exit(f"{name} starts at {run['first_loss']:.3f} nats, ln V is {even:.3f}")
    if not abs(ours["first_loss"] - peer["first_loss"]) <= LOSS_TOLERANCE:
        sys.exit(f"first losses differ: {ours['first_loss']:.3f} and {peer['first_loss']:.3f}")


def main():
    work = Path(sys.argv[1])
    runs = {}
    for path in sorted(work.glob("ours-*.jsonl")):
        name = path.stem.removeprefix("ours-")
        runs[name] = read_ours(path), json.loads((work / f"peer-{name}.json").read_text())
    for ours, peer in runs.values():
        check_same_work(ours, peer)

    peer = runs["1"][1]
    print(
        f"{peer['processor']}, {peer['threads']} threads, torch {peer['torch']} {peer['mode']}, "
        f"{peer['parameters']} parameters, first loss {runs['1'][0]['first_loss']:.3f} and "
        f"{peer['first_loss']:.3f} (ln V {math.log(peer['vocabulary']):.3f})"
    )
    print(f"{'':<10}{'downhill':>12}{'PyTorch':>12}{'ratio':>8}")
    rounds = [pair for name, pair in runs.items() if name != "full"]
    for number, pair in enumerate(rounds, 1):
        row(f"round {number}", [1e3 * run["median_step_seconds"] for run in pair], "ms")
    medians = [statistics.median(run["median_step_seconds"] for run in side) for side in zip(*rounds)]
    row("median", [1e3 * m for m in medians], "ms")
    if "full" in runs:
        row("2,000", [run["train_seconds"] for run in runs["full"]], "s")
        ours, peer = (run["val_nats_per_token"] for run in runs["full"])
        print(f"{'val nats':<10}{ours:>12.4f}{peer:>12.4f}")
    print("ratio: PyTorch's time over downhill's; above 1, downhill is faster")


def row(label, pair, unit):
    ours, peer = pair
    print(f"{label:<10}{ours:>9.1f} {unit:<2}{peer:>9.1f} {unit:<2}{peer / ours:>8.2f}")


if __name__ == "__main__":
    main()
