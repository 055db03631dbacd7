"""A folder on a disk as the lake's storage.

Belongs here: how files give what ``Store`` promises, power cuts included. Does not: what objects mean
(everything else in ``lake``).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake import commits
from attribution_pipeline.lake.crash import crash_point
from attribution_pipeline.lake.store import LOG, Look, log_entry

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

STAGING_KEPT_S = 24 * 3600
"""Scratch folders of runs that died are removed after this. Longer than any run of one day."""


class FolderStore:
    """A folder on a disk. What a call has done outlives a power cut when the call returns."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def where(self, name: str) -> str:
        """The object's path."""
        return str(self.root / name)

    def read(self, name: str) -> bytes:
        """See ``Store``."""
        return (self.root / name).read_bytes()

    def expect(self, names: Sequence[str]) -> None:
        """See ``Store``. A disk is near."""

    def fetch(self, name: str, look: Look = "now") -> Path:
        """See ``Store``: the object's own file."""
        path = self.root / name
        if not path.is_file():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return path

    def exists(self, name: str) -> bool:
        """See ``Store``."""
        return (self.root / name).is_file()

    def names(self, folder: str) -> list[str]:
        """See ``Store``."""
        try:
            return sorted(os.listdir(self.root / folder))
        except FileNotFoundError:
            return []

    def create(self, name: str, content: bytes) -> None:
        """See ``Store``. ``os.link`` refuses to replace."""
        with self._whole(name, content) as (part, path):
            crash_point("create.written")
            os.link(part, path)
            crash_point("create.linked")

    def replace(self, name: str, content: bytes) -> None:
        """See ``Store``."""
        with self._whole(name, content) as (part, path):
            crash_point("replace.written")
            part.replace(path)
            crash_point("replace.renamed")

    def place(self, staged: Path, name: str) -> None:
        """See ``Store``: a rename, after the bytes are on disk."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _sync(staged)
        crash_point("place.synced")
        try:
            staged.replace(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy_across_devices(staged, path)
        crash_point("place.renamed")
        _sync(path.parent)
        _sync(path.parent.parent)

    @contextlib.contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """See ``Store``: on the folder's own device, so that a finished file can be renamed."""
        root = self.root / ".staging"
        root.mkdir(parents=True, exist_ok=True)
        _drop_abandoned(root)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """See ``Store``: among the processes of one machine; the kernel lets go of the dead."""
        import fcntl

        path = self.root / ".locks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def create_table(self, name: str, schema: pa.Schema, properties: Mapping[str, str]) -> None:
        """See ``Store``."""
        (self.root / name).mkdir(parents=True, exist_ok=True)
        commits.create(str(self.root / name), name, schema, properties)
        self._sync_log(log_entry(name, 0))

    def open_table(self, name: str, seen: DeltaTable | None = None) -> DeltaTable:
        """See ``Store``."""
        return commits.opened(str(self.root / name), seen)

    def commit(
        self,
        name: str,
        table: DeltaTable,
        actions: Sequence[Any],
        schema: pa.Schema,
        metadata: Mapping[str, str],
    ) -> None:
        """See ``Store``. delta-rs leaves the log to the page cache; here it reaches the disk."""
        version = table.version() + 1
        commits.commit(table, actions, schema, metadata)
        self._sync_log(log_entry(name, version))

    def checkpoint(self, name: str, table: DeltaTable) -> None:
        """See ``Store``."""
        table.create_checkpoint()
        self._sync_log(f"{name}/{LOG}/{table.version():020d}.checkpoint.parquet")
        self._sync_log(f"{name}/{LOG}/_last_checkpoint")

    def _sync_log(self, name: str) -> None:
        path = self.root / name
        _sync(path)
        _sync(path.parent)

    @contextlib.contextmanager
    def _whole(self, name: str, content: bytes) -> Iterator[tuple[Path, Path]]:
        """A part file with the content, on disk; and its place, made durable afterwards."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # not mkstemp: its files are the writer's alone, and others read what stands here
        part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            yield part, path
        finally:
            part.unlink(missing_ok=True)
        _sync(path.parent)


def _sync(path: Path) -> None:
    """Make a file's bytes, or a folder's entries, durable: a renamed file is lost with its folder's
    old page."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop_abandoned(root: Path) -> None:
    oldest = time.time() - STAGING_KEPT_S
    for folder in root.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another run removes the same one
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def _copy_across_devices(staged: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}")
    with staged.open("rb") as source, part.open("wb") as sink:
        shutil.copyfileobj(source, sink)
        sink.flush()
        os.fsync(sink.fileno())
    part.replace(target)
    staged.unlink()
