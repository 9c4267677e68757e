"""Whether a request ever sees another's purpose: 200 at once, of mixed purposes, against uvicorn, for as long as asked.

    python -m tests.benchmarks.fastapi_concurrency [--seconds 60] [--at-once 200]

Sync and async endpoints, and dependencies of both kinds; a fifth of the requests are refused. Each answer tells what
was in force at each place of its request, and is compared with the one answer that is right. The test of the same by a
number of requests is in tests/test_fastapi_sockets.py.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout is measured, whatever is installed
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx
import typer
from fastapi_service import KINDS, PURPOSES, expected, serving, the_app


def main(
    seconds: Annotated[float, typer.Option(help="How long to go on.")] = 60,
    at_once: Annotated[int, typer.Option(help="How many requests are under way at any time.")] = 200,
) -> None:
    """Show that no request sees another's purpose."""
    logging.getLogger("purposebind").addHandler(logging.NullHandler())  # each refusal is logged, in ten lines
    app = the_app()
    with serving(app) as url:
        started = time.monotonic()
        counts, wrong = asyncio.run(_ask(url, started + seconds, at_once))
        took = time.monotonic() - started
    total = sum(counts.values())
    print(f"{total:,} requests in {took:.0f} s, {at_once} at once:")
    for kind, status in sorted(counts):
        print(f"  {kind:<6} answered {status}: {counts[kind, status]:,}")
    afterwards = app.state.afterwards - {()}
    print(f"requests that saw another's purpose, or not their own: {len(wrong)}")
    print(f"background tasks that saw a purpose: {len(afterwards)}")
    for one in wrong[:5]:
        print(f"  {one}")
    if wrong or afterwards or not total:
        raise typer.Exit(1)


async def _ask(url: str, until: float, at_once: int) -> tuple[Counter[tuple[str, int]], list[Any]]:
    counts: Counter[tuple[str, int]] = Counter()
    wrong: list[Any] = []
    numbers = itertools.count()

    async def ask_on(client: httpx.AsyncClient) -> None:
        while time.monotonic() < until:
            number = next(numbers)
            kind, purpose = KINDS[number % len(KINDS)], PURPOSES[number % len(PURPOSES)]
            answer = await client.get(f"/{kind}/{purpose.name}/{number}")
            found = answer.status_code, answer.json() if answer.status_code == 200 else None
            counts[kind, answer.status_code] += 1
            if found != expected(kind, purpose, number):
                wrong.append((kind, purpose.name, number, found))

    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        await asyncio.gather(*(ask_on(client) for _ in range(at_once)))
    return counts, wrong


if __name__ == "__main__":
    typer.run(main)
