"""Where pulled answers are kept: a source's folder or prefix, where landing never meets half an object.

Belongs here: names there, writing whole, what a pull keeps of what it replaces. Does not: reading
objects for landing (``sources.objects``), requests to a bucket (``buckets``).
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Protocol

from attribution_pipeline.buckets import Bucket
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.objects import folder_of

EARLIER = ".earlier"
"""Hidden from listings: what an answer that was asked for again has replaced, by its digest."""

NOTE = ".asked.json"
"""Hidden, too: when a folder's question was asked last, also where the answer said nothing new."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)


class Place(Protocol):
    """What one source's objects lie in. Raises OSError where it can't be reached."""

    def has(self, name: str) -> bool:
        """Whether an object stands under this name."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names directly in a folder, sorted, hidden ones left out; empty where there is none."""
        ...

    def read(self, name: str) -> bytes:
        """A small object's bytes."""
        ...

    def keep(self, file: Path, name: str) -> None:
        """Copy a finished file to ``name``; it appears there whole. What stood there is kept."""
        ...

    def note(self, folder: str, content: bytes) -> None:
        """Write a folder's ``NOTE``, new or over the older one."""
        ...

    def noted(self, folder: str) -> bytes:
        """A folder's ``NOTE``; empty where there is none."""
        ...


def place_of(source: str, uri: str | Path | Bucket) -> Place:
    """The place behind a source's uri. Raises Refusal where nothing can be pulled into it."""
    if isinstance(uri, Bucket):
        return BucketPlace(uri)
    root = folder_of(source, uri)
    if root.exists() and not root.is_dir():
        raise Refusal(
            "is a file, so nothing can be pulled into it", where=f"source {source}, uri {uri}",
            remedy="name a folder",
        )  # fmt: skip
    return FolderPlace(root)


class FolderPlace:
    """A folder of this machine; made where it is not there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def has(self, name: str) -> bool:
        return self._path(name).is_file()

    def names(self, folder: str) -> list[str]:
        try:
            found = os.listdir(self._path(folder))
        except FileNotFoundError:
            return []
        return sorted(name for name in found if not name.startswith("."))

    def read(self, name: str) -> bytes:
        return self._path(name).read_bytes()

    def keep(self, file: Path, name: str) -> None:
        target = self._path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        # in the same folder, for the rename; passed over by listings until then
        staged = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        try:
            with file.open("rb") as whole, staged.open("xb") as copy:
                shutil.copyfileobj(whole, copy, 1 << 20)
                copy.flush()
                os.fsync(copy.fileno())
            if target.exists():
                kept = self.root / earlier_name(name, target)
                kept.parent.mkdir(exist_ok=True)
                if not kept.exists():
                    os.link(target, kept)
            staged.replace(target)
        finally:
            staged.unlink(missing_ok=True)

    def note(self, folder: str, content: bytes) -> None:
        target = self._path(folder) / NOTE
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = target.with_name(f"{NOTE}.{secrets.token_hex(8)}.tmp")
        try:
            staged.write_bytes(content)
            staged.replace(target)
        finally:
            staged.unlink(missing_ok=True)

    def noted(self, folder: str) -> bytes:
        try:
            return (self._path(folder) / NOTE).read_bytes()
        except FileNotFoundError:
            return b""

    def _path(self, name: str) -> Path:
        return self.root.joinpath(*require_safe(name))


class BucketPlace:
    """A prefix of a bucket, whose objects appear whole by themselves."""

    def __init__(self, bucket: Bucket) -> None:
        from attribution_pipeline.buckets.client import Client

        self._client = Client(bucket)
        self._bucket = bucket

    def has(self, name: str) -> bool:
        require_safe(name)
        try:
            self._client.head(name)
        except FileNotFoundError:
            return False
        return True

    def names(self, folder: str) -> list[str]:
        require_safe(folder)
        prefix = self._bucket.key(folder) + "/"
        keys = (
            entry if isinstance(entry, str) else entry.key
            for entry in self._client.entries(folder, deep=False)
        )  # fmt: skip
        names = {key.removeprefix(prefix).rstrip("/") for key in keys}
        return sorted(name for name in names if name and not name.startswith("."))

    def read(self, name: str) -> bytes:
        require_safe(name)
        return self._client.read(name)

    def keep(self, file: Path, name: str) -> None:
        require_safe(name)
        if self.has(name):
            with tempfile.NamedTemporaryFile(prefix="earlier-") as older:

                def take(part: bytes | None) -> None:
                    if part is None:
                        older.seek(0)
                        older.truncate()
                    else:
                        older.write(part)

                self._client.stream(name, take)
                older.flush()
                copy = Path(older.name)
                self._client.upload(copy, earlier_name(name, copy))
        self._client.upload(file, name)

    def note(self, folder: str, content: bytes) -> None:
        require_safe(folder)
        self._client.replace(f"{folder}/{NOTE}", content)

    def noted(self, folder: str) -> bytes:
        require_safe(folder)
        try:
            return self._client.read(f"{folder}/{NOTE}")
        except FileNotFoundError:
            return b""


def require_safe(name: str) -> tuple[str, ...]:
    """Parts of a name. Only names that pulls make: nothing that an API says can lead out of the place.

    Raises Refusal for any other.
    """
    parts = PurePosixPath(name).parts
    if not parts or "/".join(parts) != name or not all(_NAME.fullmatch(part) for part in parts):
        raise Refusal(f"{name!r} is no name for a pulled object")
    return parts


def earlier_name(name: str, older: Path) -> str:
    """Where the content that ``name`` had is kept."""
    folder, _, last = name.rpartition("/")
    with older.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return "/".join(part for part in (folder, EARLIER, f"{digest[:16]}-{last}") if part)
