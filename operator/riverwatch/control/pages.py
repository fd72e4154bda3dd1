"""Prints ``docs/reference/running.md``: every setting, metric and output, from the types and cards themselves.

``python -m riverwatch.control.pages`` writes the page, ``--check`` fails when it differs (`make verify`).
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Iterator

from riverwatch import metrics, outputs, settings
from riverwatch.sources import base

PAGE = pathlib.Path("docs/reference/running.md")
"""Where the page lies, from the root of the repository."""

_HEAD = """# Running: settings, metrics, outputs

Written by `make docs`. What people decide about detection is a custom resource, never a setting.

## Settings of `riverwatch run`

An option of the command line wins over the environment variable, which wins over the default. Not every setting has an
option; every one has a variable.

| variable | default | meaning |
|---|---|---|
"""

_METRICS = """
## Metrics

Served at `/metrics` beside `/healthz` and `/readyz`. No label ever holds a user, a pod or an address.

| metric | type | labels | meaning |
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
    """Return the whole page."""
    parts = (_HEAD, *_settings(), _METRICS, *_metrics(), _OUTPUTS, *_outputs())
    return "".join(parts)


def _settings() -> Iterator[str]:
    for name, field in settings.Settings.model_fields.items():
        default = "" if field.default is None else f"`{str(field.default).lower()}`"
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        yield f"| `{settings.PREFIX}{name.upper()}` | {default} | {meaning} |\n"


def _metrics() -> Iterator[str]:
    exported = metrics.Metrics(skip_reasons=list(base.SkipReason), outputs=[card.id for card in outputs.CARDS])
    for family in exported.registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        shown = ", ".join(f"`{label}`" for label in sorted(labels))
        yield f"| `{name}` | {family.type} | {shown} | {family.documentation} |\n"


def _outputs() -> Iterator[str]:
    for card in outputs.CARDS:
        access = "; ".join(
            f"{', '.join(one.verbs)} {one.resource.plural}{'/' + one.subresource if one.subresource else ''}"
            for one in card.access
        )
        limited = "yes" if card.rate_limited else "no"
        yield f"| `{card.id}` | {card.summary} | `{card.retry.value}` | {limited} | {access} |\n"


def main(arguments: list[str] | None = None) -> int:
    """Write or check the page; 1 when it differs."""
    parser = argparse.ArgumentParser(prog="python -m riverwatch.control.pages")
    parser.add_argument("--check", action="store_true", help="fail when the page differs, write nothing")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(), help="root of the repository")
    chosen = parser.parse_args(arguments)
    page = chosen.root / PAGE
    if not chosen.check:
        page.write_text(text(), encoding="utf-8")
        return 0
    if not page.is_file() or page.read_text(encoding="utf-8") != text():
        sys.stderr.write(f"{page}: stale; run make docs\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
