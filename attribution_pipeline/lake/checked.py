"""Small JSON objects that carry their own digest, so that a flipped bit never passes for content.

Belongs here: the one layout that seals, index files and hints share. Does not: what they say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from attribution_pipeline.lake.manifest import canonical

_HEAD, _MIDDLE, _TAIL = b'{"said":', b',"sha256":"', b'"}\n'
_DIGEST_DIGITS = 64


def with_digest(said: Mapping[str, Any]) -> bytes:
    """The object's bytes: one layout, so that equal content is equal bytes."""
    text = canonical(said).encode()
    return _HEAD + text + _MIDDLE + hashlib.sha256(text).hexdigest().encode() + _TAIL


def own_digest(content: bytes) -> str:
    """The digest that such an object carries."""
    return content[-_DIGEST_DIGITS - len(_TAIL) : -len(_TAIL)].decode()


def said_by(content: bytes) -> dict[str, Any]:
    """What such an object says. Raises ValueError where one bit of it is another."""
    end = len(content) - len(_MIDDLE) - _DIGEST_DIGITS - len(_TAIL)
    text = content[len(_HEAD) : end]
    digest = hashlib.sha256(text).hexdigest().encode()
    if content != _HEAD + text + _MIDDLE + digest + _TAIL:
        raise ValueError("is not what its digest is of")
    said = json.loads(text)
    if not isinstance(said, dict):
        raise ValueError("is no object")
    return said
