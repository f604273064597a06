"""Reads a run's event files as TensorBoard does, and compares them with its events.jsonl."""

import argparse
import json
import math
import pathlib
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as Plugins

TAGS = {
    "loss/train": ("step", "nats_per_token"),
    "optimizer/learning_rate": ("step", "lr"),
    "optimizer/gradient_norm": ("step", "grad_norm"),
    "speed/tokens_per_second": ("step", "tokens_per_second"),
    "loss/validation": ("eval", "val_nats_per_token"),
    "bits_per_byte/validation": ("eval", "val_bits_per_byte"),
}


def curve(run: pathlib.Path) -> list[dict]:
    """The run's events as one curve: a resumed session replaces the events after its start."""
    events = []
    for line in (run / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "start":
            events = [e for e in events if e.get("step", 0) <= event["first_step"]]
        events.append(event)
    return events


def f32(x: float) -> float:
    return struct.unpack("f", struct.pack("f", x))[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=pathlib.Path)
    run = parser.parse_args().run
    events = curve(run)
    seen = EventAccumulator(str(run), size_guidance={"scalars": 0, "tensors": 0})
    seen.Reload()
    wrong = []
    for tag, (kind, field) in TAGS.items():
        expected = [(e["step"], f32(e[field])) for e in events if e["event"] == kind]
        found = [(s.step, s.value) for s in seen.Scalars(tag)]
        if found != expected or not all(math.isfinite(v) for _, v in found):
            wrong.append(f"{tag}: {len(found)} points, {len(expected)} expected")
    samples = [e for e in events if e["event"] == "sample"]
    # The older reader doesn't drop texts when a session goes back; the one used by the panels does.
    panels = Plugins(str(run), size_guidance={"tensors": 0})
    panels.Reload()
    texts = panels.Tensors("sample")
    if [t.step for t in texts] != [e["step"] for e in samples]:
        wrong.append("sample: other steps")
    for event, text in zip(samples, texts):
        written = text.tensor_proto.string_val[0].decode()
        if "".join(l[4:] + "\n" for l in written.splitlines()).strip() != (event["prompt"] + event["text"]).strip():
            wrong.append(f"sample of step {event['step']}: another text")
    if panels.summary_metadata["sample"].plugin_data.plugin_name != "text":
        wrong.append("sample: not a text")
    print("; ".join(wrong) or f"{len(TAGS)} scalars and {len(samples)} texts of {events[-1]['step']} steps are the same")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
