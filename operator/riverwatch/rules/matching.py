"""Stage 4a: one Sigma value (string, number, regex, CIDR ...) -> a function that says whether a field's value matches.

Strings compare without case and with Sigma's wildcards; regular expressions run on RE2, which cannot backtrack.
Matching never raises: a value of another type does not match. Called by `rules.conditions`.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any

import re2
from sigma import types as sigma_types

from riverwatch import errors

Matcher = Callable[[Any], bool]
"""Whether one scalar value matches."""

MAX_REGEX_CHARS = 2_000
"""Characters of one regular expression in a rule: no public rule comes near."""

MAX_REGEX_BYTES = 1 << 20
"""Bytes that RE2 may use for one compiled expression."""

REGEX_MEMORY = 512
"""Answers that one regular expression remembers."""

REGEX_MEMORY_CHARS = 512
"""Characters of the longest text that is remembered: 0.3 MB per expression at worst."""

_WILDCARD = {sigma_types.SpecialChars.WILDCARD_MULTI: ".*", sigma_types.SpecialChars.WILDCARD_SINGLE: "."}


def text_of(value: Any) -> str:
    """Write a value as Sigma compares it; booleans as in JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def compile_regex(pattern: str, *, where: str, field: str) -> Any:
    """Compile a regular expression on RE2.

    Raises
    ------
    BadRuleError
        When it is too long, invalid, needs backtracking (look-around, back references), or is too large to compile.
    """
    if len(pattern) > MAX_REGEX_CHARS:
        raise errors.BadRuleError(
            f"field {field!r}: a regular expression of {len(pattern)} characters, at most {MAX_REGEX_CHARS} allowed",
            where=where,
        )
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_REGEX_BYTES
    try:
        return re2.compile(pattern, options)  # type: ignore[no-untyped-call]  # re2 has no types
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise errors.BadRuleError(
            f"field {field!r}: regular expression {pattern!r} is refused by RE2: {reason}; look-around and back "
            "references are not supported because they can take exponential time",
            where=where,
        ) from error


def string_matcher(value: sigma_types.SigmaString, *, where: str, field: str) -> Matcher:
    """Compile a string with wildcards.

    Raises
    ------
    BadRuleError
        When it holds a placeholder that only a SIEM could fill.
    """
    cased = isinstance(value, sigma_types.SigmaCasedString)
    parts = [_part(part, cased=cased, where=where, field=field) for part in value.s]
    multi = sigma_types.SpecialChars.WILDCARD_MULTI
    match parts:
        case []:
            return lambda got: got == ""
        case [str(text)]:
            return _equals(text, cased=cased)
        case [first] if first is multi:
            return lambda got: got != ""
        case [str(text), last] if last is multi:
            return lambda got: _fold(got, cased=cased).startswith(text)
        case [first, str(text)] if first is multi:
            return lambda got: _fold(got, cased=cased).endswith(text)
        case [first, str(text), last] if first is multi and last is multi:
            return lambda got: text in _fold(got, cased=cased)
        case _:
            return _wildcard_regex(parts, cased=cased, where=where, field=field)


def plain_text(value: sigma_types.SigmaType) -> str | None:
    """Return the lower-case text of a string without wildcards, or of a number or boolean; None for all else."""
    if isinstance(value, sigma_types.SigmaCasedString):
        return None
    if isinstance(value, sigma_types.SigmaString):
        if all(isinstance(part, str) for part in value.s):
            return "".join(str(part) for part in value.s).lower()
        return None
    if isinstance(value, sigma_types.SigmaTimestampPart):
        return None
    if isinstance(value, sigma_types.SigmaNumber):
        return str(value.number)
    if isinstance(value, sigma_types.SigmaBool):
        return "true" if value.boolean else "false"
    return None


def any_text(wanted: Iterable[str]) -> Matcher:
    """Match any of several plain lower-case texts: one set lookup."""
    texts = frozenset(wanted)
    return lambda got: (got.lower() if isinstance(got, str) else text_of(got)) in texts


def value_matcher(value: sigma_types.SigmaType, *, where: str, field: str) -> Matcher:
    """Compile any value but null, exists and field references, which need the whole record.

    Raises
    ------
    BadRuleError
        When the value's type cannot be judged record by record.
    """
    if isinstance(value, sigma_types.SigmaExpansion):
        return any_of([value_matcher(one, where=where, field=field) for one in value.values])
    if isinstance(value, sigma_types.SigmaString):
        return string_matcher(value, where=where, field=field)
    if isinstance(value, sigma_types.SigmaTimestampPart):
        raise errors.BadRuleError(f"field {field!r}: parts of a time are not supported; use timespan", where=where)
    if isinstance(value, sigma_types.SigmaNumber):
        return _number(value.number)
    if isinstance(value, sigma_types.SigmaBool):
        wanted = "true" if value.boolean else "false"
        return lambda got: text_of(got).lower() == wanted
    if isinstance(value, sigma_types.SigmaRegularExpression):
        return _searching(compile_regex(_regex_text(value), where=where, field=field))
    if isinstance(value, sigma_types.SigmaCIDRExpression):
        return _cidr(value.network)
    if isinstance(value, sigma_types.SigmaCompareExpression):
        return _compare(value)
    raise errors.BadRuleError(f"field {field!r}: a value of type {type(value).__name__} is not supported", where=where)


