"""Probes: what they answer, and a port that is taken."""

from __future__ import annotations

import aiohttp
import pytest

from riverwatch import errors
from riverwatch.control import probes


def make(port: int = 0, **checks: dict[str, str]) -> probes.Probes:
    return probes.Probes(
        "127.0.0.1",
        port,
        health=lambda: checks.get("health", {"worker": ""}),
        readiness=lambda: checks.get("readiness", {"watches": ""}),
        metrics=lambda: (b"up 1\n", "text/plain; version=0.0.4"),
    )


async def ask(one: probes.Probes, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{one.port}{path}") as answer:
        return answer.status, await answer.text()


async def test_well_is_200_and_names_what_was_looked_at():
    one = make()
    await one.start()
    try:
        assert await ask(one, "/healthz") == (200, "[+]worker ok\nok\n")
        assert (await ask(one, "/livez"))[0] == 200
        assert await ask(one, "/readyz") == (200, "[+]watches ok\nok\n")
        assert await ask(one, "/metrics") == (200, "up 1\n")
        assert (await ask(one, "/secrets"))[0] == 404
    finally:
        await one.stop()
        await one.stop()


async def test_not_well_is_503_and_says_why():
    one = make(readiness={"api-server": "", "watches": "not read yet"})
    await one.start()
    try:
        status, text = await ask(one, "/readyz")
    finally:
        await one.stop()

    assert status == 503
    assert text == "[+]api-server ok\n[-]watches: not read yet\nnot ready\n"


async def test_taken_port_is_refused_with_the_address():
    first = make()
    await first.start()
    try:
        with pytest.raises(errors.BadInputError, match="cannot listen") as refused:
            await make(first.port).start()
    finally:
        await first.stop()
    assert refused.value.where == f"127.0.0.1:{first.port}"
