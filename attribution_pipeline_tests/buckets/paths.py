"""A place in a bucket that tests treat as a folder: what stands there is read, changed and removed.

Belongs here: the few methods of ``pathlib.Path`` that tests of storage use, on objects. Does not:
anything of the product, which never removes an object.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from attribution_pipeline.buckets import Bucket
from attribution_pipeline.buckets.client import Client


class BucketPath(Bucket):
    """A ``Bucket`` that stands in for a ``Path``."""

    @property
    def name(self) -> str:
        return self.prefix.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return Path(self.name).stem

    @property
    def parent(self) -> BucketPath:
        return self._at(self.prefix.rpartition("/")[0])

    def __truediv__(self, name: str) -> BucketPath:
        return self._at(self.key(str(name)))

    def joinpath(self, name: str) -> BucketPath:
        return self._at(self.key(name))

    def read_bytes(self) -> bytes:
        return Client(self.parent).read(self.name)

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    def write_bytes(self, content: bytes) -> None:
        Client(self.parent).replace(self.name, bytes(content))

    def write_text(self, content: str, encoding: str = "utf-8") -> None:
        self.write_bytes(content.encode(encoding))

    def unlink(self, missing_ok: bool = False) -> None:
        if not missing_ok and not self.exists():
            raise FileNotFoundError(str(self))
        _client(self).delete_object(Bucket=self.bucket, Key=self.prefix)

    def rename(self, target: BucketPath) -> None:
        target.write_bytes(self.read_bytes())
        self.unlink()

    def is_file(self) -> bool:
        try:
            Client(self.parent).head(self.name)
        except FileNotFoundError:
            return False
        return True

    def exists(self) -> bool:
        return self.is_file() or next(self._keys(), None) is not None

    def mkdir(self, **_: Any) -> None:
        """Folders are not made."""

    def iterdir(self) -> Iterator[BucketPath]:
        first = {key[len(self.prefix) + 1 :].partition("/")[0] for key in self._keys()}
        yield from (self._at(self.key(name)) for name in sorted(first))

    def glob(self, pattern: str) -> Iterator[BucketPath]:
        """Objects as many parts below as the pattern has."""
        depth = pattern.count("/")
        for key in self._keys():
            below = key[len(self.prefix) + 1 :]
            if below.count("/") == depth and fnmatch(below, pattern):
                yield self._at(key)

    def rglob(self, pattern: str) -> Iterator[BucketPath]:
        """Objects below, by the pattern of their name."""
        yield from (
            self._at(key) for key in self._keys() if fnmatch(key.rpartition("/")[2], pattern)
        )

    def copy_to(self, target: BucketPath) -> BucketPath:
        """Every object below, copied."""
        for key in list(self._keys()):
            new = target.key(key[len(self.prefix) + 1 :])
            source = {"Bucket": self.bucket, "Key": key}
            _client(self).copy_object(Bucket=target.bucket, Key=new, CopySource=source)
        return target

    def empty(self) -> None:
        """Remove every object below."""
        for key in list(self._keys()):
            _client(self).delete_object(Bucket=self.bucket, Key=key)

    def relative_to(self, other: BucketPath) -> PurePosixPath:
        return PurePosixPath(self.prefix).relative_to(other.prefix)

    def __lt__(self, other: BucketPath) -> bool:
        return self.prefix < other.prefix

    def _keys(self) -> Iterator[str]:
        for one in Client(self).entries():
            assert not isinstance(one, str)
            yield one.key

    def _at(self, prefix: str) -> BucketPath:
        return type(self)(self.bucket, prefix, self.access, self.scratch)


Root = Path | BucketPath
"""Where a test's lake stands."""


def delta(table: Path | Bucket) -> DeltaTable:
    """A table as other engines open it."""
    if isinstance(table, Bucket):
        return DeltaTable(str(table), storage_options=Client(table).delta_options())
    return DeltaTable(str(table))


def content(place: Path | Bucket) -> pa.BufferReader:
    """An object as Arrow reads it."""
    assert isinstance(place, Path | BucketPath)
    return pa.BufferReader(place.read_bytes())


def standing(root: Path | Bucket, local: Path, parts: int = 3) -> Root:
    """The object that a local file is, or is the copy of: tables' files lie three parts deep."""
    found = root / "/".join(local.parts[-parts:])
    assert isinstance(found, Path | BucketPath)
    return found


def copied(folder: Path, to: Root) -> Root:
    """A folder's files as objects under another place, in the order in which they were written: a
    manifest after what it names."""
    for path in sorted(folder.rglob("*"), key=lambda one: one.stat().st_mtime_ns):
        if path.is_file() and not path.relative_to(folder).parts[0].startswith("."):
            copy = to / path.relative_to(folder).as_posix()
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return to


def _client(place: Bucket) -> Any:
    return Client(place).session.client
