#!/usr/bin/env python3
"""nanoGPT's character-level CPU recipe in plain PyTorch, which `downhill` is timed against.

    python scripts/bench_nanogpt.py TEXT [--steps N] [--compile] [--json]

A GPT-2 decoder without biases: 4 layers, 4 heads, 128 wide, context 64, batch 12; 2,000 steps of
AdamW with a cosine schedule from 1e-3 to 1e-4 after 100 steps of warm-up. One difference: the
vocabulary has one extra entry, like downhill's `<|endoftext|>`, so that both train the same number
of parameters.
"""

import argparse
import json
import math
import platform
import statistics
import time
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

LAYERS, HEADS, WIDTH, CONTEXT, BATCH = 4, 4, 128, 64, 12
RATE, LAST_RATE, WARM_UP = 1e-3, 1e-4, 100
BETAS, DECAY, CLIP = (0.9, 0.99), 0.1, 1.0
NOT_TIMED = 10  # first steps, left out of the median


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self):
        super().__init__()
        self.norm_attention = nn.LayerNorm(WIDTH, bias=False)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.attention_out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm_mlp = nn.LayerNorm(WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        batch, time_, _ = x.shape
        qkv = self.qkv(self.norm_attention(x)).view(batch, time_, 3, HEADS, WIDTH // HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attention_out(mixed.transpose(1, 2).reshape(batch, time_, WIDTH))
        return x + self.down(F.gelu(self.up(self.norm_mlp(x))))


class Decoder(nn.Module):
    """Mean cross-entropy in nats of tokens [B, T] and targets [B, T]."""

    def __init__(self, vocabulary):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                into_residual = name.endswith(("attention_out.weight", "down.weight"))
                std = 0.02 / math.sqrt(2 * LAYERS) if into_residual else 0.02
                nn.init.normal_(parameter, std=std)

    def forward(self, inputs, targets):
        x = self.tokens(inputs) + self.positions.weight[: inputs.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def read(path):
    """Training ids, validation ids (the last tenth) and the size of the vocabulary."""
    text = path.read_text(encoding="utf-8")
    characters = sorted(set(text))
    number = {c: i for i, c in enumerate(characters)}
    ids = torch.tensor([number[c] for c in text])
    cut = int(0.9 * len(ids))
    return ids[:cut], ids[cut:], len(characters) + 1


def random_batch(ids, generator):
    starts = torch.randint(len(ids) - CONTEXT, (BATCH,), generator=generator)
    windows = torch.stack([ids[s : s + CONTEXT + 1] for s in starts.tolist()])
    return windows[:, :-1], windows[:, 1:]


def rate_at(step, steps):
    if step < WARM_UP:
        return RATE * (step + 1) / (WARM_UP + 1)
    done = min(1.0, (step - WARM_UP) / max(1, steps - WARM_UP))
    return LAST_RATE + 0.5 * (1 + math.cos(math.pi * done)) * (RATE - LAST_RATE)


@torch.no_grad()
def validation_loss(model, ids):
    """Mean nats over every target, in windows that don't overlap."""
    whole = (len(ids) - 1) // CONTEXT * CONTEXT
    inputs, targets = ids[:whole].view(-1, CONTEXT), ids[1 : whole + 1].view(-1, CONTEXT)
    total = 0.0
    for x, y in zip(inputs.split(64), targets.split(64)):
        total += model(x, y).item() * y.numel()
    if whole < len(ids) - 1:
        x, y = ids[whole:-1][None], ids[whole + 1 :][None]
        total += model(x, y).item() * y.numel()
    return total / (len(ids) - 1)


def processor():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def train(model, forward, ids, steps, generator):
    """Trains in place; returns the loss and seconds of each step."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}],
        lr=RATE,
        betas=BETAS,
    )
    losses, seconds = [], []
    for step in range(steps):
        start = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps)
        loss = forward(*random_batch(ids, generator))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    return losses, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--compile", action="store_true", help="time torch.compile")
    parser.add_argument("--json", action="store_true", help="one JSON line instead of prose")
    arguments = parser.parse_args()
    if arguments.steps <= NOT_TIMED:
        parser.error(f"--steps must be more than {NOT_TIMED}")

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    generator = torch.Generator().manual_seed(arguments.seed)
    training, validation, vocabulary = read(arguments.text)
    model = Decoder(vocabulary)
    forward = torch.compile(model) if arguments.compile else model
    losses, seconds = train(model, forward, training, arguments.steps, generator)
    result = {
        "processor": processor(),
        "torch": torch.__version__,
        "threads": arguments.threads,
        "mode": "compiled" if arguments.compile else "eager",
        "parameters": sum(p.numel() for p in model.parameters()),
        "vocabulary": vocabulary,
        "steps": arguments.steps,
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "first_step_seconds": seconds[0],
        "median_step_seconds": statistics.median(seconds[NOT_TIMED:]),
        "train_seconds": sum(seconds),
        "val_nats_per_token": validation_loss(model, validation),
    }
    if arguments.json:
        print(json.dumps(result))
        return
    print("{processor}, {threads} threads, torch {torch}, {mode}".format(**result))
    print(
        "{parameters} parameters; loss {first_loss:.4f} at the first step "
        "(ln V = {0:.4f}), {last_loss:.4f} at the last".format(math.log(vocabulary), **result)
    )
    print(
        "{0:.1f} ms a step (median), {1:.1f} s the first; {train_seconds:.1f} s for {steps} steps; "
        "validation {val_nats_per_token:.4f} nats a token".format(
            1e3 * result["median_step_seconds"], result["first_step_seconds"], **result
        )
    )


if __name__ == "__main__":
    main()
