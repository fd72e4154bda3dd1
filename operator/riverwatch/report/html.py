# ruff: noqa: A005 - the module is only ever used as `report.html`, and the standard one is imported absolutely
"""Stage 7: detections -> one HTML page that can be read, printed and forwarded without anything else.

Nothing is loaded from anywhere and there is no script; a content security policy inside the page forbids both even if
something slipped through the escaping of `report.markup`. The same detections give the same bytes: there is no clock.
Called by ``replay --report``.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from riverwatch import errors
from riverwatch.detections import finding
from riverwatch.report import context as report_context
from riverwatch.report import header, markup, page_style, section, timeline, words

SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a browser may do with the page: apply its own style, nothing else."""


def write(path: pathlib.Path, detections: Sequence[finding.Detection], *, context: report_context.Context) -> None:
    """Write the page.

    Parameters
    ----------
    path
        File to write; an existing one is replaced.
    detections
        In any order.
    context
        What was read.

    Raises
    ------
    errors.BadInputError
        When the file cannot be written.
    """
    page = render(detections, context=context)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise errors.BadInputError(f"the report cannot be written: {error.strerror}", where=str(path)) from error


def render(detections: Sequence[finding.Detection], *, context: report_context.Context) -> str:
    """Return the page.

    Parameters
    ----------
    detections
        In any order; when empty, the page says what was read and how warm the models were.
    context
        What was read.
    """
    ranked = words.strongest_first(detections)
    body = markup.tag(
        "body",
        header.draw(ranked, context),
        markup.tag("main", _findings(ranked, context)),
        markup.tag("footer", f"riverwatch {context.version}. Times are UTC and come from the audit records alone."),
    )
    head = markup.joined(
        markup.Markup('<meta charset="utf-8">'),
        markup.Markup(f'<meta http-equiv="Content-Security-Policy" content="{SECURITY_POLICY}">'),
        markup.Markup('<meta name="viewport" content="width=device-width,initial-scale=1">'),
        markup.Markup('<meta name="color-scheme" content="light dark">'),
        markup.tag(
            "title", f"riverwatch: {words.counted(len(ranked), 'detection')} in {words.plain(context.title, 200)}"
        ),
        markup.tag("style", markup.Markup(page_style.STYLE)),
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>{body}</html>\n'


def _findings(ranked: Sequence[finding.Detection], context: report_context.Context) -> markup.Markup:
    if not ranked:
        return markup.tag("p", words.nothing_found(context))
    space = section.room(len(ranked))
    drawing = markup.tag(
        "div", timeline.draw(ranked, context), class_="scroll", tabindex="0", role="region", aria_label="Timeline"
    )
    return markup.joined(
        markup.tag("h2", "When"),
        drawing,
        markup.tag("h2", "What was found"),
        header.summary(ranked),
        header.techniques(ranked),
        markup.tag("h2", "One by one"),
        *[section.draw(detection, space) for detection in ranked],
    )
