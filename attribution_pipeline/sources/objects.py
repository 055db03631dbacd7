"""Objects of a source: what lies in a folder, and the plain bytes of one of them.

Belongs here: listing in one order, what is not an object, fingerprints, digests, opening within
limits. Does not: decompression itself (``compression``), requests to a bucket
(``bucket_objects``), billing deliveries (``focus.deliveries``), any record format, what was landed before (``landing``).
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from attribution_pipeline.buckets import Bucket
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources import bucket_objects
from attribution_pipeline.sources.compression import (
    LIMITS,
    MAGIC_BYTES,
    Limits,
    compression_of,
    plain_stream,
)
from attribution_pipeline.sources.rejection import ObjectRefused

_HASH_CHUNK_BYTES = 1 << 20
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):/")

TEMPORARY_SUFFIXES = (
    ".tmp", ".temp", ".part", ".partial", ".crdownload", ".filepart", ".swp", "~",
)  # fmt: skip
"""Names under which copying tools write before they rename."""

MARKER_NAMES = ("_SUCCESS", "_FAILED")
"""Empty files by which Hadoop-like writers say that a folder is complete."""

MARKER_PREFIXES = ("_temporary", "_started_", "_committed_")


@dataclass(frozen=True)
class SourceObject:
    """One object as it was listed."""

    source: str
    """Name from the deployment file."""
    uri: str
    """Full, for messages and for opening."""
    path: str
    """Relative to the source's uri, ``/`` separated."""
    size: int
    """Raw bytes."""
    fingerprint: str
    """Cheap change detector: size and mtime in nanoseconds; in a bucket its ETag, too."""
    delivery: str = ""
    """Billing: the delivery this object is part of (manifest run, else its folder); else empty."""
    delivery_order: str = ""
    """Text that sorts after every older delivery; else the path."""
    bucket: Bucket | None = None
    """Where ``path`` begins, for an object in a bucket."""
    etag: str = ""
    """In a bucket: names the content that was listed."""
    sha256: str = ""
    """Of the raw bytes, as the receipt of its delivery says; empty where none says it."""


@dataclass(frozen=True)
class Listing:
    """What a source holds now, sorted by path, and what was passed over, counted by reason."""

    objects: list[SourceObject]
    skipped: dict[str, int]


class OpenedObject:
    """An open object: its identity at once, its plain bytes when they are asked for."""

    def __init__(self, obj: SourceObject, raw: BinaryIO, object_id: str, limits: Limits) -> None:
        self._obj = obj
        self._raw = raw
        self._limits = limits
        self.object_id = object_id
        """sha256 hex of the raw bytes."""

    @cached_property
    def data(self) -> bytes | BinaryIO:
        """Plain: bytes up to ``Limits.in_memory_bytes``, else a stream at its first byte.

        Raises ObjectRefused where the object cannot be decompressed within the limits.
        """
        if self._obj.size > self._limits.object_bytes:
            raise ObjectRefused(
                "object_too_large",
                f"has {self._obj.size} bytes; the limit object_bytes is "
                f"{self._limits.object_bytes}",
                where=self._obj.uri,
                remedy="deliver it in smaller objects",
            )
        return _plain(self._raw, self._obj, self._limits)

    def beginnings(self, sizes: Collection[int]) -> dict[int, str]:
        """Size -> sha256 hex of so many first raw bytes. To be asked before ``data``."""
        digest, done, found = hashlib.sha256(), 0, {}
        self._raw.seek(0)
        for size in sorted(size for size in sizes if size <= self._obj.size):
            while done < size and (part := self._raw.read(min(size - done, _HASH_CHUNK_BYTES))):
                digest.update(part)
                done += len(part)
            found[size] = digest.copy().hexdigest()
        self._raw.seek(0)
        return found


def folder_of(source: str, uri: str | Path | Bucket) -> Path:
    """The local folder or file behind ``uri``. Refuses what is none."""
    text = str(uri)
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() != "file":
        name = scheme[1].lower()
        raise Refusal(
            f"a folder is needed here, not {name}://",
            where=f"source {source}, uri {text}",
            remedy="name a folder",
        )
    return Path(text.removeprefix("file://")) if scheme else Path(text)


def list_objects(source: str, uri: str | Path | Bucket) -> Listing:
    """Every object under ``uri`` (a folder or a prefix of a bucket, or a single object), by path.

    Hidden and temporary names, completion markers, links that lead out of the folder and anything
    that is no regular file are passed over and counted. Raises Refusal when there is nothing at
    ``uri``, or when it may not be read.
    """
    if isinstance(uri, Bucket):
        return _in_bucket(source, uri)
    root = folder_of(source, uri)
    where = f"source {source}, uri {root}"
    found: list[SourceObject] = []
    skipped: Counter[str] = Counter()
    try:
        if root.is_file():
            found.append(_listed(source, str(root), root.name, root.stat()))
        else:
            top = root.resolve(strict=True)
            for entry, path in _walk(str(root), "", skipped):
                try:
                    if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(top):
                        skipped["link_out_of_folder"] += 1
                        continue
                    found.append(_listed(source, entry.path, path, entry.stat()))
                except FileNotFoundError:
                    skipped["gone_while_listing"] += 1
    except FileNotFoundError:
        raise Refusal(
            "there is no such folder or file", where=where, remedy="create it, or correct the uri"
        ) from None
    except OSError as error:
        raise Refusal(
            f"cannot be listed: {error.strerror}", where=where, remedy="grant read access"
        ) from error
    found.sort(key=lambda listed: listed.path)
    return Listing(found, dict(sorted(skipped.items())))


