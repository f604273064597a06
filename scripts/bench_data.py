#!/usr/bin/env python3
"""Times `downhill data prepare` and its peak memory on large texts of many kinds.

    cargo build --release && cargo build --release -p downhill-text --example encode
    cargo build --release -p downhill-data --example loader
    python3 scripts/bench_data.py [--bytes 1000000000] [--only english,nul] [--threads 2]

Texts are streamed from generators with fixed seeds into a temporary folder, one at a time, prepared
with bpe:8192, and removed. "encode" is the rate of `encode run` on 64 MB of the same text
with the same tokenizer; "loader" is how many million tokens per second the loader delivers from the
shards with the default context. Needs free disk space for twice the size of the texts.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = 32 << 20  # a text repeats after this many bytes


def words(seed, letters, count):
    """Made-up words, with frequencies that follow Zipf's law."""
    draw = random.Random(seed)
    known = {"".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(count)}
    return sorted(known), [1 / (n + 3) for n in range(len(known))]


def english(seed):
    vocabulary, weights = words(1, "eeetttaaoinshrdlucmfwypvbgk", 30_000)
    draw = random.Random(seed)
    while True:
        each = iter(draw.choices(vocabulary, weights, k=200_000))
        lines = []
        for first in each:
            rest = [w for w, _ in zip(each, range(draw.randint(3, 20)))]
            lines.append(" ".join([first.capitalize(), *rest]) + draw.choice([".", ".", "?", "\n"]))
        yield " ".join(lines).replace("\n ", "\n")


def chinese(seed):
    signs = [chr(0x4E00 + (n * 7919) % 20_000) for n in range(4_000)]
    vocabulary, weights = words(2, signs, 30_000)
    vocabulary = [word[: 1 + len(word) % 3] for word in vocabulary]
    draw = random.Random(seed)
    while True:
        each = iter(draw.choices(vocabulary, weights, k=200_000))
        yield "".join(w + draw.choice(["", "", "", "，", "。", "。\n"]) for w in each)


def without(text, what):
    return (block.replace(what, "").replace("\n", "") for block in text)


CASES = {
    "english": lambda: english(3),
    "chinese": lambda: chinese(4),
    "line": lambda: (block.replace("\n", " ") for block in english(5)),
    "unspaced": lambda: without(english(6), " "),
    "nul": lambda: iter(lambda: "\0" * (1 << 20), None),
    "letter": lambda: iter(lambda: "A" * (1 << 20), None),
}


def blocks(text):
    """The text as bytes: one block of fresh ones, repeated."""
    kept, size = [], 0
    for block in text:
        kept.append(block.encode())
        size += len(kept[-1])
        yield kept[-1]
        if size >= BLOCK:
            break
    while True:
        yield from kept


def write(path, text, size):
    with open(path, "wb") as out:
        for block in blocks(text):
            block = block[: size - out.tell()]
            out.write(block.decode(errors="ignore").encode())
            if size - out.tell() < 4:
                return


def documents(path, count):
    """One jsonl file with the given number of distinct documents."""
    text = english(7)
    with open(path, "w") as out:
        lines = iter("")
        for n in range(count):
            line = next(lines, None)
            if line is None:
                lines = iter(next(text).split(". "))
                line = next(lines)
            out.write(json.dumps({"id": n, "text": f"{n}: {line}"}) + "\n")


def small_files(folder, count):
    text, lines = english(8), iter("")
    for n in range(count):
        line = next(lines, None)
        if line is None:
            lines = iter(next(text).split(". "))
            line = next(lines)
        place = folder / f"{n // 1000:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{n}.txt").write_text(f"{n}: {line}")


def prepare(source, out, threads):
    """Prepares with the release binary; returns its output, the seconds and the peak memory."""
    command = [ROOT_TARGET / "downhill", "data", "prepare", source, "--tokenizer", "bpe:8192"]
    command += ["--threads", str(threads), "--out", out, "--json"]
    start = time.perf_counter()
    child = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE)
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with {status}")
    return json.loads(said), time.perf_counter() - start, usage.ru_maxrss * 1024


def encoding_rate(source, out, threads, folder):
    """Bytes per second of encoding alone: the best of three rounds on the text's first 64 MB."""
    part = folder / "part.txt"
    with open(source, "rb") as file:
        text = file.read(64 << 20).decode(errors="ignore").encode()
    part.write_bytes(text)
    command = [ROOT_TARGET / "examples" / "encode", "run", out / "tokenizer.json", part]
    command += [str(threads), "3", folder / "ids"]
    said = subprocess.run([str(c) for c in command], capture_output=True, check=True, text=True)
    (folder / "ids").unlink()
    return len(text) / min(float(line) for line in said.stdout.split())


def loader_rate(out):
    """Tokens per second from the loader, over at least one epoch."""
    command = [ROOT_TARGET / "examples" / "loader", out, "512", "2", "1"]
    said = subprocess.run([str(c) for c in command], capture_output=True, check=True, text=True)
    return float(said.stdout)


def row(name, seen, seconds, peak, rate, loader):
    speed = seen["bytes"] / seconds
    share = f"{speed / rate:5.2f}" if rate else "    -"
    rate = f"{rate / 1e6:8.1f}" if rate else "       -"
    print(
        f"{name:10} {seen['bytes'] / 1e6:8.0f} MB {seen['documents']:9,} {seconds:7.1f} s "
        f"{speed / 1e6:7.1f} MB/s {rate} MB/s {share} {peak / 1e6:6.0f} MB "
        f"{seen['bytes_per_token']:6.2f} {loader / 1e6:6.1f} M/s",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=int, default=1_000_000_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="")
    parser.add_argument("--target", default=os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    chosen = parser.parse_args()
    global ROOT_TARGET
    ROOT_TARGET = pathlib.Path(chosen.target) / "release"
    only = set(filter(None, chosen.only.split(",")))
    print("text           bytes    documents    time    prepare     encode    share   peak  B/token  loader")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        scale = chosen.bytes / 1_000_000_000
        for name in [*CASES, "documents", "files"]:
            if only and name not in only:
                continue
            source, out = folder / f"{name}.txt", folder / "out"
            if name == "documents":
                source = folder / "documents.jsonl"
                documents(source, int(1_000_000 * scale))
            elif name == "files":
                source = folder / "files"
                small_files(source, int(100_000 * scale))
            else:
                write(source, CASES[name](), chosen.bytes)
            seen, seconds, peak = prepare(source, out, chosen.threads)
            rate = encoding_rate(source, out, chosen.threads, folder) if source.suffix == ".txt" else 0
            row(name, seen, seconds, peak, rate, loader_rate(out))
            shutil.rmtree(out)
            shutil.rmtree(source) if source.is_dir() else source.unlink()


if __name__ == "__main__":
    main()
