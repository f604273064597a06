#!/usr/bin/env python3
"""Checks that llama.cpp loads an exported GGUF file and computes what downhill computes.

    python scripts/check_llama_cpp.py FOLDER FILE.gguf --ours PROGRAM --prompt TEXT [--lines FILE]

FOLDER is the same model as a Hugging Face folder. PROGRAM is the example `logits` of the crate
`session`. Prints one line: what agrees (exit code 0) or what differs (exit code 1).
"""

import argparse
import http.client
import json
import subprocess
import sys
import urllib.parse
from pathlib import Path

import gguf
import numpy
import xllamacpp
from gguf.constants import GGMLQuantizationType as Type

# Largest difference of a log-probability, by the type of the matrices. llama.cpp also rounds what
# it multiplies with them: to f16, or to blocks of 8-bit numbers.
TOLERANCES = {"f32": 2e-4, "f16": 5e-3, "q8_0": 5e-2}
TOKENS = 40


class Mismatch(Exception):
    """A difference between the file, llama.cpp and us."""


class LlamaCpp:
    """A model in llama.cpp's server."""

    def __init__(self, path):
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.verbosity = -1
        params.n_ctx = 0
        params.n_parallel = 1
        params.warmup = False
        params.cpuparams.n_threads = 2
        # The cache is f16 by default.
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.server = xllamacpp.Server(params)
        address = urllib.parse.urlparse(self.server.listening_address)
        self.connection = http.client.HTTPConnection(address.hostname, address.port)

    def post(self, path, question):
        body = json.dumps(question)
        self.connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = json.loads(self.connection.getresponse().read())
        if "error" in answer:
            raise Mismatch(f"llama.cpp: {answer['error'].get('message')}")
        return answer

    def tokenize(self, text):
        question = {"content": text, "add_special": False, "parse_special": False}
        return self.post("/tokenize", question)["tokens"]

    def continue_greedily(self, prompt, vocabulary):
        """The generated ids, and at each place all log-probabilities [TOKENS, V]."""
        question = {
            "prompt": prompt,
            "n_predict": TOKENS,
            "temperature": 0,
            "n_probs": vocabulary,
            "cache_prompt": False,
        }
        places = self.post("/completion", question)["completion_probabilities"]
        nats = numpy.full((len(places), vocabulary), -numpy.inf)
        for row, place in zip(nats, places):
            for token in place["top_logprobs"]:
                row[token["id"]] = token["logprob"]
        return [place["id"] for place in places], nats


def our_logits(arguments, ids):
    """Our log-probabilities of the token after each of `ids` [len(ids), V]."""
    command = [*arguments.ours.split(), str(arguments.folder), "--ids", json.dumps(ids)]
    logits = numpy.array(json.loads(subprocess.check_output(command))["logits"], numpy.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return logits - numpy.log(numpy.exp(logits).sum(axis=1, keepdims=True))


def check_tokens(llama, path):
    """The number of lines, each of which has the same ids in both. A line of the file is a pair of a
    text and our ids, in JSON."""
    count = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            text, ours = json.loads(line)
            theirs = llama.tokenize(text)
            if theirs != ours:
                raise Mismatch(f"ids of {text!r}: ours {ours[:30]}, llama.cpp {theirs[:30]}")
            count += 1
    return count


def check_file(path, kind):
    """Reads the file with the package `gguf`; returns its reader."""
    reader = gguf.GGUFReader(path)
    version = reader.fields["GGUF.version"].contents()
    if version != 3:
        raise Mismatch(f"version {version}")
    types = set()
    for tensor in reader.tensors:
        if tensor.data_offset % 32:
            raise Mismatch(f"{tensor.name} is not aligned")
        types.add(tensor.tensor_type)
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        if not numpy.isfinite(values).all():
            raise Mismatch(f"{tensor.name} is not finite")
        # Quantizing what was read again must give the same bytes.
        again = gguf.quants.quantize(values, tensor.tensor_type)
        if again.tobytes() != tensor.data.tobytes():
            raise Mismatch(f"{tensor.name} is quantized in another way by the package gguf")
    expected = {"f32": Type.F32, "f16": Type.F16, "q8_0": Type.Q8_0}[kind]
    if expected not in types:
        raise Mismatch(f"no tensor is {kind}")
    return reader


def check_quantized(reader, exact):
    """Each tensor is what the package `gguf` makes of the tensor of the f32 file."""
    for tensor, whole in zip(reader.tensors, exact.tensors):
        ours, theirs = tensor.data, gguf.quants.quantize(whole.data, tensor.tensor_type)
        if tensor.name != whole.name or ours.tobytes() != theirs.tobytes():
            raise Mismatch(f"{tensor.name} differs from what the package gguf makes of it")


def check(arguments):
    """Runs all checks; returns one line that says what agrees."""
    kind = arguments.type
    reader = check_file(arguments.file, kind)
    if arguments.exact:
        check_quantized(reader, gguf.GGUFReader(arguments.exact))
    llama = LlamaCpp(arguments.file)
    parts = [f"{len(reader.tensors)} tensors, {kind}"]
    if arguments.lines:
        parts.append(f"ids of {check_tokens(llama, arguments.lines)} lines equal")
    vocabulary = len(reader.fields["tokenizer.ggml.tokens"].data)
    prompt = llama.tokenize(arguments.prompt)
    generated, theirs = llama.continue_greedily(arguments.prompt, vocabulary)
    ids = prompt + generated
    ours = our_logits(arguments, ids[:-1])[len(prompt) - 1 :]
    seen = numpy.isfinite(theirs)
    if not seen.mean() > 0.99:
        raise Mismatch(f"llama.cpp gives {seen.mean():.0%} of the log-probabilities")
    error = numpy.abs(ours - theirs)[seen].max()
    tolerance = TOLERANCES[kind]
    # Written so that NaN fails too.
    if not error <= tolerance:
        raise Mismatch(f"log-probabilities differ by {error:.1e}; the limit is {tolerance:.0e}")
    chosen = ours[numpy.arange(len(generated)), generated]
    if not (ours.max(axis=1) - chosen <= 2 * error).all():
        raise Mismatch("llama.cpp's greedy tokens are not the likeliest")
    if kind == "f32" and ours.argmax(axis=1).tolist() != generated:
        raise Mismatch("greedy texts differ")
    parts.append(f"{len(generated)} greedy tokens, log-probabilities within {error:.1e}")
    return ", ".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="the model as a Hugging Face folder")
    parser.add_argument("file", type=Path, help="the model as a GGUF file")
    parser.add_argument("--type", choices=TOLERANCES, default="f32")
    parser.add_argument("--exact", type=Path, help="the same model as an f32 file")
    parser.add_argument("--ours", required=True, help="the example program `logits`")
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--lines", type=Path, help="lines of [text, our ids]")
    arguments = parser.parse_args()
    try:
        print(f"ok: {check(arguments)}")
    except Mismatch as mismatch:
        print(f"FAILED: {mismatch}")
        sys.exit(1)


if __name__ == "__main__":
    main()
