"""The HTML report in a real browser: audit log in, page out, opened with Chromium, which is asked what it shows."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import pathlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from riverwatch import clock
from riverwatch.activity import sample
from riverwatch.report import html as page
from riverwatch.rules import engine
from riverwatch.runtime import pipeline, replay
from riverwatch.sources import audit_file, base

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
"""Names under which the browser is looked for."""

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
"""A browser without a window that calls nobody and says where it listens."""

PATIENCE_S = 60.0
"""Longest wait for one answer of the browser, seconds."""

TRAP = "<script>window.pwned=1</script>\"'><img src=x onerror=window.pwned=1><b>\u202e"
"""What a hostile sender puts where a name belongs."""

START_S = clock.parse_rfc3339("2026-01-15T08:00:00Z")
"""Time of the first record."""

OVERFLOWING = """
[...document.querySelectorAll('body *')].filter(item => !item.closest('.scroll') && !item.closest('thead')
&& item.getBoundingClientRect().right > window.innerWidth + 1).map(item => item.tagName + '.' + item.className)
"""
"""Elements that reach beyond the right edge."""

UNREADABLE = """
(() => {
const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map(part => part / 255)
  .map(part => part <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4)
  .reduce((sum, part, place) => sum + part * [.2126, .7152, .0722][place], 0);
const ground = item => {
  for (; item; item = item.parentElement) {
    const colour = parse(getComputedStyle(item).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const bad = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const item = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !item.checkVisibility()) continue;
  const svg = item.closest('svg');
  const style = getComputedStyle(item), paper = light(ground(item)), ink = light(parse(svg ? style.fill : style.color));
  if ((Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05) < 4.5) bad.add(item.tagName + '.' + item.className);
}
return [...bad];
})()
"""
"""Elements whose text has less contrast than WCAG asks for, 4.5 to 1."""


class Tab:
    """One page of a running browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._session = ""
        self.notices: list[dict[str, Any]] = []
        """Everything that the browser told unasked."""

    async def open(self) -> None:
        """Make the page and have its console, network and errors told."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send_str(msgspec.json.encode(message).decode())
        while True:
            told = await self._receive()
            if told.get("id") == number:
                assert "error" not in told, f"{method}: {told['error']}"
                return dict(told["result"])

    async def show(self, path: pathlib.Path, *, width: int, scheme: str = "light") -> None:
        """Load a file at a width, in a colour scheme."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.notices.clear()
        await self.call("Page.navigate", url=path.as_uri())
        while not any(notice["method"] == "Page.loadEventFired" for notice in self.notices):
            await self._receive()

    async def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression on the page."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def complaints(self) -> list[str]:
        """Return what went to the console or was thrown."""
        loud = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}
        return [str(notice["params"]) for notice in self.notices if notice["method"] in loud]

    def requested(self) -> list[str]:
        """Return the addresses that were asked for."""
        sent = (notice for notice in self.notices if notice["method"] == "Network.requestWillBeSent")
        return [str(notice["params"]["request"]["url"]) for notice in sent]

    async def _receive(self) -> dict[str, Any]:
        told: dict[str, Any] = msgspec.json.decode(await self._socket.receive_str(timeout=PATIENCE_S))
        if "method" in told:
            self.notices.append(told)
        return told


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tab() -> AsyncIterator[Tab]:
    """Start a browser with a profile of its own, and end it."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert program, f"this test opens the report in a browser: install one of {', '.join(BROWSERS)}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program,
            *ARGUMENTS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            address = await asyncio.wait_for(_listening(process.stderr), PATIENCE_S)
            drain = asyncio.create_task(process.stderr.read())
            async with aiohttp.ClientSession() as http, http.ws_connect(address, max_msg_size=0) as socket:
                opened = Tab(socket)
                await opened.open()
                yield opened
                await opened.call("Browser.close")
            await drain
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _listening(stderr: asyncio.StreamReader) -> str:
    """Wait until the browser says where it listens."""
    said = []
    while line := (await stderr.readline()).decode(errors="replace"):
        said.append(line)
        if found := re.search(r"DevTools listening on (ws://\S+)", line):
            return found[1]
    raise AssertionError(f"the browser did not start: {''.join(said)[-2_000:]}")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The page of a log in which accounts are stolen and names are hostile."""
    folder = tmp_path_factory.mktemp("report")
    log = folder / "audit.jsonl"
    log.write_bytes(b"\n".join(msgspec.json.encode(fields) for fields in _records()) + b"\nno JSON\n")
    through = pipeline.Pipeline(rules=engine.RuleEngine(engine.load_catalog()), learn_until_s=START_S + 3_600.0)
    tally = base.Tally()
    found = replay.replay(audit_file.read_paths([str(log)], tally=tally), through, tally=tally)
    assert len(found) >= 3
    shown = replay.context(through, tally, title=f"audit.jsonl {TRAP}", version="0.0.0")
    path = folder / "report.html"
    page.write(path, found, context=shown)
    return path


