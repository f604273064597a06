#!/usr/bin/env python3
"""Generates the golden values that the tests of `model` compare with.

One file per family (`gpt2`, `llama`, `qwen3`, and the latter two again with an explicit head size)
contains a tiny model's weights, four batches, the logits and gradients of the first step and the
losses of 100 AdamW steps, all computed in float64 by `transformers`. `operations.safetensors`
contains single operations computed by PyTorch.

Run it with `python scripts/golden.py`. The same versions of the packages give the same bytes.

Before writing a file it checks that the gradients agree with central differences of the loss (so
nothing was computed in float32) and prints how far a plain float32 run deviates from the losses.
"""

import argparse
import contextlib
import json
import types
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.models.llama import modeling_llama
from transformers.models.qwen3 import modeling_qwen3

OUT = Path(__file__).resolve().parent.parent / "crates/model/tests/golden"

VOCABULARY = 19
CONTEXT = 12
LAYERS = 2
BATCHES, BATCH = 4, 3
STEPS = 100
# A higher rate makes these tiny models chaotic: at 1e-2, PyTorch's own float32 run deviates from
# its float64 run by up to 2e-2 within the 100 steps, and a comparison in float32 would be
# meaningless.
OPTIMIZER = {
    "name": "adamw",
    "lr": 1e-3,
    "betas": [0.9, 0.99],
    "eps": 1e-8,
    "weight_decay": 0.1,
    "clip": 2.0,  # so that some steps are clipped and some are not
}
SEEDS = {
    "gpt2": 1, "llama": 3, "qwen3": 1, "llama-head-size": 1, "qwen3-head-size": 1, "operations": 4,
}  # fmt: skip

# The entries used as the configuration in the file and for the model in transformers.
SHAPES = {
    "gpt2": {
        "heads": 2, "kv_heads": 2, "width": 16, "hidden": 64,
        "norm_eps": 1e-5, "tied": True, "bias": True,
    },
    "llama": {
        "heads": 4, "kv_heads": 2, "width": 16, "hidden": 40,
        "norm_eps": 1e-6, "rope_theta": 10000.0, "tied": False, "bias": False,
    },
    "qwen3": {
        "heads": 4, "kv_heads": 2, "width": 24, "hidden": 40,
        "norm_eps": 1e-6, "rope_theta": 10000.0, "tied": True, "bias": False,
    },
    # The heads together are wider or narrower than the model.
    "llama-head-size": {
        "heads": 4, "kv_heads": 2, "head_size": 6, "width": 16, "hidden": 16,
        "norm_eps": 1e-6, "rope_theta": 10000.0, "tied": True, "bias": False,
    },
    "qwen3-head-size": {
        "heads": 2, "kv_heads": 1, "head_size": 4, "width": 16, "hidden": 16,
        "norm_eps": 1e-6, "rope_theta": 10000.0, "tied": True, "bias": False,
    },
}  # fmt: skip


# ---------------------------------------------------------------- float64 throughout


class _Widened(types.ModuleType):
    """`torch`, with float64 in place of float32."""

    float = torch.float64
    float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


@contextlib.contextmanager
def float64():
    """Makes transformers compute in float64 where it asks for float32 by name.

    Its RMSNorm, rotary angles and softmax go through float32 whatever the model's type is, which
    would leave only seven digits. All code is still the library's own.
    """
    modules = [modeling_llama, modeling_qwen3]
    to_float = torch.Tensor.float
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    for module in modules:
        module.torch = _Widened("torch")
    try:
        yield
    finally:
        for module in modules:
            module.torch = torch
        torch.Tensor.float = to_float
        torch.set_default_dtype(torch.float32)


# ---------------------------------------------------------------- models and names


def family_of(name):
    """The family of a shape."""
    return name.removesuffix("-head-size")


