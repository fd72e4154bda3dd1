"""Every error riverwatch raises on purpose, in one tree; the class says what the caller should do.

::

    RiverwatchError
    ├── BadInputError          give up on this input; the message names file, line or field path and what to do (exit 1)
    │   ├── MalformedRecordError   one record is unusable: count it, go on
    │   ├── BadRuleError           one rule is unusable: it is off, the others go on
    │   └── BadPolicyError         one policy is unusable: the last good one stays in force
    ├── TemporaryError         try again later, with the delays that the caller keeps as data
    │   └── ApiTemporaryError      the API server is away, throttles, or answers 5xx / 409
    ├── PermanentError         do not retry; report through a condition
    │   └── ApiPermanentError      the API server refused: 400, 403, 404, 422
    ├── StateError             a checkpoint is unusable: fall back to the older one, then start cold, and say so
    └── LabError               a part of the lab cannot be found, built or started: give up, show its log  (exit 1)

Stage 0. Raised by every stage, caught at its edge. Holds no logic.
"""

from __future__ import annotations


class RiverwatchError(Exception):
    """Base of all errors raised on purpose."""


class BadInputError(RiverwatchError):
    """Input that a person gave is wrong; the text says what, where and what to do.

    Parameters
    ----------
    message
        What was wrong and what to do.
    where
        File, ``file:line`` or field path; empty when the message already says it.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where
        self.detail = message


class MalformedRecordError(BadInputError):
    """One audit record cannot be used; count it under `reason` and go on.

    Parameters
    ----------
    message
        What was wrong.
    reason
        One of the closed set of skip reasons (`sources.base.SkipReason` values).
    where
        File and line, or batch and index.
    """

    def __init__(self, message: str, *, reason: str, where: str = "") -> None:
        super().__init__(message, where=where)
        self.reason = reason


class BadRuleError(BadInputError):
    """A rule cannot be compiled or its cases fail; the rule is off, the rest stays on."""


class BadPolicyError(BadInputError):
    """A policy cannot be compiled; the last good one stays in force."""


class TemporaryError(RiverwatchError):
    """Something outside is away for now; retry with the caller's delays."""


class ApiTemporaryError(TemporaryError):
    """The API server is away, throttles, conflicts, or answers 5xx.

    Parameters
    ----------
    message
        What failed and how.
    retry_after_s
        Seconds that the server asked to wait; 0 when it did not say.
    """

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PermanentError(RiverwatchError):
    """Retrying cannot help; report through a condition."""


class ApiPermanentError(PermanentError):
    """The API server refused the request for good.

    Parameters
    ----------
    message
        What was refused and why.
    status
        HTTP status code of the answer.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class StateError(RiverwatchError):
    """A checkpoint is unusable (checksum, version, shape); fall back and say so."""


class LabError(RiverwatchError):
    """A part of the lab cannot be found, built or started; the text holds the end of its log and what to do."""
