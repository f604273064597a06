#!/usr/bin/env python3
"""Measures `downhill serve` under load, on this machine only.

    scripts/load_api.py DOWNHILL RUN [--part rates|steady|leaving|slow|all] [--seconds N] [--clients N]

rates    tokens/s of 1, 64 and 256 streams at once
steady   256 streams for --seconds: errors, growth of memory, the 99th percentile of /health
leaving  --clients clients that go away mid-stream: how long until their places are free
slow     1,000 connections that send a byte a second, for --seconds: what an honest client notices

Needs only Python. Prints one JSON object per part.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import subprocess
import time

PORT_LINE = "serving http://"


class Server:
    """A served run."""

    def __init__(self, downhill, run):
        command = [downhill, "serve", run, "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith(PORT_LINE), line
        host, port = line[len(PORT_LINE) :].split("/")[0].rsplit(":", 1)
        self.address = (host, int(port))

    def memory(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def close(self):
        self.process.terminate()
        assert self.process.wait() == 0


async def send(server, method, path, body=b""):
    """Sends a request; returns the connection after the head of its answer, and the status."""
    reader, writer = await asyncio.open_connection(*server.address)
    host = "%s:%d" % server.address
    head = f"{method} {path} HTTP/1.0\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    head = await reader.readuntil(b"\r\n\r\n")
    return reader, writer, int(head.split()[1])


async def get(server, path):
    reader, writer, status = await send(server, "GET", path)
    text = await reader.read()
    writer.close()
    assert status == 200, status
    return text.decode()


async def metrics(server):
    text = await get(server, "/metrics")
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {name.removeprefix("downhill_"): int(value) for name, value in lines}


def wish(prompt, tokens):
    return json.dumps(
        {"prompt": prompt, "max_tokens": tokens, "stream": True, "ignore_eos": True}
    ).encode()


async def stream(server, prompt, tokens):
    """Reads a stream to its end; returns whether it had one."""
    reader, writer, status = await send(server, "POST", "/v1/completions", wish(prompt, tokens))
    text = await reader.read()
    writer.close()
    return status == 200 and text.endswith(b"data: [DONE]\n\n")


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else None


async def ask_health(server, times, until):
    while time.monotonic() < until:
        start = time.monotonic()
        await get(server, "/health")
        times.append(time.monotonic() - start)
        await asyncio.sleep(0.05)


async def rates(server, arguments):
    found = {}
    for count in (1, 64, 256):
        tokens = max(16, arguments.tokens // (1 if count == 1 else 4))
        start = time.monotonic()
        done = await asyncio.gather(*(stream(server, arguments.prompt, tokens) for _ in range(count)))
        assert all(done)
        found[f"tokens_per_second_{count}"] = round(count * tokens / (time.monotonic() - start), 1)
    found["64_streams_against_one"] = round(
        found["tokens_per_second_64"] / found["tokens_per_second_1"], 2
    )
    return found


async def steady(server, arguments):
    until = time.monotonic() + arguments.seconds
    errors, texts, times = 0, 0, []

    async def client():
        nonlocal errors, texts
        while time.monotonic() < until:
            ok = await stream(server, arguments.prompt, arguments.tokens)
            errors, texts = errors + (not ok), texts + 1

    clients = asyncio.gather(*(client() for _ in range(256)), ask_health(server, times, until))
    await asyncio.sleep(arguments.seconds / 3)
    before = server.memory()
    await asyncio.sleep(arguments.seconds / 3)
    grown = server.memory() - before
    await clients
    return {
        "seconds": arguments.seconds,
        "texts": texts,
        "errors": errors,
        "memory_growth_mb_in_the_middle_third": round(grown / 1e6, 2),
        "health_p99_ms": round(1e3 * percentile(times, 0.99), 1),
    }


async def leaving(server, arguments):
    waits, together = [], 64
    for _ in range(max(1, arguments.clients // together)):
        before = (await metrics(server))["abandoned_total"]
        bodies = (wish(arguments.prompt, 60_000) for _ in range(together))
        all_sent = (send(server, "POST", "/v1/completions", body) for body in bodies)
        connections = await asyncio.gather(*all_sent)
        await asyncio.gather(*(reader.readuntil(b"\n\n") for reader, _, _ in connections))
        start = time.monotonic()
        for _, writer, _ in connections:
            writer.transport.abort()
        while (await metrics(server))["abandoned_total"] < before + together:
            await asyncio.sleep(0.005)
        waits.append(time.monotonic() - start)
    return {
        "clients": len(waits) * together,
        "leaving_at_once": together,
        "all_places_free_after_ms_p50": round(1e3 * percentile(waits, 0.5), 1),
        "all_places_free_after_ms_max": round(1e3 * max(waits), 1),
    }


async def crawl(address, until):
    """Sends a request a byte a second, again and again. The server closes it before it ends."""
    text = b"POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: " + b"a" * 600
    await asyncio.sleep(random.random())
    while time.monotonic() < until:
        try:
            _, writer = await asyncio.open_connection(*address)
            for byte in text:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
                if time.monotonic() >= until:
                    break
            writer.close()
        except OSError:
            await asyncio.sleep(1)


def crawl_all(address, until):
    async def together():
        await asyncio.gather(*(crawl(address, until) for _ in range(1000)))

    asyncio.run(together())


async def slow(server, arguments):
    async def honest(until):
        found = []
        while time.monotonic() < until:
            start = time.monotonic()
            assert await stream(server, arguments.prompt, 16)
            found.append(time.monotonic() - start)
        return found

    alone = await honest(time.monotonic() + min(30, arguments.seconds))
    until = time.monotonic() + arguments.seconds
    # In a process of their own: their work must not delay the honest client.
    crawling = multiprocessing.Process(target=crawl_all, args=(server.address, until))
    crawling.start()
    await asyncio.sleep(2)
    times = await honest(until)
    crawling.join()
    return {
        "connections": 1000,
        "seconds": arguments.seconds,
        "honest_texts": len(times),
        "honest_p50_ms_alone": round(1e3 * percentile(alone, 0.5), 1),
        "honest_p50_ms": round(1e3 * percentile(times, 0.5), 1),
        "honest_p99_ms_alone": round(1e3 * percentile(alone, 0.99), 1),
        "honest_p99_ms": round(1e3 * percentile(times, 0.99), 1),
    }


PARTS = {"rates": rates, "steady": steady, "leaving": leaving, "slow": slow}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("downhill")
    parser.add_argument("run")
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--clients", type=int, default=640)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prompt", default="The ")
    arguments = parser.parse_args()
    for name in PARTS if arguments.part == "all" else [arguments.part]:
        server = Server(arguments.downhill, arguments.run)
        try:
            found = asyncio.run(PARTS[name](server, arguments))
        finally:
            server.close()
        print(json.dumps({"part": name, **found}), flush=True)


if __name__ == "__main__":
    main()
