"""Keys and signing requests for attacks that obtain a client certificate.

A common name in, a request in the form the API wants and a key file out. Keys lie in a private folder that `forget`
removes. Called by attacks.
"""

from __future__ import annotations

import base64
import pathlib
import shutil
import tempfile

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from riverwatch.lab.attacks import base


def request(common_name: str) -> tuple[str, pathlib.Path]:
    """Make a key and a signing request; the key file's folder is private.

    Parameters
    ----------
    common_name
        User name that the certificate is to speak for.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    signed = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    key_file = pathlib.Path(tempfile.mkdtemp(prefix="riverwatch-key-")) / "client.key"
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode(), key_file


def identity(like: base.Identity, username: str, *, issued: str, key_file: pathlib.Path) -> base.Identity:
    """Give the identity that an issued certificate speaks for.

    Parameters
    ----------
    like
        Whose looks to take over.
    username
        The certificate's common name.
    issued
        The certificate as the API gives it, base64 of PEM.
    key_file
        What `request` gave.
    """
    certificate_file = key_file.with_name("client.crt")
    certificate_file.write_bytes(base64.b64decode(issued))
    credential = base.Credential(certificate_file=str(certificate_file), key_file=str(key_file))
    return msgspec.structs.replace(like, username=username, credential=credential, obtained=True)


def forget(key_file: pathlib.Path) -> None:
    """Remove a key and its certificate."""
    shutil.rmtree(key_file.parent, ignore_errors=True)
