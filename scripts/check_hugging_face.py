#!/usr/bin/env python3
"""Checks that Hugging Face's libraries load a checkpoint and compute the same logits from it.

    cargo run -q --release -p downhill-session --example logits -- CHECKPOINT "TEXT" > logits.json
    python scripts/check_hugging_face.py CHECKPOINT --text "TEXT" --logits logits.json

Prints one line: what agrees (exit code 0) or what differs (exit code 1).
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # a checkpoint must be complete without the network
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
import tokenizers
import transformers

transformers.utils.logging.disable_progress_bar()
CLASSES = ("GPT2LMHeadModel", "LlamaForCausalLM", "Qwen3ForCausalLM")
TOLERANCE = 1e-4
# Byte-level tokenizers must reproduce this text, whatever they were learned from.
ANY_TEXT = [
    "The red ball rolled down the hill.\n\nTwo  spaces, a tab\tand `code`.",
    "小狗看见了红色的球。它跑下山去了!",
    "naïve café, 한국어, Ελλάδα, \u0000\u007f, 🦀 and e\u0301",
]


class Mismatch(Exception):
    """A difference between the checkpoint and the libraries."""


def load(folder, expected):
    """The model in float32, with every weight from the file and none left over."""
    if not (folder / "config.json").is_file():
        raise Mismatch("no config.json here: name a checkpoint folder")
    try:
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise Mismatch(f"does not load: {' '.join(str(error).split())[:300]}") from error
    name = type(model).__name__
    if name not in expected:
        raise Mismatch(f"loads as {name}, expected {' or '.join(expected)}")
    for what, keys in info.items():
        if keys:
            raise Mismatch(f"loads with {what.replace('_', ' ')}: {sorted(map(str, keys))[:5]}")
    return model.eval(), tokenizer


def check_round_trip(folder, tokenizer, text):
    """Checks that both libraries encode `text` to the same ids and decode them to the same text."""
    ids = tokenizer(text)["input_ids"]
    plain = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    if plain.encode(text).ids != ids:
        raise Mismatch(f"tokenizers and transformers encode {text!r} differently")
    for library, back in [
        ("transformers", tokenizer.decode(ids)),
        ("tokenizers", plain.decode(ids, skip_special_tokens=False)),
    ]:
        if back != text:
            raise Mismatch(f"{library} decodes {text!r} to {back!r}")
    return ids


def check_logits(model, ids, path):
    """The largest difference between our logits and those of `model`."""
    try:
        ours = json.loads(path.read_text(encoding="utf-8"))
        our_ids, our_logits = ours["ids"], torch.tensor(ours["logits"], dtype=torch.float32)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Mismatch(f"{path} is not {{'ids': […], 'logits': [[…]]}}: {error}") from error
    if our_ids != ids:
        raise Mismatch(f"ids differ: ours {our_ids[:40]}, transformers {ids[:40]}")
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
    if our_logits.shape != logits.shape:
        raise Mismatch(
            f"logits have shape {list(our_logits.shape)}, transformers {list(logits.shape)}"
        )
    error = (our_logits - logits).abs().max().item()
    # Written so that NaN fails too.
    if not error <= TOLERANCE:
        raise Mismatch(f"logits differ by {error:.1e}; the limit is {TOLERANCE:.0e}")
    return error


def check(arguments):
    """Runs all checks; returns one line that says what agrees."""
    folder = arguments.checkpoint
    model, tokenizer = load(folder, arguments.classes or CLASSES)
    vocabulary = model.config.vocab_size
    if len(tokenizer) > vocabulary:
        raise Mismatch(f"the tokenizer has {len(tokenizer)} tokens, the model {vocabulary}")
    plain = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    any_text = isinstance(plain.model, tokenizers.models.BPE)
    texts = [arguments.text] + (ANY_TEXT if any_text else [])
    ids = [check_round_trip(folder, tokenizer, text) for text in texts][0]
    parts = [
        type(model).__name__,
        f"{sum(p.numel() for p in model.parameters())} parameters",
        f"{len(texts)} texts round-trip",
    ]
    if arguments.logits:
        error = check_logits(model, ids, arguments.logits)
        parts.append(f"logits of {len(ids)} tokens within {error:.1e}")
    return ", ".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path, help="a folder with config.json")
    parser.add_argument("--text", default="the", help="text within vocabulary and context")
    parser.add_argument("--class", dest="classes", action="append", choices=CLASSES)
    parser.add_argument("--logits", type=Path, help="output of the example program `logits`")
    arguments = parser.parse_args()
    try:
        print(f"ok: {arguments.checkpoint}: {check(arguments)}")
    except Mismatch as mismatch:
        print(f"FAILED: {arguments.checkpoint}: {mismatch}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
