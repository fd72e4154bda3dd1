"""Stage 5 helper: who is installing or upgrading a Helm release.

Helm writes a Secret for each revision of a release before it writes anything else, whether a person runs it or a
controller does, so what follows from the same identity belongs to the release. Owned by `scoring.judge`, which
is told of every record that is not routine; pure, time comes from records.
"""

from __future__ import annotations

from riverwatch.activity import derived_facts, record
from riverwatch.features import attributes

RELEASE_S = 600.0
"""Seconds for which a release explains what its writer does: Helm's own time limit is five minutes, hooks included."""

MAX_WRITERS = 1_000
"""Identities remembered; the one whose release is oldest is forgotten first."""


def is_release(activity: record.Activity) -> bool:
    """Tell whether a revision of a release was written.

    Parameters
    ----------
    activity
        What was done.
    """
    return (
        activity.resource == "secrets"
        and activity.name.startswith(attributes.HELM_RELEASE)
        and activity.verb in derived_facts.WRITE_VERBS
        and not activity.failed
    )


class Releases:
    """User name -> record time of the latest revision that it wrote."""

    def __init__(self) -> None:
        self._written: dict[str, float] = {}

    def see(self, activity: record.Activity) -> bool:
        """Remember the writer of a revision; return whether it was one."""
        if not is_release(activity):
            return False
        username = activity.principal.username
        self._written.pop(username, None)
        self._written[username] = activity.time_s
        if len(self._written) > MAX_WRITERS:
            del self._written[next(iter(self._written))]
        return True

    def explains(self, activity: record.Activity) -> str:
        """Say so when the identity is in the middle of a release; empty when it is not."""
        since_s = self._written.get(activity.principal.username)
        during = since_s is not None and 0.0 <= activity.time_s - since_s <= RELEASE_S
        return "it is installing or upgrading a Helm release" if during else ""

    def dump(self) -> dict[str, float]:
        """Return plain data for a checkpoint, the oldest first."""
        return self._written

    def load(self, data: dict[str, float]) -> None:
        """Take over what `dump` returned."""
        self._written = dict(data)
