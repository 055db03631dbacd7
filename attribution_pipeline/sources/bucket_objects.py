"""Objects of a source in a bucket: listing pages of keys, and the bytes of one object as it was listed.

Belongs here: which keys are objects, their fingerprints, reading one under the condition that it is
still the one that was listed. Does not: requests (``buckets``), what its bytes are
(``sources.objects``, from where this is used).
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from attribution_pipeline.buckets import Bucket
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.buckets.client import Entry

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Found:
    """One object as it was listed. ``path``: its key below the source's prefix."""

    path: str
    uri: str
    size: int
    fingerprint: str
    """Size, time of writing in nanoseconds, ETag: any of them changes with what lies there."""
    etag: str


def listed(
    source: str, place: Bucket, not_an_object: Callable[[str], str | None]
) -> tuple[list[Found], Counter[str], Bucket]:
    """Every object under the prefix, what was passed over by reason, and where paths begin: one
    object may be named, too.

    ``not_an_object`` says why a name is passed over; a key is, where one of its parts is. Raises
    Refusal where nothing lies there, or where it cannot be listed.
    """
    from attribution_pipeline.buckets.client import Client

    where = f"source {source}, uri {place}"
    found: list[Found] = []
    skipped: Counter[str] = Counter()
    try:
        for entry in Client(place).entries():
            assert not isinstance(entry, str)
            path = entry.key.removeprefix(f"{place.prefix}/") if place.prefix else entry.key
            reason = _passed_over(path, not_an_object)
            if reason:
                skipped[reason] += 1
            else:
                found.append(_found(place, path, entry))
        if not found and not skipped and place.prefix:
            folder, name = _parent(place)
            found.append(_found(folder, name, Client(folder).head(name)))
            place = folder
    except FileNotFoundError:
        raise Refusal(
            "there is no object under it", where=where, remedy="deliver one, or correct the uri"
        ) from None
    except OSError as error:
        raise Refusal(
            f"cannot be listed: {error.strerror}", where=where, remedy="grant s3:ListBucket"
            if isinstance(error, PermissionError) else "see that it is there and answers",
        ) from None  # fmt: skip
    return found, skipped, place


def is_empty(place: Bucket) -> bool:
    """Whether nothing lies under the prefix. Raises OSError where that cannot be asked."""
    from attribution_pipeline.buckets.client import Client

    return next(iter(Client(place).entries()), None) is None


@contextmanager
def opened(
    place: Bucket, path: str, size: int, etag: str, in_memory_bytes: int, object_bytes: int
) -> Iterator[tuple[BinaryIO, str]]:
    """An object's raw bytes as a seekable stream at its first byte, and their sha256.

    The whole object is read in one go under the condition that it is still the one with this ETag;
    what is larger than ``in_memory_bytes`` lies in a temporary file, and of what is larger than
    ``object_bytes`` nothing is kept. Raises ``buckets.client.Replaced``, or OSError.
    """
    from attribution_pipeline.buckets.client import Client

    with _sink(size, in_memory_bytes, place.scratch) as sink:
        digest = hashlib.sha256()

        def take(part: bytes | None) -> None:
            nonlocal digest
            if part is None:
                digest = hashlib.sha256()
                sink.seek(0)
                sink.truncate()
            else:
                digest.update(part)
                if size <= object_bytes:
                    sink.write(part)

        Client(place).stream(path, take, etag)
        sink.seek(0)
        yield sink, digest.hexdigest()


@contextmanager
def _sink(size: int, in_memory_bytes: int, scratch: str) -> Iterator[BinaryIO]:
    if size <= in_memory_bytes:
        yield io.BytesIO()
    else:
        if scratch:
            os.makedirs(scratch, exist_ok=True)
        with tempfile.TemporaryFile(dir=scratch or None) as file:
            yield file


def _passed_over(path: str, not_an_object: Callable[[str], str | None]) -> str | None:
    """Why a key is no object to read. Consoles write ``folder/`` for an empty folder."""
    if path.endswith("/") or not path:
        return "folder_marker"
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or not path.isprintable():
        return "odd_key"
    return next(filter(None, map(not_an_object, parts)), None)


def _found(place: Bucket, path: str, entry: Entry) -> Found:
    written = round(entry.modified.timestamp() * NANOSECONDS)
    etag = entry.etag.strip('"')
    return Found(path, f"{place}/{path}", entry.size, f"{entry.size}-{written}-{etag}", entry.etag)


def _parent(place: Bucket) -> tuple[Bucket, str]:
    folder, _, name = place.prefix.rpartition("/")
    return replace(place, prefix=folder), name
