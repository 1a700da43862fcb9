"""Compare our client with the openai SDK, in a thread pool and asynchronous, and write docs/benchmarks-llm.md.

    pip install --target FOLDER openai
    python benchmarks/llm.py --peer FOLDER

A server of `common.llm.loopback` in a separate process answers after 100 ms; 16 workers ask 499 questions. The sides
run in turn, each round in new processes. The peer has no cache, no checks and no budget. Rate limits are too high to
matter.
"""

import argparse
import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from shared import ROOT, child, processor, record, table

from common import llm, prompts
from common.llm import LLMConfig, Request, loopback, summary_check
from common.llm.loopback import Handler
from common.prompts import Message

COUNT = 499
DELAY = 0.1  # seconds until the server answers
WORKERS = 16
KEY = "benchmark-key"


def questions() -> list[Request]:
    """Return questions about invented dialogues."""
    style = prompts.prompt()
    made = []
    for number in range(COUNT):
        talk = (
            f"#Person1#: {number}번 창구가 어디인지 아세요? 서류를 내러 왔는데 줄이 길어서요.\n"
            f"#Person2#: 2층으로 올라가면 왼쪽에 있어요. 번호표는 {number + 3}번부터 새로 뽑아야 해요."
        )
        messages = tuple(Message(**m) for m in style.chat(talk))  # type: ignore[arg-type]
        made.append(Request(f"row_{number}", messages))
    return made


def ours(url: str, cache: str) -> dict[str, Any]:
    """Return the seconds of a first run and of a repeated run, and the texts."""
    asked = questions()
    settings = LLMConfig(base_url=url, model="m", key_name="BENCHMARK_KEY", temperature=0.0, workers=WORKERS,
                             requests_per_minute=10**6, tokens_per_minute=10**9)  # fmt: skip
    talks = {request.key: request.messages[-1].content for request in asked}
    check = summary_check(dict.fromkeys(talks, ("#Person1#", "#Person2#")), talks)
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        answers, usage = llm.ask(asked, settings, check, cache=Path(cache))
        seconds.append(time.perf_counter() - began)
        assert not usage.failed
    return {"seconds": seconds[0], "again": seconds[1], "texts": [answer.text for answer in answers]}


def peer(url: str) -> dict[str, Any]:
    """Return the seconds of the openai SDK in a thread pool, and the texts."""
    from openai import OpenAI

    client = OpenAI(base_url=url, api_key=KEY)
    asked = questions()

    def one(request: Request) -> str:
        messages: Any = [{"role": m.role, "content": m.content} for m in request.messages]
        answer = client.chat.completions.create(model="m", messages=messages, temperature=0.0, max_tokens=300)
        return answer.choices[0].message.content or ""

    began = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        texts = list(pool.map(one, asked))
    return {"seconds": time.perf_counter() - began, "texts": texts}


def peer_async(url: str) -> dict[str, Any]:
    """Return the seconds of the openai SDK's asynchronous client with as many questions at once, and the texts."""
    from openai import AsyncOpenAI

    asked = questions()

    async def one(client: AsyncOpenAI, free: asyncio.Semaphore, request: Request) -> str:
        messages: Any = [{"role": m.role, "content": m.content} for m in request.messages]
        async with free:
            answer = await client.chat.completions.create(
                model="m", messages=messages, temperature=0.0, max_tokens=300
            )
        return answer.choices[0].message.content or ""

    async def all_answers() -> list[str]:
        free = asyncio.Semaphore(WORKERS)
        async with AsyncOpenAI(base_url=url, api_key=KEY) as client:
            return await asyncio.gather(*(one(client, free, request) for request in asked))

    began = time.perf_counter()
    texts = asyncio.run(all_answers())
    return {"seconds": time.perf_counter() - began, "texts": texts}


PEERS = {
    "peer": ("openai SDK, ThreadPoolExecutor", peer),
    "async": ("openai SDK, AsyncOpenAI", peer_async),
}
"""Side → its name in the table, and what measures it."""