def build(name):
    """An untrained model of a shape in the default type."""
    shape, family = SHAPES[name], family_of(name)
    if family == "gpt2":
        config = GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=CONTEXT,
            n_embd=shape["width"],
            n_layer=LAYERS,
            n_head=shape["heads"],
            n_inner=shape["hidden"],
            activation_function="gelu_new",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            layer_norm_epsilon=shape["norm_eps"],
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=0,
            attn_implementation="eager",
        )
        return GPT2LMHeadModel(config)
    make_config, make_model = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    }[family]
    config = make_config(
        vocab_size=VOCABULARY,
        hidden_size=shape["width"],
        intermediate_size=shape["hidden"],
        num_hidden_layers=LAYERS,
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv_heads"],
        head_dim=shape.get("head_size", shape["width"] // shape["heads"]),
        max_position_embeddings=CONTEXT,
        rms_norm_eps=shape["norm_eps"],
        rope_parameters={"rope_type": "default", "rope_theta": shape["rope_theta"]},
        tie_word_embeddings=shape["tied"],
        attention_bias=False,
        attention_dropout=0.0,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=None,
        attn_implementation="eager",
    )
    return make_model(config)


def our_names(family, tensors):
    """The same tensors under this project's names, matrices as [out, in]."""
    out = {}
    for name, tensor in tensors.items():
        if family == "gpt2":
            out.update(_from_gpt2(name, tensor))
        else:
            out[_from_llama(name)] = tensor
    return {name: tensor.detach().clone().contiguous() for name, tensor in out.items()}


def _from_llama(name):
    name = name.removeprefix("model.")
    for theirs, ours in [
        ("input_layernorm", "input_norm"),
        ("post_attention_layernorm", "post_norm"),
        ("self_attn.q_norm", "attention.q_norm"),
        ("self_attn.k_norm", "attention.k_norm"),
        ("self_attn.q_proj", "attention.q"),
        ("self_attn.k_proj", "attention.k"),
        ("self_attn.v_proj", "attention.v"),
        ("self_attn.o_proj", "attention.o"),
        ("mlp.gate_proj", "mlp.gate"),
        ("mlp.up_proj", "mlp.up"),
        ("mlp.down_proj", "mlp.down"),
    ]:
        name = name.replace(theirs, ours)
    return name


def _from_gpt2(name, tensor):
    name = name.removeprefix("transformer.")
    top = {
        "wte.weight": "embed_tokens.weight",
        "wpe.weight": "embed_positions.weight",
        "ln_f.weight": "norm.weight",
        "ln_f.bias": "norm.bias",
    }
    if name in top:
        return {top[name]: tensor}
    _, layer, part = name.split(".", 2)
    part, kind = part.rsplit(".", 1)
    prefix = f"layers.{layer}"
    if part in ("ln_1", "ln_2"):
        return {f"{prefix}.{'input' if part == 'ln_1' else 'post'}_norm.{kind}": tensor}
    if kind == "weight":  # Conv1D keeps [in, out]
        tensor = tensor.T
    if part == "attn.c_attn":
        return {f"{prefix}.attention.{n}.{kind}": t for n, t in zip("qkv", tensor.chunk(3))}
    ours = {"attn.c_proj": "attention.o", "mlp.c_fc": "mlp.up", "mlp.c_proj": "mlp.down"}[part]
    return {f"{prefix}.{ours}.{kind}": tensor}


@torch.no_grad()
def fill(model, generator):
    """Weights large enough for every non-linearity to matter, each exact in float32."""
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        is_norm_weight = parameter.ndim == 1 and name.endswith("weight")
        values = 1.0 + 0.2 * values if is_norm_weight else 0.2 * values
        parameter.copy_(values.to(torch.float32).double())


# ---------------------------------------------------------------- training


def mean_loss(model, batch):
    """Mean cross-entropy in nats over the B·T targets of `batch` [B, T+1]."""
    logits = model(batch[:, :-1]).logits
    return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


def clip(parameters, limit):
    """Scales gradients by min(1, limit / norm), where PyTorch's own adds 1e-6 to the norm.

    Returns whether the limit was exceeded.
    """
    gradients = [p.grad for p in parameters]
    norm = torch.sqrt(sum((g * g).sum() for g in gradients))
    scale = min(1.0, limit / norm.item())
    for gradient in gradients:
        gradient.mul_(scale)
    return scale < 1.0


def train(model, batches):
    """The loss of each step, before its update, and the number of clipped steps."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2],
         "weight_decay": OPTIMIZER["weight_decay"]},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]  # fmt: skip
    optimizer = torch.optim.AdamW(
        groups, lr=OPTIMIZER["lr"], betas=tuple(OPTIMIZER["betas"]), eps=OPTIMIZER["eps"]
    )
    losses, clipped = [], 0
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = mean_loss(model, batches[step % len(batches)])
        loss.backward()
        clipped += clip(parameters, OPTIMIZER["clip"])
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses, dtype=torch.float64), clipped


@torch.no_grad()
def check_gradients(model, batch, generator):
    """Relative error of the gradient along a random direction against differences of the loss.

    The five-point stencil leaves about 1e-10 in float64; one operation in float32 gives 1e-7.
    """
    step = 1e-3
    parameters = list(model.parameters())
    directions = [torch.randn(p.shape, generator=generator) for p in parameters]
    length = torch.sqrt(sum((d * d).sum() for d in directions))
    directions = [d / length for d in directions]
    expected = sum((p.grad * d).sum().item() for p, d in zip(parameters, directions))

    def loss_at(distance):
        moved = {n: p + distance * d
                 for (n, p), d in zip(model.named_parameters(), directions)}  # fmt: skip
        logits = torch.func.functional_call(model, moved, (batch[:, :-1],)).logits
        return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten()).item()

    near = loss_at(step) - loss_at(-step)
    far = loss_at(2 * step) - loss_at(-2 * step)
    error = abs((8 * near - far) / (12 * step) - expected) / abs(expected)
    if not error <= 3e-9:
        raise SystemExit(f"gradients differ from differences by {error:.1e}: is it all float64?")
    return error


def family_file(shape):
    """The tensors of one shape's file, its description, and a line about its checks."""
    generator = torch.Generator().manual_seed(SEEDS[shape])
    batches = torch.randint(
        0, VOCABULARY, (BATCHES, BATCH, CONTEXT + 1), generator=generator
    )
    with float64():
        model = build(shape)
        fill(model, generator)
        initial = {n: p.detach().clone() for n, p in model.named_parameters()}
        with torch.no_grad():
            logits = model(batches[0][:, :-1]).logits
        mean_loss(model, batches[0]).backward()
        gradients = {n: p.grad.clone() for n, p in model.named_parameters()}
        error = check_gradients(model, batches[0], generator)
        model.load_state_dict(initial, strict=False)
        losses, clipped = train(model, batches)

    plain = build(shape)
    plain.load_state_dict(initial, strict=False)
    strayed = (train(plain, batches)[0] - losses).abs().max()
    if not strayed <= 3e-5:
        raise SystemExit(f"{shape}: a float32 run deviates by {strayed:.1e}: choose another seed")
    if not 0 < clipped < STEPS:
        raise SystemExit(f"{shape}: {clipped} of {STEPS} steps were clipped; it should be some but not all")

    assert logits.dtype == losses.dtype == torch.float64
    tensors = {"batches": batches, "logits": logits.clone(), "losses": losses}
    for name, tensor in our_names(family_of(shape), initial).items():
        tensors[f"weights/{name}"] = tensor.float()
    for name, tensor in our_names(family_of(shape), gradients).items():
        assert tensor.dtype == torch.float64
        tensors[f"gradients/{name}"] = tensor
    about = {
        "family": family_of(shape),
        "layers": LAYERS,
        "context": CONTEXT,
        "vocabulary": VOCABULARY,
        **SHAPES[shape],
        "optimiser": OPTIMIZER,
    }
    line = (
        f"loss {losses[0]:.4f} → {losses[-1]:.4f}, gradients against differences {error:.0e}, "
        f"float32 strays {strayed:.0e}, {clipped} steps clipped"
    )
    return tensors, about, line


# ---------------------------------------------------------------- single operations


def rotate(x, theta):
    """Rotary positions on [B, T, H, D] as in Llama: the halves of D are rotated by t·θ^(−2i/D)."""
    time, size = x.shape[1], x.shape[3]
    rates = theta ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.outer(torch.arange(time, dtype=torch.float64), rates)
    cos = angles.cos().repeat(1, 2)[None, :, None, :]
    sin = angles.sin().repeat(1, 2)[None, :, None, :]
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


def attend(q, k, v):
    """Causal attention with grouped heads: q [B, T, H, D], k and v [B, T, K, D]."""
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2)


