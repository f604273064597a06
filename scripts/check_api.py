#!/usr/bin/env python3
"""Checks an API that `downhill serve` provides, with the clients that people use.

    OPENAI_API_KEY=… python scripts/check_api.py http://127.0.0.1:PORT/v1 NAME FOLDER

FOLDER is the folder that is served. Prints what was checked; exits with 1 at the first difference.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import lm_eval
import openai
from lm_eval.tasks import TaskManager

# Per text; the harness adds up 32-bit log-probabilities in another order than ours.
TOLERANCE = 1e-3

TASKS = {
    "own_choice": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "doc_to_choice": "{{choices}}",
        "metric_list": [{"metric": "acc"}],
    },
    "own_rolling": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": "byte_perplexity"}],
    },
}

CHOICES = [
    ("The red ball", [" rolled down the hill.", " looked proud.", " asked the girl."], 0),
    ("The small dog ran", [" after it.", " down the dog.", " number 7."], 0),
    ('"Who has the ball?" asked', [" the hill", " the girl", " the ball"], 1),
    ("Nobody knew, but the dog", [" looked", " has the", " ran after"], 0),
]


def equal(found, expected, what):
    if found != expected:
        sys.exit(f"{what}: {found!r}, expected {expected!r}")


def check_client(url, name):
    """The `openai` client: completions, streams, log-probabilities, errors."""
    client = openai.OpenAI(base_url=url, max_retries=0)
    equal([m.id for m in client.models.list().data], [name], "models")
    wish = dict(model=name, prompt="The red", max_tokens=24, seed=7, temperature=0.8)
    whole = client.completions.create(**wish, n=2, logprobs=2)
    equal(len(whole.choices), 2, "choices")
    first = whole.choices[0]
    equal(len(first.logprobs.token_logprobs), 24, "log-probabilities")
    equal("".join(first.logprobs.tokens), first.text, "tokens")
    equal(whole.usage.total_tokens, whole.usage.prompt_tokens + 48, "usage")
    stream = client.completions.create(
        **wish, n=2, stream=True, stream_options={"include_usage": True}
    )
    texts, usage = ["", ""], None
    for piece in stream:
        for choice in piece.choices:
            texts[choice.index] += choice.text
        usage = piece.usage or usage
    equal(texts, [choice.text for choice in whole.choices], "streamed texts")
    equal(usage, whole.usage, "usage of a stream")
    stopped = client.completions.create(**wish, stop=[first.text[5:8]])
    equal(stopped.choices[0].text, first.text.split(first.text[5:8])[0], "stop")
    equal(stopped.choices[0].finish_reason, "stop", "reason")
    ids = client.completions.create(
        model=name, prompt=[[1, 2, 3], [4, 5]], max_tokens=0, echo=True, logprobs=0
    )
    equal([len(c.logprobs.tokens) for c in ids.choices], [3, 2], "scored prompts")

    def refused(error, call, **arguments):
        try:
            call(**arguments)
        except error as refusal:
            return refusal
        sys.exit(f"not refused: {arguments}")

    chat = refused(
        openai.BadRequestError,
        client.chat.completions.create,
        model=name,
        messages=[{"role": "user", "content": "hi"}],
    )
    equal(chat.code, "no_chat_template", "chat with a base model")
    wrong = refused(openai.BadRequestError, client.completions.create, **wish, top_p=7)
    equal(wrong.param, "top_p", "wrong field")
    refused(openai.NotFoundError, client.completions.create, **{**wish, "model": "other"})
    stranger = openai.OpenAI(base_url=url, api_key="wrong", max_retries=0)
    refused(openai.AuthenticationError, stranger.models.list)


def write_tasks(folder):
    """A choice task, and texts longer than the context."""
    choices = [dict(question=q, choices=c, answer=a) for q, c, a in CHOICES]
    line = "The red ball number 12 rolled down the hill and the small dog ran after it.\n"
    texts = [dict(text=line), dict(text=line * 9), dict(text='"Who has the ball?" asked')]
    for name, documents in (("own_choice", choices), ("own_rolling", texts)):
        data = folder / f"{name}.json"
        data.write_text("\n".join(map(json.dumps, documents)))
        task = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data)}},
            "test_split": "test",
            **TASKS[name],
        }
        # JSON is YAML.
        (folder / f"{name}.yaml").write_text(json.dumps(task))


def likelihoods(model, arguments, folder):
    """The log-likelihoods of each task's documents, in order."""
    results = lm_eval.simple_evaluate(
        model=model,
        model_args=arguments,
        tasks=list(TASKS),
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        batch_size=4,
        bootstrap_iters=0,
        log_samples=True,
        cache_requests=False,
    )
    found = []
    for name in TASKS:
        samples = sorted(results["samples"][name], key=lambda s: s["doc_id"])
        for sample in samples:
            answers = sample["filtered_resps"]
            # A choice has a log-likelihood and whether it is the greedy one.
            found += [float(a[0] if name == "own_choice" else a) for a in answers]
    return found


def check_harness(url, name, folder):
    """The same log-likelihoods as the harness's own model."""
    config = json.loads((folder / "config.json").read_text())
    context = config.get("max_position_embeddings") or config["n_positions"]
    with tempfile.TemporaryDirectory() as tasks:
        tasks = Path(tasks)
        write_tasks(tasks)
        # With an API, the harness leaves two places of a context free.
        own = dict(pretrained=str(folder), dtype="float32", device="cpu", max_length=context - 2)
        expected = likelihoods("hf", own, tasks)
        for backend in ("huggingface", "remote"):
            arguments = dict(
                model=name,
                base_url=f"{url}/completions",
                tokenizer=str(folder),
                tokenizer_backend=backend,
                max_length=context,
                num_concurrent=4,
                auth_token=os.environ["OPENAI_API_KEY"],
            )
            found = likelihoods("local-completions", arguments, tasks)
            equal(len(found), len(expected), "number of log-likelihoods")
            worst = max(abs(a - b) for a, b in zip(found, expected))
            if not worst <= TOLERANCE:
                sys.exit(f"{backend}: log-likelihoods differ by {worst}: {found}, {expected}")
    return len(expected), worst


def main():
    url, name, folder = sys.argv[1:]
    check_client(url, name)
    count, worst = check_harness(url, name, Path(folder))
    print(f"the openai client agrees; {count} log-likelihoods as of the hf model (within {worst:.1e})")


if __name__ == "__main__":
    main()
