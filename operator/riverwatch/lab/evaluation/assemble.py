"""Put a report together: recordings and what was raised on them, in each mode, become figures.

``{Mode: [Judged]} -> report.Material``. Called by `lab evaluate`; reads no file and runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from riverwatch import errors
from riverwatch.lab import world
from riverwatch.lab.evaluation import measures, pooling, report, splits


def assemble(
    recordings: Sequence[report.Recording],
    judged: Mapping[report.Mode, Sequence[pooling.Judged]],
    *,
    learning_s: float = 0.0,
    latency: report.Latency | None = None,
) -> report.Material:
    """Compute the figures of every mode.

    Parameters
    ----------
    recordings
        Where the figures come from.
    judged
        For each mode, each recording's truth and what was raised, in the order of `recordings`.
    learning_s
        Seconds at the start of the first recording in which nothing counts; with several recordings, of each.
    latency
        What was measured on a running operator.

    Raises
    ------
    BadInputError
        When seeds of different splits are mixed, or nothing was judged.
    """
    if not judged:
        raise errors.BadInputError("no detections to judge; give a file for at least one mode")
    check(recordings, [each.labels for each in next(iter(judged.values()))], learning_s=learning_s)
    split = splits.common_split(recording.seed for recording in recordings)
    pooled = {mode.value: pooling.pool([_settled(each, learning_s) for each in runs]) for mode, runs in judged.items()}
    told = report.Report(
        version=report.REPORT_VERSION,
        split=split,
        recordings=list(recordings),
        learning_s=learning_s,
        left_out=_attacks(next(iter(judged.values()))) - len(next(iter(pooled.values())).labels.attacks()),
        modes={mode: measures.measure(each.labels, each.found) for mode, each in pooled.items()},
        latency=latency,
    )
    return report.Material(report=told, judged=pooled)


def check(recordings: Sequence[report.Recording], labels: Sequence[world.Labels], *, learning_s: float) -> None:
    """Refuse what cannot become one figure, before anything is replayed.

    Parameters
    ----------
    recordings
        Where the figures are to come from.
    labels
        Their truth.
    learning_s
        Seconds at the start of each in which nothing counts.

    Raises
    ------
    BadInputError
        When seeds of different splits are mixed, or a recording is no longer than the learning period.
    """
    splits.common_split(recording.seed for recording in recordings)
    for recording, truth in zip(recordings, labels, strict=True):
        length_s = world.parse_rfc3339(truth.end) - world.parse_rfc3339(truth.start)
        if learning_s >= length_s:
            raise errors.BadInputError(
                f"the learning period of {learning_s / world.DAY_S:g} days covers all "
                f"{length_s / world.DAY_S:g} days of the recording; choose a shorter one with --learning-days",
                where=recording.folder,
            )


def _attacks(runs: Sequence[pooling.Judged]) -> int:
    """Count the attacks of all recordings."""
    return sum(len(each.labels.attacks()) for each in runs)


def _settled(judged: pooling.Judged, learning_s: float) -> pooling.Judged:
    """Cut the learning period off a recording."""
    if not learning_s:
        return judged
    labels = judged.labels
    from_s = world.parse_rfc3339(labels.start) + learning_s
    kept = [
        episode
        for episode in labels.episodes
        if episode.kind is not world.EpisodeKind.ATTACK or world.parse_rfc3339(episode.start) >= from_s
    ]
    cut = world.Labels(
        version=labels.version, seed=labels.seed, start=world.rfc3339(from_s), end=labels.end, episodes=kept
    )
    return pooling.Judged(labels=cut, found=tuple(alert for alert in judged.found if alert.observed_s >= from_s))
