"""Signature and digests: who says this, and whether these are the files that it was said of.

Belongs here: the DSSE envelope, the list of files. Does not: what the files say.

DSSE 1.0.2 (github.com/secure-systems-lab/dsse), one Ed25519 signature, by ``securesystemslib``. The
envelope itself has one spelling, so that no byte of it can be changed unnoticed: keys sorted, no
spaces, base64 without slack.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

from .archive import STATEMENT, Archive
from .failure import FILES, SIGNATURE, UNUSABLE, Failed

PAYLOAD_TYPE = "application/vnd.attribution-pipeline.review-packet.v1+json"
FORMAT = "review-packet/1"
COMPRESSED = ".gz"
_GZIP = 16 + zlib.MAX_WBITS
"""zlib's word for the gzip container (zlib manual, inflateInit2)."""


def canonical(said: Any) -> bytes:
    """JSON with one spelling: keys sorted, no spaces, UTF-8."""
    return json.dumps(
        said, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def load_key(path: Path) -> Any:
    """The public Ed25519 key of a PEM file. Raises Failed for anything else."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    try:
        found = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise Failed(UNUSABLE, f"{path}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        raise Failed(UNUSABLE, f"{path} holds no public key in PEM") from error
    if not isinstance(found, Ed25519PublicKey):
        raise Failed(UNUSABLE, f"{path} holds no Ed25519 key")
    return SSlibKey.from_crypto(found)


def signed_statement(archive: Archive, key: Any) -> dict[str, Any]:
    """What is signed, after the signature was found to be the key's own."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    raw = archive.content(STATEMENT)
    try:
        envelope = Envelope.from_dict(json.loads(raw))
        signatures = list(envelope.signatures.values())
        one_spelling = canonical(envelope.to_dict())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failed(SIGNATURE, f"{STATEMENT} is no DSSE envelope") from error
    if raw != one_spelling:
        raise Failed(SIGNATURE, f"{STATEMENT} is not spelled as an envelope is written")
    if envelope.payload_type != PAYLOAD_TYPE:
        raise Failed(SIGNATURE, f"the payload is {envelope.payload_type!r}, not {PAYLOAD_TYPE}")
    if len(signatures) != 1 or signatures[0].unrecognized_fields:
        raise Failed(SIGNATURE, f"there are {len(signatures)} signatures, not one and no more")
    if signatures[0].keyid != key.keyid:
        raise Failed(
            SIGNATURE, f"it is signed by key {signatures[0].keyid[:12]}, not by {key.keyid[:12]}"
        )
    try:
        envelope.verify([key], 1)
    except (VerificationError, ValueError) as error:
        raise Failed(SIGNATURE, "the signature is not the key's over this statement") from error
    said: dict[str, Any] = json.loads(envelope.payload)
    if envelope.payload != canonical(said) or said.get("format") != FORMAT:
        raise Failed(SIGNATURE, f"the statement is not of format {FORMAT}")
    return said


def require_files(archive: Archive, statement: dict[str, Any]) -> tuple[int, int]:
    """That the packet holds exactly the files of the statement, byte for byte; files and bytes."""
    listed = {entry["name"]: entry for entry in statement["files"]}
    held = set(archive.members) - {STATEMENT}
    for name in sorted(set(listed) - held):
        raise Failed(FILES, f"{name} is missing")
    for name in sorted(held - set(listed)):
        raise Failed(FILES, f"{name} is in the packet and the statement does not list it")
    for name, entry in sorted(listed.items()):
        size = archive.members[name].size
        if size != entry["bytes"]:
            raise Failed(FILES, f"{name} has {size} bytes, the statement says {entry['bytes']}")
        if hashlib.sha256(archive.content(name)).hexdigest() != entry["sha256"]:
            raise Failed(FILES, f"{name} was changed: its sha256 is not the one of the statement")
    return len(listed), sum(entry["bytes"] for entry in listed.values())


def read_file(archive: Archive, statement: dict[str, Any], name: str) -> bytes:
    """A file's content, unpacked to the size that the statement gives and not one byte more."""
    content = archive.content(name)
    if not name.endswith(COMPRESSED):
        return content
    (entry,) = (found for found in statement["files"] if found["name"] == name)
    unpacker = zlib.decompressobj(_GZIP)
    try:
        text = unpacker.decompress(content, entry["unpacked_bytes"] + 1)
    except zlib.error as error:
        raise Failed(FILES, f"{name} does not unpack") from error
    if len(text) != entry["unpacked_bytes"] or not unpacker.eof or unpacker.unused_data:
        raise Failed(FILES, f"{name} does not unpack to {entry['unpacked_bytes']} bytes")
    return text
