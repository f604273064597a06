#!/usr/bin/env python3
"""Measures how long the page of a long run takes to respond and draw, in headless Chromium.

Usage: scripts/measure_page.py DOWNHILL [--steps 1000000]

Generates a run with this many steps and opens it twice: first without the records that the page
keeps beside a run, then with them. Needs Debian's packages chromium and chromium-driver.
"""
import argparse
import json
import math
import pathlib
import shutil
import tempfile
import time
import urllib.request

from pictures import Browser, Page

DRAWN = "return document.querySelector('#loss-chart .scatterlayer path.js-line') !== null"


def write(folder, steps):
    """A run's events: a line per step, and an evaluation and a probe every 1,000 steps."""
    folder.mkdir()
    (folder / "run.toml").write_text("")
    dump = lambda event: json.dumps(event, separators=(",", ":")) + "\n"
    parts = ["embed_tokens"] + [f"layers.{i}.{half}" for i in range(4) for half in ("attention", "mlp")] + ["norm"]
    with open(folder / "events.jsonl", "w") as out:
        out.write(dump({
            "event": "start", "time": 1e9, "run": "made-up", "corpus": "tales", "family": "qwen3", "parameters": 810432,
            "vocabulary": 65, "train_tokens": 1800000, "validation_tokens": 200000, "validation_bytes": 200000,
            "first_step": 0, "steps": steps, "batch": 12, "context": 64, "tokens_per_step": 768, "flops_per_step": 3930000000,
            "bytes_peak": 41000000, "threads": 2, "processor": "made-up", "precision": "f32", "seed": 1, "version": "0.1.0"}))
        for i in range(1, steps + 1):
            now = 1e9 + i * 0.0123457891
            loss = 1.1 + 3 / (1 + i / 3000.7) + 0.05 * math.sin(i * i)
            out.write('{"event":"step","time":%r,"step":%d,"nats_per_token":%r,"grad_norm":%r,"lr":%r,"step_seconds":%r,"tokens_per_second":%r}\n'
                      % (now, i, loss, 0.53 + 0.1 * math.cos(i), 1e-3 * (1 - i / (steps + 1.7)), 0.0123457891 + 1e-7 * (i % 97), 62207.123456 + i % 101))
            if i % 1000 == 0:
                out.write(dump({"event": "eval", "time": now, "step": i, "val_nats_per_token": loss + 0.1, "val_bits_per_byte": 1.7,
                                "tokens": 20000, "bytes": 20000, "seconds": 0.1, "full": False, "best": True}))
                out.write(dump({"event": "layers", "time": now, "step": i, "names": parts, "grad_norm": [0.1] * 10,
                                "update_ratio": [1e-3] * 10, "weight_rms": [0.02] * 10, "activation_rms": [1.0] * 10}))


def answers(address):
    """Seconds until the events are served and the loss is drawn."""
    began = time.perf_counter()
    for path in ("api/runs/0/events?after=0", "api/runs/0/series?names=loss,smooth&points=1500"):
        with urllib.request.urlopen(address + path) as answer:
            answer.read()
    return time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--steps", type=int, default=1_000_000)
    a = parser.parse_args()
    place = pathlib.Path(tempfile.mkdtemp())
    browser = Browser()
    try:
        run = place / "run"
        write(run, a.steps)
        for kept in ("not read before", "read before"):
            page = Page(a.program, str(run))
            served = answers(page.address)
            page.close()
            if kept == "not read before":
                shutil.rmtree(run / "pyramid", ignore_errors=True)
            page = Page(a.program, str(run))
            began = time.perf_counter()
            browser.open(page.address)
            browser.wait(DRAWN)
            drawn = time.perf_counter() - began
            page.close()
            print(f"{a.steps:,} steps, {kept}: answered in {served:.2f} s, drawn in {drawn:.2f} s")
    finally:
        browser.close()
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
