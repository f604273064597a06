#!/usr/bin/env python3
"""Checks that training with default settings beats a byte bigram model after 300 steps.

    cargo build --release
    python3 scripts/check_bigram.py TEXT... [--set KEY=VALUE] [--running]

Each TEXT, a file or a folder, is trained on for 300 steps; with --running they are the first 300
steps of the default run, before its learning rate falls. The columns are bits per byte over the
whole validation part: of the model; of a byte bigram model counted on the training part and smoothed
by byte frequencies; and the conditional entropy of bytes counted on the whole text itself, a lower
bound for any bigram model of it. Exit code 1 if the model isn't below both.
"""

import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
SMOOTHING = 8.0  # weight of the byte frequencies, in counted bytes


def tokens(folder, part):
    """The bytes of a part prepared with one token per byte, without separators."""
    all = []
    for shard in sorted(folder.glob(f"{part}-*.safetensors")):
        data = shard.read_bytes()
        (header,) = struct.unpack_from("<Q", data)
        about = json.loads(data[8 : 8 + header])["tokens"]
        first, end = (8 + header + at for at in about["data_offsets"])
        width = {"U16": "<u2", "U32": "<u4"}[about["dtype"]]
        all.append(numpy.frombuffer(data[first:end], width).astype(numpy.int64))
    all = numpy.concatenate(all)
    return all[all < 256]


def pairs(text):
    return numpy.bincount(text[:-1] * 256 + text[1:], minlength=65536).reshape(256, 256)


def bigrams(downhill, text):
    """Bits per byte of the model counted on the training part, and the entropy of the text itself."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out")
        command = [downhill, "data", "prepare", text, "--tokenizer", "bytes", "--out", out]
        subprocess.run(command, check=True, capture_output=True)
        train, validation = tokens(out, "train"), tokens(out, "validation")
    single = numpy.bincount(train, minlength=256) + 0.01
    counts = pairs(train) + SMOOTHING * single / single.sum()
    given = counts / counts.sum(1, keepdims=True)
    counted = -numpy.log2(given[validation[:-1], validation[1:]]).mean()
    own = pairs(numpy.concatenate([train, validation])).astype(float)
    share = own / numpy.maximum(own.sum(1, keepdims=True), 1)
    bits = -numpy.log2(share, where=share > 0, out=numpy.zeros_like(share))
    return counted, (own * bits).sum() / own.sum()


def train(downhill, text, sets, running):
    """Bits per byte after 300 steps, seconds of training, and vocabulary size."""
    sets = [*sets, *(["optim.schedule=constant"] if running else [])]
    with tempfile.TemporaryDirectory() as folder:
        command = [downhill, "train", text, "--steps", "300", "--json"]
        command += ["--run", pathlib.Path(folder, "run")]
        for each in sets:
            command += ["--set", each]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    of = lambda kind: [e for e in events if e["event"] == kind]
    last = [e for e in of("eval") if e["full"]][-1]
    return last["val_bits_per_byte"], of("end")[-1]["train_seconds"], of("start")[0]["vocabulary"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--running", action="store_true")
    parser.add_argument("--downhill", default=ROOT / "target" / "release" / "downhill")
    arguments = parser.parse_args()
    print("| text | vocabulary | bits per byte | bigram, counted | bigram, own | below |")
    print("|---|---|---|---|---|---|")
    above = 0
    for text in arguments.texts:
        found, _, vocabulary = train(arguments.downhill, text, arguments.set, arguments.running)
        counted, own = bigrams(arguments.downhill, text)
        least = min(counted, own)
        above += found >= least
        name = pathlib.Path(text).name
        below = f"{1 - found / least:.1%}"
        row = [name, vocabulary, f"{found:.3f}", f"{counted:.3f}", f"{own:.3f}", below]
        print("|", " | ".join(map(str, row)), "|", flush=True)
    sys.exit(1 if above else 0)


if __name__ == "__main__":
    main()