class Delayed(Handler):
    """Answers DELAY seconds after the request."""

    arrived = 0.0

    def parse_request(self) -> bool:
        """Record the time of arrival."""
        self.arrived = time.monotonic()
        return super().parse_request()

    def respond(self, data: bytes) -> None:
        """Wait, then answer."""
        time.sleep(max(0.0, self.arrived + DELAY - time.monotonic()))
        super().respond(data)


def server() -> None:
    """Print the URL and answer until stdin closes."""
    with loopback.serve(Delayed) as running:
        print(running.url, flush=True)
        sys.stdin.read()


def measure(side: str, extra_path: str, folder: str) -> dict[str, Any]:
    """Return the result of one round of one side, with a server of its own."""
    command = [sys.executable, __file__, "--serve"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "BENCHMARK_KEY": KEY}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout
        url = running.stdout.readline().strip()
        os.environ["BENCHMARK_KEY"] = KEY
        try:
            return child(__file__, "--side", side, "--url", url, "--cache", f"{folder}/{time.time_ns()}.sqlite",
                         extra_path=extra_path)  # fmt: skip
        finally:
            assert running.stdin
            running.stdin.close()


def main() -> None:
    """Measure all sides in turn and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--peer",
        default="",
        help="folder that the openai SDK was installed into; without it only our client runs",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--side", choices=["ours", *PEERS])
    parser.add_argument("--url")
    parser.add_argument("--cache")
    options = parser.parse_args()
    if options.serve:
        server()
        return
    if options.side:
        found = (
            ours(options.url, options.cache)
            if options.side == "ours"
            else PEERS[options.side][1](options.url)
        )
        print(json.dumps(found))
        return
    sides = ["ours", *(PEERS if options.peer else ())]
    rounds: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for side in sides:
                rounds[side].append(measure(side, options.peer, folder))
                print(side, f"{rounds[side][-1]['seconds']:.2f} s", flush=True)
    report(rounds, load)


def report(rounds: dict[str, list[dict[str, Any]]], load: float) -> None:
    """Write and print the table."""
    ideal = math.ceil(COUNT / WORKERS) * DELAY  # a worker cannot ask a part of a question
    names = {"ours": "common.llm (cached, checked)"} | {side: name for side, (name, _) in PEERS.items()}
    body = []
    for side, found in rounds.items():
        seconds = [one["seconds"] for one in found]
        ratios = [other["seconds"] / own["seconds"] for own, other in zip(rounds["ours"], found, strict=True)]
        same = sum(a == b for a, b in zip(rounds["ours"][0]["texts"], found[0]["texts"], strict=True))
        median = statistics.median(seconds)
        if side == "ours":
            shares = [ideal / one for one in seconds]
            record("llm", "share of the ideal throughput", "ideal", shares, "invented dialogues")
        else:
            record("llm", f"{COUNT} answers", names[side], ratios, "invented dialogues", same_texts=same)
        again = statistics.median(one["again"] for one in found) if side == "ours" else median
        speedup = f"{statistics.median(ratios):.2f}× ({min(ratios):.2f}–{max(ratios):.2f})"
        body.append(
            [names[side], f"{median:.2f} s", f"{ideal / median:.2f} (best {ideal / min(seconds):.2f})",
             "–" if side == "ours" else speedup, f"{again:.2f} s", f"{same} of {COUNT}"]
        )  # fmt: skip
    head = ["client", f"{COUNT} answers", "share of ideal throughput", "speed-up of ours (min–max)", "repeated run", "same text as ours"]  # fmt: skip
    text = (
        "# LLM client compared with its peer\n\n"
        f"Generated by `benchmarks/llm.py`; do not edit. {processor()}. A server that answers after {DELAY * 1000:.0f} ms, {WORKERS} workers, no effective "
        f"rate limits, {len(rounds['ours'])} rounds in turn; ideal, the least time in which {WORKERS} workers can get all answers: {ideal:.2f} s. Client and server shared {os.cpu_count()} cores with other "
        f"work (load {load:.1f} at the start), so the ratio is more reliable than the seconds.\n\n{table(head, body)}\n"
    )
    (ROOT / "docs" / "benchmarks-llm.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
