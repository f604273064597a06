#!/usr/bin/env python3
"""Times generation with `downhill bench generate` and with llama.cpp, by turns: see
bench_generate.sh, which calls this.

    python scripts/bench_generate.py PROGRAM FOLDER ROUNDS
"""

import http.client
import json
import shutil
import statistics
import subprocess
import sys
import urllib.parse
from pathlib import Path

import gguf
import numpy
import safetensors.numpy
import xllamacpp

THREADS = 2
PROMPT, SHORT, WRITTEN = 512, 16, 200
# Name, layers, heads, width, rows of the vocabulary.
MODELS = [("10M", 6, 6, 384, 256), ("124M", 12, 12, 768, 50257)]
# Our form of the weights, and llama.cpp's type.
TYPES = [("f32", "f32"), ("bf16", "bf16"), ("int8", "q8_0")]


def write_model(folder, tiny, layers, heads, width, vocabulary):
    """A GPT-2 with random weights, as a Hugging Face folder with the tokenizer of `tiny`."""
    folder.mkdir()
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(tiny / name, folder / name)
    config = json.loads((tiny / "config.json").read_text())
    ids = {key: config[key] for key in ["bos_token_id", "eos_token_id"]}
    (folder / "config.json").write_text(
        json.dumps(
            {
                "architectures": ["GPT2LMHeadModel"],
                "model_type": "gpt2",
                "vocab_size": vocabulary,
                "n_layer": layers,
                "n_head": heads,
                "n_embd": width,
                "n_inner": 4 * width,
                "n_positions": 1024,
                "layer_norm_epsilon": 1e-5,
                "tie_word_embeddings": True,
                "activation_function": "gelu_new",
                **ids,
            }
        )
    )
    random = numpy.random.default_rng(1)
    tensors = {}

    def matrix(name, *shape):
        tensors[name] = random.normal(0, 0.02, shape).astype(numpy.float32)

    def vector(name, size, value):
        tensors[name] = numpy.full(size, value, numpy.float32)

    matrix("transformer.wte.weight", vocabulary, width)
    matrix("transformer.wpe.weight", 1024, width)
    sizes = [("attn.c_attn", 1, 3), ("attn.c_proj", 1, 1), ("mlp.c_fc", 1, 4), ("mlp.c_proj", 4, 1)]
    for layer in range(layers):
        for part, inner, out in sizes:
            matrix(f"transformer.h.{layer}.{part}.weight", inner * width, out * width)
            vector(f"transformer.h.{layer}.{part}.bias", out * width, 0)
        for norm in ["ln_1", "ln_2"]:
            vector(f"transformer.h.{layer}.{norm}.weight", width, 1)
            vector(f"transformer.h.{layer}.{norm}.bias", width, 0)
    vector("transformer.ln_f.weight", width, 1)
    vector("transformer.ln_f.bias", width, 0)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", {"format": "pt"})


class LlamaCpp:
    """A model in llama.cpp's server."""

    def __init__(self, path):
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.verbosity = -1
        params.n_ctx = 1024
        params.n_parallel = 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
        self.server = xllamacpp.Server(params)
        address = urllib.parse.urlparse(self.server.listening_address)
        self.address = (address.hostname, address.port)

    def generate(self, prompt, written):
        """Tokens per second of the prompt, and of the generated text."""
        question = {"prompt": prompt, "n_predict": written, "cache_prompt": False}
        question |= {"ignore_eos": True, "temperature": 0}
        headers = {"Content-Type": "application/json"}
        # A connection that was idle during our turn may have been closed.
        connection = http.client.HTTPConnection(*self.address)
        connection.request("POST", "/completion", json.dumps(question), headers)
        times = json.loads(connection.getresponse().read())["timings"]
        connection.close()
        done = (times["prompt_n"], times["predicted_n"])
        if done != (len(prompt), written):
            raise SystemExit(f"llama.cpp did {done}, not {(len(prompt), written)}")
        return times["prompt_per_second"], times["predicted_per_second"]


def ours(program, folder, form):
    """The JSON object of `downhill bench generate`."""
    command = [program, "bench", "generate", str(folder), "--weights", form, "--json"]
    found = json.loads(subprocess.check_output([*command, "--threads", str(THREADS)]))
    done = (found["prompt"], found["written"])
    if done != (PROMPT, WRITTEN):
        raise SystemExit(f"downhill did {done}, not {(PROMPT, WRITTEN)}")
    return found


def to_bf16(path, to):
    """Rewrites an f32 file with its matrices in bf16, a type that `export` doesn't write."""
    reader = gguf.GGUFReader(path)
    writer = gguf.GGUFWriter(to, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        written = field.name.startswith("GGUF.") or field.name == "general.architecture"
        if not written:
            kind, *parts = field.types
            parts = parts[-1] if parts else None
            # The package doesn't write an empty list of merges. Prompts are token ids here, so one
            # that never applies changes nothing.
            content = field.contents()
            content = ["a b"] if content == [] else content
            writer.add_key_value(field.name, content, kind, parts)
    kind = gguf.GGMLQuantizationType.BF16
    for tensor in reader.tensors:
        if len(tensor.shape) > 1 and not tensor.name.startswith("position"):
            numbers = gguf.quants.quantize(tensor.data, kind)
            writer.add_tensor(tensor.name, numbers, raw_dtype=kind)
        else:
            writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def export(program, folder, kind):
    """The model as a GGUF file."""
    path = folder.with_suffix(f".{kind}.gguf")
    if kind == "bf16":
        to_bf16(folder.with_suffix(".f32.gguf"), path)
        return path
    command = [program, "export", str(folder), "-o", str(path), "--quantize", kind]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def main():
    program, work, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    tiny = next((work / "tiny" / "checkpoints").iterdir())
    ids = [int(i) for i in numpy.random.default_rng(2).integers(0, 50, PROMPT)]
    print("medians of", rounds, "rounds,", THREADS, "threads; prompt of", PROMPT, "tokens,")
    print(WRITTEN, "tokens after", SHORT)
    print("model  weights     prompt: ours  llama.cpp  ratio    text: ours  llama.cpp  ratio  bandwidth")
    for name, *shape in MODELS:
        folder = work / name
        write_model(folder, tiny, *shape)
        for form, kind in TYPES:
            llama = LlamaCpp(export(program, folder, kind))
            mine, theirs = [], []
            for _ in range(rounds):
                mine.append(ours(program, folder, form))
                read = llama.generate(ids, 1)[0]
                theirs.append((read, llama.generate(ids[:SHORT], WRITTEN)[1]))
            processor = mine[0]["processor"]
            line = f"{name:<6} {form:<4}/{kind:<5}"
            for at, key in enumerate(["prompt_tokens_per_second", "tokens_per_second"]):
                own = statistics.median(m[key] for m in mine)
                other = statistics.median(t[at] for t in theirs)
                line += f" {own:>13.0f} {other:>10.0f} {own / other:>6.2f}"
            share = statistics.median(m["share_of_bandwidth"] for m in mine)
            print(line, f"{share:>9.0%}", flush=True)
            del llama
    print(processor)


if __name__ == "__main__":
    main()
