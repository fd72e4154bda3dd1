"""Files of Kubernetes objects -> plain bodies, one by one; what ``--objects`` of several commands reads.

Reads YAML and JSON: documents, and the items of lists, as ``kubectl get -o yaml`` writes them.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

from riverwatch import errors
from riverwatch.api import yaml_text


def read(path: pathlib.Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file.

    Raises
    ------
    BadInputError
        When the file cannot be read, is no YAML, or holds something that is no object.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.BadInputError(f"cannot be read: {error}", where=str(path)) from error
    for number, document in enumerate(yaml_text.read(text, where=str(path)), start=1):
        if document is None:
            continue
        listed = document.get("items") if isinstance(document, dict) else None
        for body in listed if isinstance(listed, list) else [document]:
            if not (isinstance(body, dict) and body.get("kind") and isinstance(body.get("metadata"), dict)):
                raise errors.BadInputError(
                    "is no Kubernetes object; kind and metadata are needed, as kubectl get -o yaml writes them",
                    where=f"{path} document {number}",
                )
            yield body