def any_value(values: list[sigma_types.SigmaType], *, where: str, field: str) -> Matcher:
    """Compile several values of one field: any of them.

    Raises
    ------
    BadRuleError
        As `value_matcher`.
    """
    inside = [_inside(value) for value in values]
    texts = [text for text in inside if text is not None]
    matchers = [
        value_matcher(value, where=where, field=field)
        for value, text in zip(values, inside, strict=True)
        if text is None or len(texts) < 2
    ]
    if len(texts) > 1:
        matchers.append(contains_any(texts))
    return any_of(matchers)


def contains_any(texts: list[str]) -> Matcher:
    """Match when any of some lower-case texts stands inside; what they have in common is looked for first."""
    common = _common(texts)

    def match(got: Any) -> bool:
        text = got.lower() if isinstance(got, str) else text_of(got).lower()
        if common not in text:
            return False
        for one in texts:  # noqa: SIM110 - a generator costs three times as much on the hot path
            if one in text:
                return True
        return False

    return match


def _inside(value: sigma_types.SigmaType) -> str | None:
    """Return the lower-case text of ``*text*``, compared without case; None for all else."""
    if not isinstance(value, sigma_types.SigmaString) or isinstance(value, sigma_types.SigmaCasedString):
        return None
    multi = sigma_types.SpecialChars.WILDCARD_MULTI
    match value.s:
        case (first, str(text), last) if first is multi and last is multi:
            return text.lower()
    return None


def _common(texts: list[str]) -> str:
    """Return the longest text that stands in all of them."""
    shortest = min(texts, key=len)
    for size in range(len(shortest), 0, -1):
        for start in range(len(shortest) - size + 1):
            part = shortest[start : start + size]
            if all(part in text for text in texts):
                return part
    return ""


def any_of(matchers: list[Matcher]) -> Matcher:
    """Match when any of the matchers does."""
    if len(matchers) == 1:
        return matchers[0]
    return lambda got: any(matcher(got) for matcher in matchers)


def remembered(matcher: Matcher, *, size: int) -> Matcher:
    """Remember the answers for fields with few distinct values, such as user agents, if they are short."""
    memory = functools.lru_cache(maxsize=size)(matcher)
    return lambda got: (memory if len(text_of(got)) <= REGEX_MEMORY_CHARS else matcher)(got)


def _fold(got: Any, *, cased: bool) -> str:
    text = got if isinstance(got, str) else text_of(got)
    return text if cased else text.lower()


def _equals(text: str, *, cased: bool) -> Matcher:
    if cased:
        return lambda got: text_of(got) == text
    return lambda got: (got.lower() if isinstance(got, str) else text_of(got).lower()) == text


def _part(
    part: sigma_types.SigmaStringPartType, *, cased: bool, where: str, field: str
) -> str | sigma_types.SpecialChars:
    if isinstance(part, sigma_types.Placeholder):
        raise errors.BadRuleError(
            f"field {field!r}: the placeholder %{part.name}% has no value here; write the values out", where=where
        )
    if isinstance(part, str):
        return part if cased else part.lower()
    return part


def _wildcard_regex(parts: list[str | sigma_types.SpecialChars], *, cased: bool, where: str, field: str) -> Matcher:
    body = "".join(re.escape(part) if isinstance(part, str) else _WILDCARD[part] for part in parts)
    return _searching(compile_regex(f"(?s{'' if cased else 'i'})^{body}$", where=where, field=field))


def _searching(regex: Any) -> Matcher:
    """Search with a compiled expression, remembering the answers for short texts: RE2's wrapper costs 3 us a call."""

    @functools.lru_cache(maxsize=REGEX_MEMORY)
    def search(text: str) -> bool:
        return regex.search(text) is not None

    def match(got: Any) -> bool:
        text = got if isinstance(got, str) else text_of(got)
        return search(text) if len(text) <= REGEX_MEMORY_CHARS else regex.search(text) is not None

    return match


def _regex_text(value: sigma_types.SigmaRegularExpression) -> str:
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return (f"(?{flags})" if flags else "") + str(value.regexp)


def _number(wanted: float) -> Matcher:
    text = str(wanted)

    def match(got: Any) -> bool:
        if isinstance(got, str):
            return got == text
        return not isinstance(got, bool) and got == wanted

    return match


def _cidr(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Matcher:
    def match(got: Any) -> bool:
        try:
            address = ipaddress.ip_address(text_of(got))
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped and network.version == 4:
            address = address.ipv4_mapped
        return address.version == network.version and address in network

    return match


def _compare(value: sigma_types.SigmaCompareExpression) -> Matcher:
    wanted = float(value.number.number)
    operators = sigma_types.SigmaCompareExpression.CompareOperators
    test: Callable[[float], bool] = {
        operators.LT: lambda got: got < wanted,
        operators.LTE: lambda got: got <= wanted,
        operators.GT: lambda got: got > wanted,
        operators.GTE: lambda got: got >= wanted,
        operators.NEQ: lambda got: got != wanted,
    }[value.op]

    def match(got: Any) -> bool:
        if isinstance(got, bool):
            return False
        try:
            return test(float(got))
        except (TypeError, ValueError):
            return False

    return match
