#!/usr/bin/env python3
"""Times whole training steps against PyTorch's, alternating in one run.

    scripts/bench_pytorch.sh [--models S,M] [--rounds 3] [--threads 2] [--seconds 2] [--no-compile]
                             [--no-bf16]

Both sides start from the same weights and train on the same batch of random tokens. Their losses
over three steps are compared first; only then are they timed: PyTorch eager and compiled, in f32
and with bf16 autocast, each alternating with ours at the same precision. "PyTorch" is the faster
of eager and compiled. Each mode runs in its own process, so that peak memory is measured per mode. A step is forward, backward, clipping and AdamW.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKED = 3  # steps whose losses must agree
# Allowed relative difference of losses: rounding, amplified by three updates of Adam, which moves
# each weight by about the learning rate whatever the size of its gradient.
TOLERANCE = {"f32": 2e-4, "bf16": 5e-3}


def model(about, weights):
    """GPT-2 in plain torch, with our weight names."""
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    width, heads, bias = about["width"], about["heads"], about["bias"]

    def norm():
        return nn.LayerNorm(width, eps=about["norm_epsilon"], bias=bias)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.input_norm, self.post_norm = norm(), norm()
            self.qkv = nn.Linear(width, 3 * width, bias=bias)
            self.o = nn.Linear(width, width, bias=bias)
            self.up = nn.Linear(width, about["hidden"], bias=bias)
            self.down = nn.Linear(about["hidden"], width, bias=bias)

        def forward(self, x):
            batch, time_, _ = x.shape
            qkv = self.qkv(self.input_norm(x)).view(batch, time_, 3, heads, width // heads)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.o(mixed.transpose(1, 2).reshape(batch, time_, width))
            return x + self.down(F.gelu(self.up(self.post_norm(x)), approximate="tanh"))

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(about["vocabulary"], width)
            self.positions = nn.Embedding(about["context"], width)
            self.layers = nn.ModuleList(Block() for _ in range(about["layers"]))
            self.norm = norm()

        def forward(self, inputs, targets):
            x = self.tokens(inputs) + self.positions.weight[: inputs.shape[1]]
            for layer in self.layers:
                x = layer(x)
            logits = F.linear(self.norm(x), self.tokens.weight)
            return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    decoder = Decoder()
    state = {
        "tokens.weight": weights["embed_tokens.weight"],
        "positions.weight": weights["embed_positions.weight"],
    }
    kinds = ["weight", "bias"] if bias else ["weight"]
    for kind in kinds:
        state[f"norm.{kind}"] = weights[f"norm.{kind}"]
        for i in range(about["layers"]):
            at = f"layers.{i}."
            parts = [weights[f"{at}attention.{part}.{kind}"] for part in "qkv"]
            state[f"{at}qkv.{kind}"] = torch.cat(parts)
            state[f"{at}o.{kind}"] = weights[f"{at}attention.o.{kind}"]
            for part in ["up", "down"]:
                state[f"{at}{part}.{kind}"] = weights[f"{at}mlp.{part}.{kind}"]
            for part in ["input_norm", "post_norm"]:
                state[f"{at}{part}.{kind}"] = weights[f"{at}{part}.{kind}"]
    decoder.load_state_dict(state)
    return decoder


def work(mode, precision, threads, folder):
    """PyTorch's side: runs the number of steps given by each line of standard input."""
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(threads)
    about = json.loads((folder / "about.json").read_text())
    decoder = model(about, load_file(folder / "model.safetensors"))
    matrices = [p for p in decoder.parameters() if p.ndim >= 2]
    vectors = [p for p in decoder.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": about["weight_decay"]},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups, lr=about["rate"], betas=tuple(about["betas"]), eps=about["epsilon"], fused=True
    )
    shape = about["batch"], about["context"]
    inputs = torch.tensor(about["inputs"]).view(shape)
    targets = torch.tensor(about["targets"]).view(shape)
    forward = torch.compile(decoder) if mode == "compiled" else decoder

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            loss = forward(inputs, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), about["clip"])
        optimizer.step()
        return loss.item()

    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        seconds, losses = [], []
        for _ in range(int(line)):
            start = time.perf_counter()
            losses.append(step())
            seconds.append(time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer = {"seconds": seconds, "losses": losses, "peak_bytes": peak}
        print(json.dumps(answer), flush=True)


class Side:
    """A process that trains on demand."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.about = self.answer()
        self.seconds = []
        self.peak = 0

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"exit status {self.process.wait()}: {' '.join(map(str, self.process.args))}")
        return json.loads(line)

    def steps(self, count, timed=True):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        answer = self.answer()
        self.peak = max(self.peak, answer["peak_bytes"])
        if timed:
            self.seconds += answer["seconds"]
        return answer

    def end(self):
        self.process.stdin.close()
        self.process.wait()

    def median(self):
        return 1e3 * statistics.median(self.seconds)


def compare(name, mode, precision, arguments, folder):
    """Times ours and one of PyTorch's modes, alternating."""
    threads = arguments.threads
    ours = Side([arguments.peer, name, precision, threads, folder])
    (folder / "about.json").write_text(json.dumps(ours.about))
    worker = [sys.executable, __file__, "--work", mode, precision, threads, folder]
    theirs = Side(worker)
    pair = [ours, theirs]
    losses = [side.steps(CHECKED, timed=False)["losses"] for side in pair]
    off = max(abs(a - b) / abs(b) for a, b in zip(*losses))
    if not off <= TOLERANCE[precision]:
        sys.exit(f"{name}, {mode} {precision}: losses differ: {losses[0]} and {losses[1]}")
    counts = []
    for side in pair:
        second = side.steps(1, timed=False)["seconds"][0]
        counts.append(max(1, min(100, round(arguments.seconds / second))))
    for turn in range(arguments.rounds):
        order = list(zip(pair, counts))
        for side, count in order if turn % 2 == 0 else reversed(order):
            side.steps(count)
    for side in pair:
        side.end()
    return {
        "mode": mode,
        "precision": precision,
        "off": off,
        "first": losses[0][0],
        "ours": ours,
        "theirs": theirs,
    }


def row(result):
    ours, theirs = result["ours"], result["theirs"]

    def side(s):
        quarters = statistics.quantiles(s.seconds, n=4) if len(s.seconds) > 1 else [0, 0, 0]
        spread = 1e3 * (quarters[2] - quarters[0]) / 2
        return f"{s.median():9.1f} ±{spread:<6.1f}{s.peak / 1e6:7.0f}"

    name = f"{result['precision']} {result['mode']}"
    ratio = theirs.median() / ours.median()
    print(f"  {name:<14}{side(ours)}   {side(theirs)}{ratio:8.2f}{result['off']:12.1e}", flush=True)
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", default="S,M", help="names of GPT-2 models of `downhill bench`")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per side")
    parser.add_argument("--seconds", type=float, default=2.0, help="approximate duration of a round")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--no-bf16", action="store_true", help="leave out bf16")
    parser.add_argument("--peer", type=Path, required=True, help="the built example `peer`")
    arguments = parser.parse_args()
    modes = ["eager"] if arguments.no_compile else ["eager", "compiled"]
    precisions = ["f32"] if arguments.no_bf16 else ["f32", "bf16"]
    for name in arguments.models.split(","):
        with tempfile.TemporaryDirectory() as folder:
            best = {}
            for at, (precision, mode) in enumerate((p, m) for p in precisions for m in modes):
                result = compare(name, mode, precision, arguments, Path(folder))
                about, torch = result["ours"].about, result["theirs"].about
                if at == 0:
                    print(
                        f"{name} on {about['processor']}, {platform.system()}; threads: ours "
                        f"{arguments.threads}, torch {torch['threads']}; torch {torch['torch']}; "
                        f"first loss {result['first']:.4f}"
                    )
                    print(
                        f"  {'':<14}{'ours ms':>9} {'':<7}{'MB':>7}   {'torch ms':>9} {'':<7}{'MB':>7}"
                        f"{'ratio':>8}{'losses off':>12}"
                    )
                ratio = row(result)
                best[precision] = min(best.get(precision, ratio), ratio)
            for precision, ratio in best.items():
                print(f"  {precision}: {ratio:.2f} times as fast as PyTorch's fastest mode", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))
    else:
        main()