@pytest.fixture
def forged(report: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """The page with a script in it, as if escaping had failed."""
    path = tmp_path / "forged.html"
    text = report.read_text(encoding="utf-8").replace("<main>", "<main><script>window.pwned=1</script>", 1)
    path.write_text(text, encoding="utf-8")
    return path


def _records() -> list[dict[str, object]]:
    quiet = [
        _record(number * 5.0, f"system:serviceaccount:web:front-{number % 5}", name=f"settings-{number % 3}")
        for number in range(720)
    ]
    outside = {"source_ip": "203.0.113.9", "user_agent": f"curl/8.5.0 {TRAP}", "verb": "list", "resource": "secrets"}
    loud = [
        _record(3_600.0 + number, user, **outside, namespace=namespace)
        for number, (user, namespace) in enumerate(
            itertools.product(
                (
                    "system:serviceaccount:web:front-1",
                    f"system:serviceaccount:web:front-{'very-long-name-' * 12}",
                    "system:anonymous",
                ),
                ("web", "kube-system", TRAP, "x" * 240),
            )
        )
    ]
    return [*quiet, *loud]


def _record(after_s: float, username: str, **more: Any) -> dict[str, object]:
    fields = {"verb": "get", "resource": "configmaps", "namespace": "web", "source_ip": "10.4.7.19"} | more
    return sample.audit_record(
        username=username, time=clock.rfc3339(START_S + after_s), audit_id=f"{TRAP}-{after_s}", **fields
    )


async def test_renders_without_complaint_and_asks_for_nothing_else(tab: Tab, report: pathlib.Path) -> None:
    await tab.show(report, width=1280)
    assert tab.requested() == [report.as_uri()]
    assert tab.complaints() == []
    assert await tab.ask("document.querySelectorAll('h1').length") == 1
    count = await tab.ask("document.querySelectorAll('section.finding').length")
    assert count >= 3
    assert await tab.ask("document.querySelectorAll('svg.timeline a').length") == count
    assert await tab.ask("document.querySelector('svg.timeline').getBoundingClientRect().height") > 40


async def test_shows_hostile_markup_as_text(tab: Tab, report: pathlib.Path) -> None:
    await tab.show(report, width=1280)
    assert await tab.ask("typeof window.pwned") == "undefined"
    assert await tab.ask("document.querySelectorAll('script, img, iframe, link').length") == 0
    assert await tab.ask("document.body.textContent.split('<script>window.pwned=1</script>').length") > 10
    assert await tab.ask("document.body.textContent.includes('\\u202e')") is False


@pytest.mark.parametrize("width", [1280, 400])
async def test_fits_without_scrolling_sideways(tab: Tab, report: pathlib.Path, width: int) -> None:
    await tab.show(report, width=width)
    await tab.ask("document.querySelectorAll('details').forEach(item => item.open = true)")
    assert await tab.ask("window.innerWidth") == width
    assert await tab.ask(OVERFLOWING) == []
    assert await tab.ask("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(16, 21, 28)")])
async def test_is_readable_in_both_colour_schemes(tab: Tab, report: pathlib.Path, scheme: str, ground: str) -> None:
    await tab.show(report, width=1280, scheme=scheme)
    await tab.ask("document.querySelectorAll('details').forEach(item => item.open = true)")
    assert await tab.ask("getComputedStyle(document.body).backgroundColor") == ground
    assert await tab.ask(UNREADABLE) == []


async def test_jumps_from_the_list_to_a_detection_and_opens_its_evidence(tab: Tab, report: pathlib.Path) -> None:
    await tab.show(report, width=1280)
    await tab.ask("document.querySelector('table.list a').click()")
    assert await tab.ask("document.querySelector('section.finding:target') !== null") is True
    assert await tab.ask("document.querySelector('section:target details').open") is False
    await tab.ask("document.querySelector('section:target summary').click()")
    assert await tab.ask("document.querySelector('section:target details table').checkVisibility()") is True


async def test_policy_stops_a_script_even_if_one_got_in(tab: Tab, forged: pathlib.Path) -> None:
    await tab.show(forged, width=1280)
    assert await tab.ask("document.querySelectorAll('script').length") == 1
    assert await tab.ask("typeof window.pwned") == "undefined"
    assert any("Content Security Policy" in said for said in tab.complaints())
