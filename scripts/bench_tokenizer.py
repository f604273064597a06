#!/usr/bin/env python3
"""Encodes large texts with our tokenizer and with Python's `tokenizers`, alternating, and compares
all ids and the throughput.

    python scripts/bench_tokenizer.py english=FILE,FOLDER chinese=FILE code=FOLDER [--megabytes 100]

Each argument names a corpus: the lines of its files (folders are searched for text) are drawn at
random with a fixed seed until there are enough. A tokenizer `bpe:SIZE` is learned from it, and with
--learn also by `tokenizers`, which must learn the same tokens. The program `encode` must have been
built with `cargo build --release -p downhill-text --example encode`.

Exit code 0, or 1 if an id differs.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
parser.add_argument("corpora", nargs="+", metavar="NAME=PATHS")
parser.add_argument("--megabytes", type=int, default=100)
parser.add_argument("--size", type=int, default=8192)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--learn", action="store_true", help="learn with `tokenizers` too and compare")
arguments = parser.parse_args()

# The library reads this when it starts its threads.
os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)
os.environ["TOKENIZERS_PARALLELISM"] = "true"

import numpy
import tokenizers

BYTES_A_FILE = 4 << 20
LONGEST_RUN = 4096  # bytes; ours cuts longer runs without white space
DOCUMENT_BYTES = 64 << 10  # passed to Python at a time
SUFFIXES = {".md", ".txt", ".rs", ".py", ".c", ".h", ".js", ".sh"}


def lines_of(paths):
    """All lines of UTF-8 files, and of the files with a known suffix in folders."""
    lines = []
    for path in paths:
        path = Path(path)
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if not file.is_file() or (file != path and file.suffix not in SUFFIXES):
                continue
            data = file.read_bytes() if file == path else file.read_bytes()[:BYTES_A_FILE]
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError:
                continue
            lines += text.splitlines(keepends=True)
    return [line for line in lines if line.strip() and comparable(line)]


def comparable(line):
    """Whether both treat a line alike: it has no separator text and no very long run."""
    longest = max(len(run.encode("utf-8")) for run in line.split())
    return "<|endoftext|>" not in line and longest <= LONGEST_RUN


def make(lines, size):
    """A text of `size` bytes: blocks of ten lines in random order, repeated."""
    blocks = ["".join(lines[at : at + 10]) for at in range(0, len(lines), 10)]
    draw = random.Random(1)
    parts, total = [], 0
    while total < size:
        draw.shuffle(blocks)
        for block in blocks:
            encoded = block.encode("utf-8")
            encoded += b"" if encoded.endswith(b"\n") else b"\n"
            parts.append(encoded)
            total += len(encoded)
            if total >= size:
                break
    return b"".join(parts)


def documents(text):
    """Cuts at line breaks between words, where every pre-tokenizer has a boundary."""
    cut = re.compile(r"(?<=\S\n)(?=\S)")
    found, begin = [], 0
    for match in cut.finditer(text):
        if match.start() - begin >= DOCUMENT_BYTES:
            found.append(text[begin : match.start()])
            begin = match.start()
    found.append(text[begin:])
    return found


def learned_by_tokenizers(ours, text):
    """The tokens that Hugging Face's trainer learns with the same settings."""
    fresh = tokenizers.Tokenizer(tokenizers.models.BPE())
    fresh.pre_tokenizer = ours.pre_tokenizer
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=arguments.size - 1, min_frequency=2, max_token_length=64, show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    begin = time.perf_counter()
    fresh.train_from_iterator(documents(text), trainer)
    return fresh.get_vocab(), time.perf_counter() - begin


def run(name, paths, program, work):
    text = make(lines_of(paths), arguments.megabytes * 1_000_000)
    file, model, ids_file = work / "text", work / "tokenizer.json", work / "ids"
    file.write_bytes(text)
    learn = subprocess.run(
        [program, "learn", file, str(arguments.size)], capture_output=True, check=True
    )
    model.write_bytes(learn.stdout)
    seconds = float(learn.stderr.split()[0])
    theirs = tokenizers.Tokenizer.from_file(str(model))
    text = text.decode("utf-8")
    print(f"{name}: {len(text.encode()) / 1e6:.0f} MB, {theirs.get_vocab_size()} tokens")
    print(f"  learning, from a sample   ours {seconds:.2f} s")
    if arguments.learn:
        sample = text.encode()[: 8 << 20].decode("utf-8", "ignore")
        file.write_text(sample, encoding="utf-8", newline="")
        learn = subprocess.run(
            [program, "learn", file, str(arguments.size)], capture_output=True, check=True
        )
        ours = tokenizers.Tokenizer.from_str(learn.stdout.decode()).get_vocab()
        vocab, other = learned_by_tokenizers(theirs, sample)
        ours.pop("<|endoftext|>")
        same = sum(vocab.get(token) == id for token, id in ours.items())
        print(f"  learning, from 8 MiB      ours {float(learn.stderr.split()[0]):.2f} s, "
              f"tokenizers {other:.2f} s, {same} of {len(ours)} tokens have the same id")
        file.write_text(text, encoding="utf-8", newline="")
    pieces = documents(text)
    size, ours, python = len(text.encode()) / 1e6, [], []
    for _ in range(arguments.rounds):
        command = [program, "run", model, file, str(arguments.threads), "1", ids_file]
        ours.append(float(subprocess.run(command, capture_output=True, check=True).stdout))
        begin = time.perf_counter()
        encoded = theirs.encode_batch_fast(pieces)
        python.append(time.perf_counter() - begin)
    expected = numpy.concatenate([numpy.asarray(e.ids, dtype="<u4") for e in encoded])
    found = numpy.fromfile(ids_file, dtype="<u4")
    same = numpy.array_equal(expected, found)
    a, b = size / min(ours), size / min(python)
    print(f"  encoding, {arguments.threads} threads       ours {a:.0f} MB/s, tokenizers {b:.1f} MB/s, ratio {a / b:.1f}")
    print(f"  ids                       {len(found)}, {'the same' if same else 'DIFFERENT'}; "
          f"{len(text.encode()) / len(found):.3f} bytes a token")
    return same


def main():
    root = Path(__file__).resolve().parent.parent
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    program = target / "release" / "examples" / "encode"
    if not program.is_file():
        sys.exit("run `cargo build --release -p downhill-text --example encode` first")
    print(f"tokenizers {tokenizers.__version__}, {arguments.threads} threads, best of {arguments.rounds}")
    same = True
    for corpus in arguments.corpora:
        name, _, paths = corpus.partition("=")
        with tempfile.TemporaryDirectory() as work:
            same &= run(name, paths.split(","), program, Path(work))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
