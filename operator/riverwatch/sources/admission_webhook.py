"""Stage 1, admission: the audit receiver with one more path, on which the API server tells of writes beforehand.

For clusters whose audit log is out of reach. Every review is answered `allowed: true` at once, whatever becomes of the
record: a full queue, a dry run or a fault of ours never stops a request. Used by one cluster *instead of* its audit
stream: the two name a request differently, so that both together count it twice.
"""

from __future__ import annotations

from aiohttp import web

from riverwatch import clock, errors
from riverwatch.sources import admission_review, audit_webhook, base, cards

PATH = "/v1/admission"
"""Where reviews go; a token follows as the last part of the path, because API servers send no other credential."""

_WHERE = "admission webhook"


class AdmissionWebhook(audit_webhook.AuditWebhook):
    """The audit receiver that also answers admission reviews, a `base.Source`."""

    card = cards.ADMISSION_WEBHOOK

    def add_routes(self, app: web.Application) -> None:
        """Answer reviews with a token in the path, or with a client certificate."""
        app.router.add_post(PATH, self._review)
        app.router.add_post(f"{PATH}/{{token}}", self._review)

    async def _review(self, request: web.Request) -> web.StreamResponse:
        token = request.match_info.get("token", "")
        if not (self.known_certificate(request) or self._admission_tokens.accept(token)):
            return web.Response(status=401, text="riverwatch: the path ends in no valid token\n")
        return await self.receive_body(request, self._answer)

    async def _answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Allow, and hand the record to the sink if it has room."""
        reviews = self._counters.admission_reviews
        now_s = self._time.now_s()
        try:
            found = admission_review.convert(body, received=clock.rfc3339(now_s))
        except errors.BadInputError:
            reviews.labels(result="malformed").inc()
            raise
        result = "dry_run"
        if found.record:
            where = f"{_WHERE}, from {request.remote or 'unknown'}"
            taken = self._sink(base.Delivery(found.record, where, now_s))
            result = "taken" if taken else "no_room"
        reviews.labels(result=result).inc()
        if result == "taken":
            self._counters.receiver_bytes.inc(len(found.record))
        return web.Response(body=found.answer, content_type="application/json")
