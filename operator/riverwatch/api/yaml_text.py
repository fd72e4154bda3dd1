"""YAML text of any origin -> plain data, quickly, and never deeper than the process can bear.

libyaml reads ten times faster than Python, but puts nested values together by recursion in C, where a text of some
tens of kilobytes ends the process. So depth is bounded first: by what the text can hold at most, which costs next to
nothing, and only where that is too much by libyaml's own parser, which does not recurse. Pure. Called wherever rules,
cases and objects are read; policies, whose errors name lines, are read by `api.documents`.
"""

from __future__ import annotations

from typing import Any

import yaml

from riverwatch import errors

MAX_DEPTH = 200
"""Values inside values: schemas of custom resources, the deepest objects in real clusters, stay below 100."""

_HARMLESS_DEPTH = 2_000
"""Depth at which a text is looked at more closely; a hundredth of what the smallest stack of a thread bears."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, where PyYAML was built with it; both construct plain data only."""


def read(text: str, *, where: str) -> list[Any]:
    """Return the documents of a text; empty ones are None.

    Parameters
    ----------
    text
        YAML or JSON.
    where
        File or object, for messages.

    Raises
    ------
    BadInputError
        When it is no YAML, holds tags or values that are no plain data, or is nested too deeply.

    Examples
    --------
    >>> read("a: [1, 2]", where="x.yaml")
    [{'a': [1, 2]}]
    """
    try:
        if _deepest_possible(text) > _HARMLESS_DEPTH and _depth(text) > MAX_DEPTH:
            raise errors.BadInputError("is nested too deeply", where=where)
        return list(yaml.load_all(text, Loader=_LOADER))
    except RecursionError as error:
        raise errors.BadInputError("is nested too deeply", where=where) from error
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise errors.BadInputError(f"no valid YAML: {' '.join(str(error).split())}", where=where) from error


def _deepest_possible(text: str) -> int:
    """Return a depth that the text cannot exceed: each block value begins further right, or is a list below its key."""
    return 2 * max(map(len, text.splitlines()), default=0) + text.count("[") + text.count("{")


def _depth(text: str) -> int:
    """Return the depth of a text, at most a little above `MAX_DEPTH`."""
    depth = deepest = 0
    for part in yaml.parse(text, Loader=_LOADER):
        if isinstance(part, yaml.CollectionStartEvent):
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                break
        elif isinstance(part, yaml.CollectionEndEvent):
            depth -= 1
    return deepest