def operations_file():
    """Inputs, upstream gradient `dy`, output `y` and input gradients of single operations."""
    generator = torch.Generator().manual_seed(SEEDS["operations"])

    def normal(*shape):
        # Exact in float32, so that the float32 path starts from the same numbers.
        return torch.randn(shape, generator=generator, dtype=torch.float64).float().double()

    targets = torch.tensor([6, 0, 3, 3, 1])
    eps, theta = 1e-5, 10000.0
    cases = {
        "rms_norm": (
            lambda x, weight: F.rms_norm(x, (7,), weight, eps),
            {"x": normal(5, 7), "weight": 1 + 0.5 * normal(7)},
        ),
        "layer_norm": (
            lambda x, weight, bias: F.layer_norm(x, (7,), weight, bias, eps),
            {"x": normal(5, 7), "weight": 1 + 0.5 * normal(7), "bias": normal(7)},
        ),
        "gelu": (lambda x: F.gelu(x, approximate="tanh"), {"x": 2 * normal(5, 9)}),
        "swiglu": (
            lambda gate, up: F.silu(gate) * up,
            {"gate": 2 * normal(5, 9), "up": normal(5, 9)},
        ),
        "rope": (lambda x: rotate(x, theta), {"x": normal(2, 3, 2, 4)}),
        "attention": (
            attend,
            {"q": 2 * normal(2, 3, 4, 2), "k": normal(2, 3, 2, 2), "v": normal(2, 3, 2, 2)},
        ),
        "cross_entropy": (lambda x: F.cross_entropy(x, targets), {"x": 2 * normal(5, 7)}),
        "mse": (lambda x, target: F.mse_loss(x, target), {"x": normal(11), "target": normal(11)}),
    }
    tensors = {"cross_entropy/targets": targets}
    for name, (function, inputs) in cases.items():
        # 1 + 0.5·n rounds once more in float64; keep the values in the file exact in float32.
        inputs = {k: t.float().double().requires_grad_() for k, t in inputs.items()}
        y = function(**inputs)
        dy = normal(*y.shape)
        gradients = torch.autograd.grad(y, list(inputs.values()), dy)
        tensors[f"{name}/y"] = y.detach().clone().contiguous()
        tensors[f"{name}/dy"] = dy
        for (key, value), gradient in zip(inputs.items(), gradients):
            tensors[f"{name}/{key}"] = value.detach().clone()
            tensors[f"{name}/d{key}"] = gradient.clone().contiguous()
    about = {
        "eps": eps,
        "rope_theta": theta,
        "attention": "q [B,T,H,D], k and v [B,T,K,D], causal, scale 1/sqrt(D)",
        "cross_entropy": "mean over rows, nats",
        "mse": "mean over elements",
    }
    return tensors, about, f"{len(cases)} operations"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    # One thread, so that sums have the same order on every machine.
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}")
    for name in [*SHAPES, "operations"]:
        tensors, about, line = operations_file() if name == "operations" else family_file(name)
        path = out / f"{name}.safetensors"
        save_file(tensors, path, metadata={"about": json.dumps(about)})
        print(f"{path.name}: {path.stat().st_size} bytes, {len(tensors)} tensors, {line}")


if __name__ == "__main__":
    main()
