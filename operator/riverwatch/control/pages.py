"""Prints ``docs/reference/running.md`` and ``metrics.md``: settings, outputs, sources, metrics, from types and cards.

``python -m riverwatch.control.pages`` writes the pages, ``--check`` fails when one differs (`make verify`).
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

from riverwatch import generated, metrics, outputs, settings, sources
from riverwatch.sources import base

PAGE = pathlib.Path("docs/reference/running.md")
"""Where the page of settings, sources and outputs lies, from the root of the repository."""

METRICS_PAGE = pathlib.Path("docs/reference/metrics.md")
"""Where the page of metrics lies."""

_HEAD = """# Running: settings, sources, outputs

Written by `make docs`. What people decide about detection is a custom resource, never a setting.

## Settings of `riverwatch run`

An option of the command line wins over the environment variable, which wins over the default. Not every setting has an
option; every one has a variable.

| variable | default | meaning |
|---|---|---|
"""

_METRICS = """# Metrics

Written by `make docs`. Served at `/metrics` beside `/healthz` and `/readyz`. No label ever holds a user, a pod or an
address; namespaces are told by name only where they are the ten largest of those that the models know. Times are
seconds, sizes bytes.

`manifests/monitoring/` holds alerts, a PodMonitor and a Grafana dashboard made of them:
`kubectl apply -k manifests/monitoring/`. `namespace_work_seconds` is an estimate: a delivery's time is shared among the
records that are looked at of it, eight at most. `namespace_state_bytes` is the size that a checkpoint takes; in memory
it is several times that.

| metric | type | labels | meaning |
|---|---|---|---|
"""

_SOURCES = """
## Sources

Where records come from. Use one way in per cluster.

| source | what it takes | needs | cannot see |
|---|---|---|---|
"""

_OUTPUTS = """
## Outputs

Where detections go. An output of retry class `until_delivered` keeps the newest revision of each detection until the
receiver has it, however long the receiver is away.

| output | what it writes | retry class | rate limited | access it needs |
|---|---|---|---|---|
"""


def text() -> str:
    """Return the page of settings, sources and outputs."""
    return "".join((_HEAD, *_settings(), _SOURCES, *_sources(), _OUTPUTS, *_outputs()))


def metrics_text() -> str:
    """Return the page of metrics."""
    return "".join((_METRICS, *_metrics()))


def _settings() -> Iterator[str]:
    for name, field in settings.Settings.model_fields.items():
        default = "" if field.default is None else f"`{str(field.default).lower()}`"
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        yield f"| `{settings.PREFIX}{name.upper()}` | {default} | {meaning} |\n"


def _metrics() -> Iterator[str]:
    exported = metrics.Metrics(skip_reasons=list(base.SkipReason), outputs=[card.id for card in outputs.CARDS])
    for family in sorted(exported.registry.collect(), key=lambda family: family.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        shown = ", ".join(f"`{label}`" for label in sorted(labels))
        yield f"| `{name}` | {family.type} | {shown} | {family.documentation} |\n"


def _sources() -> Iterator[str]:
    for card in sources.CARDS:
        yield f"| `{card.id}` | {card.summary} | {'; '.join(card.needs)} | {' '.join(card.blind_spots)} |\n"


def _outputs() -> Iterator[str]:
    for card in outputs.CARDS:
        access = "; ".join(
            f"{', '.join(one.verbs)} {one.resource.plural}{'/' + one.subresource if one.subresource else ''}"
            for one in card.access
        )
        limited = "yes" if card.rate_limited else "no"
        yield f"| `{card.id}` | {card.summary} | `{card.retry.value}` | {limited} | {access} |\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the pages; return the exit status."""
    return generated.main(
        lambda: {PAGE: text(), METRICS_PAGE: metrics_text()}, arguments, module="riverwatch.control.pages"
    )


if __name__ == "__main__":
    raise SystemExit(main())
