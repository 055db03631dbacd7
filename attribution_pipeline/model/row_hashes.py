"""What a content digest is of: the sha256 of every row, in order.

Belongs here: the digest of such hashes, which whoever makes them and whoever keeps them must agree on. Does
not: a row's text and its hash (``attribution``), where hashes are kept (``lake.content``).
"""

from __future__ import annotations

import hashlib

HASH_BYTES = 32
"""Of a sha256."""

AT_A_TIME = 20_000 * HASH_BYTES
"""Bytes that are written out as digits at once."""


def digest_of_hashes(hashes: bytes | bytearray) -> str:
    """The digest of rows by their hashes, in order and end to end."""
    digest = hashlib.sha256()
    with memoryview(hashes) as view:
        for start in range(0, len(view), AT_A_TIME):
            digest.update(view[start : start + AT_A_TIME].hex().encode())
    return digest.hexdigest()
