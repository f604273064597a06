#!/usr/bin/env python3
"""Measures what watching costs a training run, with the page open in headless Chromium.

Usage: scripts/measure_watching.py DOWNHILL [FLAGS OF TRAIN …]

Counts the processor time of every thread outside the team (from Linux's /proc), and the team's work
that is done only for display: the probes and the measurement of the peak. For the latter, the
processor time is estimated as wall-clock time times the number of threads, an upper bound. Samples,
which are part of the training log, are reported separately. Needs Debian's packages chromium and chromium-driver.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from pictures import Browser

TICKS = os.sysconf("SC_CLK_TCK")
PROBES = ("ladder", "lens", "layers", "profile")


def threads(process):
    """Name, seconds and niceness of each thread, by thread id."""
    found = {}
    for stat in pathlib.Path(f"/proc/{process}/task").glob("*/stat"):
        try:
            head, _, tail = stat.read_text().rpartition(")")
        except OSError:
            continue  # it has ended
        fields = tail.split()
        seconds = (int(fields[11]) + int(fields[12])) / TICKS
        found[stat.parent.name] = (head.split("(", 1)[1], seconds, int(fields[16]))
    return found


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program, flags = sys.argv[1], sys.argv[2:]
    place = pathlib.Path(tempfile.mkdtemp())
    run = place / "run"
    browser = Browser()
    try:
        training = subprocess.Popen([program, "train", "--run", str(run), *flags], stdout=subprocess.PIPE, text=True)
        address = next(filter(None, (re.search(r"http://\S+", line) for line in training.stdout))).group(0)
        browser.open(address)
        seen = {}
        # Drained below: a full pipe would block the training.
        os.set_blocking(training.stdout.fileno(), False)
        while True:
            process, _, usage = os.wait4(training.pid, os.WNOHANG)
            if process:
                break
            seen |= threads(training.pid)
            try:
                training.stdout.read()
            except TypeError:
                pass  # not there yet
            time.sleep(0.1)
        whole = usage.ru_utime + usage.ru_stime
        events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    finally:
        browser.close()
        shutil.rmtree(place, ignore_errors=True)
    start = events[0]
    spent = dict.fromkeys([*PROBES, "sample"], 0.0)
    for before, event in zip(events, events[1:]):
        if event["event"] in spent:
            spent[event["event"]] += event["time"] - before["time"]
    probes = start["threads"] * sum(spent[kind] for kind in PROBES)
    # Five measurements of a few milliseconds, before the start event.
    peak = start["threads"] * 0.05
    team = pathlib.Path(program).name[:15]
    others = {tid: t for tid, t in seen.items() if t[0] != team}
    print(f"{start['processor']}, {start['threads']} threads, {events[-1]['step']} steps, {events[-1]['wall_seconds']:.1f} s")
    print(f"the process: {whole:.2f} s of processor time")
    for name, seconds, nice in others.values():
        print(f"thread {name} (niceness {nice}): {seconds:.2f} s, {100 * seconds / whole:.2f}%")
    for kind, seconds in spent.items():
        print(f"{kind}: {seconds:.3f} s wall-clock time")
    print(f"probes and peak on every thread of the team: {probes + peak:.2f} s, {100 * (probes + peak) / whole:.2f}%")
    cost = probes + peak + sum(seconds for _, seconds, _ in others.values())
    samples = start["threads"] * spent["sample"]
    print(f"watching: {100 * cost / whole:.2f}%; samples, not included: {100 * samples / whole:.2f}%")


if __name__ == "__main__":
    main()
