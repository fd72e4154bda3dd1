"""Stage 5 helper: how grave an anomaly is, from how strange it is and where the credential was used. Pure."""

from __future__ import annotations

from riverwatch import vocabulary


def anomaly(ratio: float, *, displaced: bool) -> vocabulary.Severity:
    """Return the severity of an anomaly.

    Parameters
    ----------
    ratio
        Its evidence as a multiple of the threshold.
    displaced
        Whether the credential was used from a strange place or with strange software. Strange work from the usual
        place is mostly a change that nobody announced, however strange it is.

    Examples
    --------
    >>> [anomaly(ratio, displaced=True).value for ratio in (1.1, 2.0, 3.0)]
    ['Low', 'Medium', 'High']
    >>> [anomaly(ratio, displaced=False).value for ratio in (1.1, 2.0, 3.0)]
    ['Low', 'Low', 'Medium']
    """
    if not displaced:
        return vocabulary.Severity.MEDIUM if ratio >= 3.0 else vocabulary.Severity.LOW
    if ratio >= 2.5:
        return vocabulary.Severity.HIGH
    return vocabulary.Severity.MEDIUM if ratio >= 1.5 else vocabulary.Severity.LOW