def _in_bucket(source: str, place: Bucket) -> Listing:
    listed, skipped, begin = bucket_objects.listed(source, place, _not_an_object)
    found = [
        SourceObject(
            source=source,
            uri=one.uri,
            path=one.path,
            size=one.size,
            fingerprint=one.fingerprint,
            delivery_order=one.path,
            bucket=begin,
            etag=one.etag,
        )
        for one in listed
    ]
    found.sort(key=lambda obj: obj.path)
    return Listing(found, dict(sorted(skipped.items())))


def _walk(
    folder: str, prefix: str, skipped: Counter[str]
) -> Iterator[tuple[os.DirEntry[str], str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            reason = _not_an_object(entry.name)
            if reason:
                skipped[reason] += 1
            elif entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, path + "/", skipped)
            elif entry.is_file():
                yield entry, path
            else:
                skipped["not_a_file"] += 1


def _not_an_object(name: str) -> str | None:
    if name.startswith("."):
        return "hidden"
    if name.lower().endswith(TEMPORARY_SUFFIXES):
        return "temporary"
    if name in MARKER_NAMES or name.startswith(MARKER_PREFIXES):
        return "marker"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "name_not_utf8"
    return None


def _listed(source: str, uri: str, path: str, status: os.stat_result) -> SourceObject:
    return SourceObject(
        source=source,
        uri=uri,
        path=path,
        size=status.st_size,
        fingerprint=_fingerprint(status),
        delivery_order=path,
    )


def _fingerprint(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


class StillChanging(Exception):
    """The object changed between its listing and the end of its reading."""


@contextmanager
def open_object(obj: SourceObject, limits: Limits = LIMITS) -> Iterator[OpenedObject]:
    """Open and hash one object; on leaving, require that it stood still meanwhile.

    Raw bytes are read once, into memory. Only an object beyond ``limits.in_memory_bytes`` is read
    twice through one descriptor, first for its digest, then for its records. Compression is known
    by magic, never by name; what is compressed inside the compression is refused.

    Raises StillChanging (come back later), OSError (cannot be reached now).
    """
    if obj.bucket is not None:
        with _opened_in(obj.bucket, obj, limits) as opened:
            yield opened
        return
    with open(obj.uri, "rb") as file:
        _require_unchanged(obj, file)
        raw, object_id = _hashed(file, obj.size, limits)
        try:
            with raw:
                yield OpenedObject(obj, raw, object_id, limits)
        except Exception:
            _require_unchanged(obj, file)  # half of a file that is being written is no evidence
            raise
        _require_unchanged(obj, file)


@contextmanager
def _opened_in(place: Bucket, obj: SourceObject, limits: Limits) -> Iterator[OpenedObject]:
    from attribution_pipeline.buckets.client import Replaced

    asked = (obj.path, obj.size, obj.etag, limits.in_memory_bytes, limits.object_bytes)
    with ExitStack() as held:
        try:
            raw, object_id = held.enter_context(bucket_objects.opened(place, *asked))
        except Replaced:
            raise StillChanging(obj.uri) from None
        yield OpenedObject(obj, raw, object_id, limits)


def _require_unchanged(obj: SourceObject, file: BinaryIO) -> None:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or _fingerprint(status) != obj.fingerprint:
        raise StillChanging(obj.uri)


def _hashed(file: BinaryIO, size: int, limits: Limits) -> tuple[BinaryIO, str]:
    """Raw bytes as a seekable stream at its first byte, and their sha256."""
    if size <= limits.in_memory_bytes:
        content = file.read()
        return io.BytesIO(content), hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    while chunk := file.read(_HASH_CHUNK_BYTES):
        digest.update(chunk)
    file.seek(0)
    # a descriptor of its own: readers may close what they were given
    return os.fdopen(os.dup(file.fileno()), "rb", _HASH_CHUNK_BYTES), digest.hexdigest()


def _plain(raw: BinaryIO, obj: SourceObject, limits: Limits) -> bytes | BinaryIO:
    compression = compression_of(raw.read(MAGIC_BYTES))
    raw.seek(0)
    if compression is None:
        return raw.getvalue() if isinstance(raw, io.BytesIO) else raw
    stream = plain_stream(raw, obj.size, compression, limits, obj.uri)
    if compression_of(stream.peek(MAGIC_BYTES)[:MAGIC_BYTES]):
        raise ObjectRefused(
            "nested_compression",
            "is compressed inside its compression",
            where=obj.uri,
            remedy="deliver it compressed once, or not at all",
        )
    content = stream.read(limits.in_memory_bytes + 1)
    if len(content) <= limits.in_memory_bytes:
        return content
    raw.seek(0)
    return plain_stream(raw, obj.size, compression, limits, obj.uri)
