"""Stage 1, receiver: who may send audit batches, and the TLS side of it; files are read again when they change.

Tokens are compared in constant time and kept as digests; a client certificate is verified by TLS itself against the CA
file. A changed file that cannot be used is reported, and the last good one stays in force. Used by `audit_webhook`
and `admission_webhook`.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import pathlib
import ssl

import msgspec

from riverwatch import errors

_TOKEN_MIN_CHARS = 16
"""Shortest token accepted: below it, guessing over the network becomes thinkable."""


class Access(msgspec.Struct, frozen=True):
    """Which files say who may send; None where that way in is not configured."""

    cert: pathlib.Path | None = None
    key: pathlib.Path | None = None
    token_file: pathlib.Path | None = None
    client_ca: pathlib.Path | None = None
    admission_token_file: pathlib.Path | None = None
    """Tokens that stand in the path of admission reviews; they open nothing else."""

    @property
    def files(self) -> tuple[pathlib.Path, ...]:
        """The files that are configured."""
        every = (self.cert, self.key, self.token_file, self.client_ca, self.admission_token_file)
        return tuple(one for one in every if one is not None)


def check(access: Access, *, host: str, insecure: bool, reviewed: bool = False) -> None:
    """Refuse a receiver that would listen to anybody.

    Raises
    ------
    BadInputError
        When TLS or credentials are missing and plain HTTP is not explicitly allowed, or not on loopback.
    """
    if (access.cert is None) != (access.key is None):
        raise errors.BadInputError("certificate and key belong together; give both", where="audit receiver")
    if insecure:
        if not _is_loopback(host):
            raise errors.BadInputError(
                f"plain HTTP is only allowed on a loopback address such as 127.0.0.1, not on {host!r}",
                where="audit receiver",
            )
        return
    if access.cert is None:
        raise errors.BadInputError(
            "give a certificate and a key, or allow plain HTTP explicitly on a loopback address", where="audit receiver"
        )
    if not reviewed and access.token_file is None and access.client_ca is None and access.admission_token_file is None:
        raise errors.BadInputError(
            "give a token file or a client CA: whoever may send batches may invent records", where="audit receiver"
        )


def stamp(access: Access) -> tuple[tuple[int, int, int], ...]:
    """Return what changes when one of the files does: time, size and inode, zeros for a missing file."""
    found = []
    for path in access.files:
        try:
            status = path.stat()
        except OSError:
            found.append((0, 0, 0))
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def tls_context(access: Access) -> ssl.SSLContext | None:
    """Build the TLS side from the files, or None when there is no certificate.

    Raises
    ------
    BadInputError
        When a file is missing or no PEM of its kind; the text names it.
    """
    if access.cert is None or access.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(access.cert, access.key)
    except (OSError, ssl.SSLError) as error:
        where = f"{access.cert}, {access.key}"
        raise errors.BadInputError(f"not a PEM certificate with its key: {error}", where=where) from error
    if access.client_ca is not None:
        try:
            context.load_verify_locations(access.client_ca)
        except (OSError, ssl.SSLError) as error:
            raise errors.BadInputError(f"not a PEM file of CAs: {error}", where=str(access.client_ca)) from error
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


class Tokens:
    """The bearer tokens in force.

    Examples
    --------
    >>> tokens = Tokens.of(["correct horse battery"])
    >>> tokens.accept("correct horse battery"), tokens.accept("wrong")
    (True, False)
    """

    def __init__(self, digests: tuple[bytes, ...] = ()) -> None:
        self._digests = digests

    @classmethod
    def of(cls, tokens: list[str]) -> Tokens:
        """Keep the digests of some tokens."""
        return cls(tuple(hashlib.sha256(token.encode()).digest() for token in tokens))

    @classmethod
    def read(cls, path: pathlib.Path | None) -> Tokens:
        """Read a file of tokens, one a line; empty lines and those that begin with # are left out.

        Raises
        ------
        BadInputError
            When the file cannot be read, holds no token, or one that is too short.
        """
        if path is None:
            return cls()
        try:
            lines = path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise errors.BadInputError(f"cannot read the token file: {error}", where=str(path)) from error
        tokens = []
        for number, line in enumerate(lines, start=1):
            token = line.strip()
            if not token or token.startswith("#"):
                continue
            if len(token) < _TOKEN_MIN_CHARS:
                shortest = f"a token needs at least {_TOKEN_MIN_CHARS} characters"
                raise errors.BadInputError(shortest, where=f"{path}:{number}")
            tokens.append(token)
        if not tokens:
            raise errors.BadInputError("the token file holds no token; write one a line", where=str(path))
        return cls.of(tokens)

    def accept(self, token: str) -> bool:
        """Tell whether a token is in force; takes the same time whichever it is."""
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
