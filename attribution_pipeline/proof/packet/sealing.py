"""The archive and its signature.

Belongs here: files to one signed container, keys. Does not: what files say (``build``), checking
(``verify``).

The library is ``securesystemslib``: DSSE envelopes and Ed25519 over ``cryptography``, the one that
in-toto and TUF use. The private key is read, used and never shown.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof.packet.verify import archive
from attribution_pipeline.proof.packet.verify.statement import (
    COMPRESSED,
    FORMAT,
    PAYLOAD_TYPE,
    canonical,
)

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

KEY_VARIABLE = "ATTRIBUTION_PACKET_KEY"
"""Holds the private key in PEM where ``--key`` names no file."""

OWNER_ONLY = 0o600
_REMEDY = "make one: attribution packet --new-key FILE, or name another with --key"


def new_key(path: Path) -> tuple[Path, str]:
    """An Ed25519 key pair: the private key in ``path``, the public one beside it in ``.pub.pem``.
    Gives the public file and the key's id. Raises Refusal where either stands already."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )
    from securesystemslib.signer import SSlibKey

    private = Ed25519PrivateKey.generate()
    public = path.with_name(f"{path.stem}.pub.pem")
    texts = {
        path: private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        public: private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    }
    for file in texts:
        if file.exists():
            raise Refusal("there is a file already", where=str(file), remedy="name another")
    for file, text in texts.items():
        mode = OWNER_ONLY if file == path else 0o644
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except OSError as error:
            raise Refusal(
                (error.strerror or str(error)).lower(), where=str(file), remedy="name another place"
            ) from error
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text)
    keyid: str = SSlibKey.from_crypto(private.public_key()).keyid
    return public, keyid


def load_signer(path: Path | None) -> CryptoSigner:
    """The private Ed25519 key of a PEM file, else of ``$ATTRIBUTION_PACKET_KEY``."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    where = str(path) if path else f"${KEY_VARIABLE}"
    try:
        text = path.read_bytes() if path else os.environ.get(KEY_VARIABLE, "").encode()
    except OSError as error:
        raise Refusal(
            f"the signing key cannot be read: {(error.strerror or str(error)).lower()}",
            where=where, remedy=_REMEDY,
        ) from error  # fmt: skip
    if not text:
        raise Refusal("there is no signing key", where=where, remedy=_REMEDY)
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError):
        # no cause: its text may quote the key
        raise Refusal(
            "it holds no private key in PEM without a password", where=where, remedy=_REMEDY
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refusal("the signing key is no Ed25519 key", where=where, remedy=_REMEDY)
    return CryptoSigner(key)


def packed(name: str, text: bytes) -> bytes:
    """A file's bytes in the archive: those that end in ``.gz`` are compressed."""
    return gzip.compress(text, mtime=0) if name.endswith(COMPRESSED) else text


def seal(
    out: Path, said: Mapping[str, Any], files: Mapping[str, bytes], signer: CryptoSigner
) -> str:
    """Write the packet: the signed statement, then ``files`` (unpacked, by name). The signing key's
    id. The archive appears whole or not at all."""
    from securesystemslib.dsse import Envelope

    contents = {name: packed(name, files[name]) for name in sorted(files)}
    statement = {
        **said,
        "format": FORMAT,
        "files": [
            {
                "name": name,
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
                **({"unpacked_bytes": len(files[name])} if name.endswith(COMPRESSED) else {}),
            }
            for name, content in contents.items()
        ],
    }
    envelope = Envelope(canonical(statement), PAYLOAD_TYPE, {})
    signature = envelope.sign(signer)
    members = [(archive.STATEMENT, canonical(envelope.to_dict())), *contents.items()]
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with part.open("xb") as file:
            archive.write(file, members)
            file.flush()
            os.fsync(file.fileno())
        part.replace(out)
    except OSError as error:
        raise Refusal(
            (error.strerror or str(error)).lower(), where=str(out), remedy="name another place"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    keyid: str = signature.keyid
    return keyid
