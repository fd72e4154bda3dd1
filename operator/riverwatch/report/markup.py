"""Stage 7: HTML that cannot be broken by what it shows.

`Markup` is text that is markup already; every other text is escaped when it becomes part of one. A hostile name
therefore cannot open a tag, whoever forgets about it. Used by `report.html` and its parts; knows nothing of detections.
"""

from __future__ import annotations

import html

from riverwatch.report import words


class Markup(str):
    """Text that is finished markup."""

    __slots__ = ()


NOTHING = Markup("")
"""No markup at all."""


def safe(content: str) -> Markup:
    """Return content as markup: finished markup as it is, any other text made visible and escaped.

    Examples
    --------
    >>> safe("<script>")
    '&lt;script&gt;'
    """
    if isinstance(content, Markup):
        return content
    return Markup(html.escape(words.plain(content), quote=True))


def tag(name: str, *content: str, **attributes: str) -> Markup:
    """Return an element; attribute names may end in ``_`` and hold ``_`` for ``-``.

    Parameters
    ----------
    name
        Name of the element; a literal in our own code.
    content
        Text and markup inside, in order.
    attributes
        Text; empty values leave the attribute out.

    Examples
    --------
    >>> tag("td", "a < b", class_="n")
    '<td class="n">a &lt; b</td>'
    """
    return Markup(f"<{name}{_attributes(attributes)}>{joined(*content)}</{name}>")


def void(name: str, **attributes: str) -> Markup:
    """Return an element without content, such as ``<rect/>`` in a picture."""
    return Markup(f"<{name}{_attributes(attributes)}/>")


def joined(*content: str) -> Markup:
    """Put text and markup together."""
    return Markup("".join(safe(part) for part in content))


def table(caption: str, head: list[tuple[str, str]], rows: list[list[Markup]], *, style: str) -> Markup:
    """Return a table with a caption.

    Parameters
    ----------
    caption
        What the table holds; read aloud first.
    head
        Name and class of each column; the class sets its width.
    rows
        Finished cells.
    style
        Class of the table.
    """
    names = [tag("th", name, scope="col", class_=width) for name, width in head]
    body = [tag("tr", *[tag("td", cell) for cell in row]) for row in rows]
    return tag("table", tag("caption", caption), tag("thead", tag("tr", *names)), tag("tbody", *body), class_=style)


def _attributes(attributes: dict[str, str]) -> str:
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{safe(value)}"' for name, value in attributes.items() if value
    )
