"""Making keys, and writing them where only their owner reads them.

Belongs here: new keys, their text, adding one to a key file. Does not: reading (``keyfile``).
"""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attribution_pipeline.envelope.errors import EnvelopeError, KeyFileError
from attribution_pipeline.envelope.keyfile import FIELDS, TIME_FIELDS, read_key_file
from attribution_pipeline.envelope.keys import ED25519_KEY_BYTES, MIN_SECRET_BYTES, Algorithm, Key

OWNER_ONLY = 0o600


def new_key(
    key_id: str,
    algorithm: Algorithm,
    *,
    tenants: Iterable[str] = ("*",),
    not_before: int | None = None,
    not_after: int | None = None,
) -> Key:
    """A key of fresh random bytes from the operating system. Raises EnvelopeError."""
    length = MIN_SECRET_BYTES if algorithm == "hmac-sha256" else ED25519_KEY_BYTES
    part = "secret" if algorithm == "hmac-sha256" else "private"
    given: dict[str, Any] = {part: secrets.token_bytes(length)}
    return Key(
        key_id=key_id, algorithm=algorithm, tenants=tuple(tenants), not_before=not_before,
        not_after=not_after, **given,
    )  # fmt: skip


def add_to_file(path: Path, key: Key) -> None:
    """Add ``key`` to a key file, or write a new one; mode 0600, whole or not at all.

    What stands in the file stays, comments too. Raises KeyFileError where the file cannot be read
    or written, or knows the key id already.
    """
    known = [one.key_id for one in read_key_file(path)] if path.exists() else []
    before = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    if key.key_id in known:
        raise KeyFileError(
            f"knows a key {key.key_id} already", where=str(path), remedy="choose another id"
        )
    text = _json_text(before, key) if path.suffix == ".json" else _yaml_text(before, key)
    real = path.resolve()  # a link stays one
    beside = real.with_name(f"{real.name}.{secrets.token_hex(4)}.tmp{path.suffix}")
    problem = ""
    try:
        with os.fdopen(
            os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w"
        ) as to:
            to.write(text)
            to.flush()
            os.fsync(to.fileno())
        if [one.key_id for one in read_key_file(beside)] != [*known, key.key_id]:
            problem = "its entries do not end the file, so none can be added"
        else:
            os.replace(beside, real)
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
    except KeyFileError:
        problem = "its entries are not written as a plain list, so none can be added"
    finally:
        beside.unlink(missing_ok=True)
    if problem:
        raise KeyFileError(problem, where=str(path), remedy="name another file")


def _fields(key: Key) -> dict[str, Any]:
    """The entry of a key as a key file has it, secret included."""
    found: dict[str, Any] = {}
    for name in FIELDS:
        value = getattr(key, name)
        if name == "public" and key.private is not None:
            continue  # it follows from the private part
        if name in ("secret", "private") and value is not None:
            value = value.reveal()
        if isinstance(value, bytes):
            value = b64encode(value).decode("ascii")
        elif name in TIME_FIELDS and value is not None:
            value = datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        elif name == "tenants":
            value = list(value)
        if value is not None:
            found[name] = value
    return found


def _yaml_text(before: str, key: Key) -> str:
    lines = [f"{name}: {json.dumps(value)}" for name, value in _fields(key).items()]
    entry = "  - " + "\n    ".join(lines) + "\n"
    if before:
        return before.rstrip() + "\n" + entry
    return "# keys of identity envelopes: who reads this file can issue for these tenants\n" + (
        "keys:\n" + entry
    )


def _json_text(before: str, key: Key) -> str:
    listed = json.loads(before)["keys"] if before else []
    if not isinstance(listed, list):
        raise EnvelopeError("holds no list `keys`")
    return json.dumps({"keys": [*listed, _fields(key)]}, indent=2) + "\n"
