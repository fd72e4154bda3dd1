"""Tokens that the cluster vouches for: asked about once, for certain users, and never a way to flood the API server."""

from __future__ import annotations

import asyncio
import threading

import aiohttp
import pytest

from riverwatch import errors, testing
from riverwatch.sources import audit_webhook, token_review

SHIPPER = "system:serviceaccount:logging:shipper"
USERS = {"good": SHIPPER, "other": "system:serviceaccount:web:front"}
BODY = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x"}\n'


class ApiServer:
    """Knows some tokens, and counts questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False
        self.enough = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, token: str) -> str:
        self.asked.append(token)
        if len(self.asked) == token_review.AT_ONCE:
            self.enough.set()
        assert self.go_on.wait(10.0)
        if self.away:
            raise errors.ApiTemporaryError("away")
        return USERS.get(token, "")


@pytest.fixture
def api() -> ApiServer:
    return ApiServer()


@pytest.fixture
def time() -> testing.FakeClock:
    return testing.FakeClock()


@pytest.fixture
def reviewer(api, time) -> token_review.TokenReviewer:
    return token_review.TokenReviewer(api, frozenset({SHIPPER}), time=time)


@pytest.mark.parametrize(
    ("token", "accepted"),
    [
        pytest.param("good", True, id="a user that may send"),
        pytest.param("other", False, id="a user that may not"),
        pytest.param("unknown", False, id="nobody's"),
        pytest.param("", False, id="none"),
        pytest.param("x" * 20_000, False, id="too long to be one"),
    ],
)
async def test_a_token_counts_for_its_user(reviewer, token, accepted):
    assert await reviewer.accept(token) is accepted


@pytest.mark.parametrize(
    ("token", "holds_s"),
    [
        pytest.param("good", token_review.KNOWN_S, id="accepted"),
        pytest.param("unknown", token_review.REFUSED_S, id="refused"),
    ],
)
async def test_an_answer_holds_for_a_while(reviewer, api, time, token, holds_s):
    for _ in range(5):
        await reviewer.accept(token)
    time.advance(holds_s - 0.1)
    await reviewer.accept(token)
    assert api.asked == [token]
    time.advance(0.2)
    await reviewer.accept(token)
    assert api.asked == [token, token]


async def test_while_the_api_server_is_away_known_tokens_go_on(reviewer, api):
    assert await reviewer.accept("good")
    api.away = True
    assert await reviewer.accept("good")
    assert not await reviewer.accept("other")
    api.away = False
    assert not await reviewer.accept("other")
    assert api.asked.count("other") == 2, "not knowing is not remembered"


async def test_few_questions_are_under_way_at_once(reviewer, api):
    api.go_on.clear()
    waiting = [asyncio.create_task(reviewer.accept(f"token-{number % 10}")) for number in range(50)]
    await asyncio.to_thread(api.enough.wait, 10.0)
    assert len(api.asked) == token_review.AT_ONCE
    api.go_on.set()
    await asyncio.gather(*waiting)
    assert len(set(api.asked)) == 10


async def test_the_receiver_asks_for_tokens_that_no_file_names(reviewer, api):
    receiver = audit_webhook.AuditWebhook(lambda _: True, insecure=True, reviewer=reviewer)
    receiver._open = False  # plain HTTP that asks for a token, which a real receiver refuses to be
    await receiver.start()
    try:
        async with aiohttp.ClientSession() as client:
            codes = []
            for token in ("good", "other", None):
                headers = {"Content-Type": "application/json"}
                if token:
                    headers["Authorization"] = f"Bearer {token}"
                async with client.post(receiver.url, data=BODY, headers=headers) as answer:
                    codes.append(answer.status)
    finally:
        await receiver.stop()
    assert codes == [200, 401, 401]
    assert api.asked == ["good", "other"]


async def test_a_sender_over_its_quota_is_told_to_come_again(time):
    limits = audit_webhook.Limits(source_bytes_per_s=float(len(BODY)))
    receiver = audit_webhook.AuditWebhook(lambda _: True, insecure=True, limits=limits, time=time)
    await receiver.start()
    try:
        async with aiohttp.ClientSession() as client:
            answers = []
            for number in range(6):
                if number == 5:
                    time.advance(2.0)
                headers = {"Content-Type": "application/json"}
                async with client.post(receiver.url, data=BODY, headers=headers) as answer:
                    answers.append((answer.status, "Retry-After" in answer.headers))
    finally:
        await receiver.stop()
    assert answers == [(200, False)] * 4 + [(429, True), (200, False)]
