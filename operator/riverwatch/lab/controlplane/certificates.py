"""The control plane's own certificate authority.

In: names and groups. Out: PEM files under one folder. Invariant: nothing here outlives the lab's folder, and no key
leaves it but inside a kubeconfig. Called by `plane`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import ipaddress
import pathlib
import warnings
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import oid

from riverwatch import clock

VALID_DAYS = 365
"""Life of every certificate, in days; a lab that stays up longer is made anew."""

BACKDATED_S = 3600.0
"""Certificates start this long ago, in seconds, so that clocks a little behind accept them."""

TOKEN_KEY_BITS = 2048
"""Size of the key that signs service-account tokens, in bits; RS256 is what clusters use."""


@dataclasses.dataclass(frozen=True)
class KeyPair:
    """Paths of a certificate and its key."""

    certificate: pathlib.Path
    """PEM certificate."""
    key: pathlib.Path
    """PEM private key, readable by its owner only."""


class Authority:
    """A certificate authority kept in one folder; made at the first use, read again afterwards.

    Parameters
    ----------
    folder
        Where its files lie.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.pair = KeyPair(folder / "ca.crt", folder / "ca.key")
        if not self.pair.certificate.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            self._create()
        key = serialization.load_pem_private_key(self.pair.key.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self._certificate = x509.load_pem_x509_certificate(self.pair.certificate.read_bytes())

    def issue_server(self, name: str, addresses: Sequence[str]) -> KeyPair:
        """Write a serving certificate.

        Parameters
        ----------
        name
            File stem and common name.
        addresses
            DNS names and IP addresses it is valid for.
        """
        alternatives = x509.SubjectAlternativeName([_general_name(address) for address in addresses])
        subject = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, name)])
        return self._issue(name, subject, oid.ExtendedKeyUsageOID.SERVER_AUTH, [alternatives])

    def issue_client(self, stem: str, user: str, groups: Sequence[str] = ()) -> KeyPair:
        """Write a client certificate: the API server reads the user from CN and groups from O.

        Parameters
        ----------
        stem
            File stem.
        user
            User name.
        groups
            Group names.
        """
        with warnings.catch_warnings():
            # X.509 asks for at most 64 characters, the API server does not, and account names are longer.
            warnings.filterwarnings("ignore", "Attribute's length", UserWarning)
            attributes = [x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, group, _validate=False) for group in groups]
            attributes.append(x509.NameAttribute(oid.NameOID.COMMON_NAME, user, _validate=False))
            subject = x509.Name(attributes)
        return self._issue(stem, subject, oid.ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def token_key(self) -> KeyPair:
        """Write the key pair that signs service-account tokens; `certificate` is the bare public key."""
        pair = KeyPair(self.folder / "tokens.pub", self.folder / "tokens.key")
        if not pair.key.is_file():
            key = rsa.generate_private_key(public_exponent=65537, key_size=TOKEN_KEY_BITS)
            _write_key(pair.key, key)
            public = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            pair.certificate.write_bytes(public)
        return pair

    def _create(self) -> None:
        """Make the authority's own key and certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, "kubernetes")])
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(usage, critical=True)
        )
        _write_key(self.pair.key, key)
        certificate = builder.sign(key, hashes.SHA256())
        self.pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _issue(
        self,
        stem: str,
        subject: x509.Name,
        purpose: x509.ObjectIdentifier,
        extensions: Sequence[x509.ExtensionType],
    ) -> KeyPair:
        """Sign a new key for one purpose and write both; what was issued before under a stem is used again."""
        pair = KeyPair(self.folder / f"{stem}.crt", self.folder / f"{stem}.key")
        if pair.certificate.is_file():
            return pair
        key = ec.generate_private_key(ec.SECP256R1())
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(subject, self._certificate.subject, key.public_key())
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(authority_key, critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        _write_key(pair.key, key)
        certificate = builder.sign(self._key, hashes.SHA256())
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return pair


def _builder(subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    """Start a certificate with the fields that all of them share."""
    start = dt.datetime.fromtimestamp(clock.SystemClock().now_s() - BACKDATED_S, tz=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=VALID_DAYS))
    )


def _general_name(address: str) -> x509.GeneralName:
    """Tell an IP address from a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _write_key(path: pathlib.Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """Write a private key that only its owner may read."""
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.touch(mode=0o600)
    path.write_bytes(text)
