"""A bucket as the lake's storage, with copies of what was read on this machine.

Belongs here: how object storage gives what ``Store`` promises. Does not: requests (``buckets``),
what objects mean (everything else in ``lake``).

Two writers meet in one request: ``If-None-Match: *`` lets one of them create an object, and delta-rs
commits by the same header. Locks keep the processes of one machine from working in vain; between
machines there is none, and nothing depends on one.

What is read lies under ``copies/<ETag>/<name>`` in a local folder, so that DuckDB and Arrow open files.
A copy is used while storage says that the object is still the one with that ETag. Readers hash what
they get all the same (``files``).

Whoever passes through a whole lake once, and copies or hashes it, keeps a few copies only, in a folder
of its own (``passing``): other processes may have just been handed a shared one, and a lake has no room
on most machines.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.buckets import Bucket
from attribution_pipeline.lake import commits
from attribution_pipeline.lake.crash import crash_point
from attribution_pipeline.lake.folder_store import FolderStore
from attribution_pipeline.lake.store import Look
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from attribution_pipeline.buckets.client import Client

RECENT_S = 60.0
"""How long an object is believed to stand that was just asked for, where the reader allows it."""

SENDERS, WORTHWHILE = 16, 8
"""Requests under way at once for objects that are read next; fewer objects are not worth threads."""

COPIES_KEPT_S = 24 * 3600
"""Copies that nobody asked for in so long are removed. Longer than any run of one day."""

PASSING = "passing"
"""Folder of local copies that one process keeps for itself, beside those that all share."""

PASSING_COPIES = 64
"""Copies that a passing process keeps: more than it has open at once."""

PARTS_KEPT_S = 3600
"""A download that has not grown in so long, of a process that is no more, is removed."""

_FOLDER = "attribution"

_ANSWERS = ("S3 error", "Error performing", "<?xml")
"""Marks of an error that is storage's, in delta-rs's account of it."""


class BucketStore:
    """A prefix of a bucket. What a call has done is durable when it returns, as S3 promises.

    ``passing``: local copies are its own, the last ``PASSING_COPIES`` are kept, none after ``close``.
    """

    def __init__(self, bucket: Bucket, *, passing: bool = False) -> None:
        self.bucket = bucket
        self._passing = f"{os.getpid()}-{secrets.token_hex(4)}" if passing else ""
        self._last: dict[Path, None] = {}
        self._seen: dict[str, tuple[str, float]] = {}
        self._coming: dict[str, Future[bytes]] = {}
        self._opened_with: dict[str, str] = {}

    def where(self, name: str) -> str:
        """The object's address."""
        return str(self.bucket / name) if name else str(self.bucket)

    def close(self) -> None:
        """Remove what is on this machine, where it is nobody else's."""
        if self._passing:
            shutil.rmtree(self._local.root, ignore_errors=True)

    # -- objects -----------------------------------------------------------------------------

    def read(self, name: str) -> bytes:
        """See ``Store``."""
        coming = self._coming.pop(name, None)
        if coming is not None:
            with contextlib.suppress(OSError, CancelledError):  # asked again, then
                return coming.result()
        return self._client.read(name)

    def expect(self, names: Sequence[str]) -> None:
        """See ``Store``. A log of a year is thousands of objects: one after the other they would take
        a minute where an answer takes 20 ms."""
        older, self._coming = self._coming, {}
        for coming in older.values():
            coming.cancel()
        if len(names) >= WORTHWHILE:
            senders = ThreadPoolExecutor(SENDERS, "log")
            self._coming = {name: senders.submit(self._client.read, name) for name in names}
            senders.shutdown(wait=False)

    def fetch(self, name: str, look: Look = "now") -> Path:
        """See ``Store``: a copy on this machine."""
        etag, when = self._seen.get(name, ("", -RECENT_S))
        if look != "recent" or time.monotonic() - when >= RECENT_S:
            etag = self._client.head(name).etag
            self._seen[name] = (etag, time.monotonic())
        copy = self._copy_of(name, etag)
        if look == "whole" or not _is_used(copy):
            copy = self._downloaded(name)
        return copy

    def exists(self, name: str) -> bool:
        """See ``Store``."""
        try:
            self._client.head(name)
        except FileNotFoundError:
            return False
        return True

    def names(self, folder: str) -> list[str]:
        """See ``Store``."""
        start = len(self.bucket.key(folder)) + 1 if self.bucket.key(folder) else 0
        found = self._client.entries(folder, deep=False)
        keys = (one if isinstance(one, str) else one.key for one in found)
        return sorted({name for key in keys if (name := key[start:].strip("/"))})

    def create(self, name: str, content: bytes) -> None:
        """See ``Store``. The request says that nothing may stand there."""
        crash_point("create.written")
        self._client.create(name, content)
        crash_point("create.linked")

    def replace(self, name: str, content: bytes) -> None:
        """See ``Store``."""
        crash_point("replace.written")
        self._client.replace(name, content)
        crash_point("replace.renamed")

    def place(self, staged: Path, name: str) -> None:
        """See ``Store``: an upload. The file stays here as the copy of what now stands there."""
        crash_point("place.synced")
        etag = self._client.upload(staged, name)
        crash_point("place.renamed")
        self._keep(staged, name, etag)

    # -- working -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """See ``Store``: on this machine's disk."""
        self._drop_old_copies()
        with self._local.scratch(name) as folder:
            yield folder

    @contextlib.contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """See ``Store``: among the processes of one machine."""
        with self._local.exclusive(name):
            yield

    # -- Delta -------------------------------------------------------------------------------

    def create_table(self, name: str, schema: pa.Schema, properties: Mapping[str, str]) -> None:
        """See ``Store``."""
        with self._told(name):
            commits.create(self.where(name), name, schema, properties, self._client.delta_options())

    def open_table(self, name: str, seen: DeltaTable | None = None) -> DeltaTable:
        """See ``Store``. A handle knows the credentials that it was opened with, and no others."""
        options = self._client.delta_options()
        mark = hashlib.sha256(repr(sorted(options.items())).encode()).hexdigest()
        if mark != self._opened_with.get(name):
            seen, self._opened_with[name] = None, mark
        with self._told(name):
            return commits.opened(self.where(name), seen, options)

    def commit(
        self,
        name: str,
        table: DeltaTable,
        actions: Sequence[Any],
        schema: pa.Schema,
        metadata: Mapping[str, str],
    ) -> None:
        """See ``Store``."""
        with self._told(name):
            commits.commit(table, actions, schema, metadata)

    def checkpoint(self, name: str, table: DeltaTable) -> None:
        """See ``Store``."""
        with self._told(name):
            table.create_checkpoint()

    # -- inside ------------------------------------------------------------------------------

    @cached_property
    def _client(self) -> Client:
        from attribution_pipeline.buckets.client import Client

        return Client(self.bucket)

    @cached_property
    def _local(self) -> FolderStore:
        """This machine's folder for the place: scratch, locks, copies."""
        return FolderStore(
            self._shared / PASSING / self._passing if self._passing else self._shared
        )

    @cached_property
    def _shared(self) -> Path:
        """The folder of all processes of this machine for the place."""
        root = Path(self.bucket.scratch) if self.bucket.scratch else _own_folder()
        named = f"{self.bucket.access.endpoint} {self.bucket}"
        return root / hashlib.sha256(named.encode()).hexdigest()[:16]

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """delta-rs's errors in one line, which repeats nothing of what a server says."""
        from deltalake.exceptions import DeltaError

        from attribution_pipeline.buckets.errors import failed_commit

        try:
            yield
        except (OSError, DeltaError) as error:
            if isinstance(error, DeltaError) and not any(mark in str(error) for mark in _ANSWERS):
                raise  # of the log itself, not of reaching it
            raise failed_commit(error, self.where(name)) from None

    def _copy_of(self, name: str, etag: str) -> Path:
        """Where a copy lies. Its last folders are those of its name: readers look at them."""
        mark = hashlib.sha256(etag.encode()).hexdigest()[:16]
        return self._local.root / "copies" / mark / name

    def _downloaded(self, name: str) -> Path:
        parts = self._local.root / "parts"
        parts.mkdir(parents=True, exist_ok=True)
        part = parts / f"{os.getpid()}-{secrets.token_hex(4)}"
        try:
            with part.open("xb") as file:

                def take(content: bytes | None) -> None:
                    if content is None:
                        file.seek(0)
                        file.truncate()
                    else:
                        file.write(content)

                found = self._client.stream(name, take)
            return self._keep(part, name, found.etag)
        finally:
            part.unlink(missing_ok=True)

    def _keep(self, file: Path, name: str, etag: str) -> Path:
        """Make a local file the copy of an object: there whole, or not at all."""
        copy = self._copy_of(name, etag)
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            file.replace(copy)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            part = copy.with_name(f".{copy.name}.{os.getpid()}")
            shutil.copyfile(file, part)
            part.replace(copy)
            file.unlink()
        if self._passing:
            self._last.pop(copy, None)
            self._last[copy] = None
            if len(self._last) > PASSING_COPIES:
                oldest = next(iter(self._last))
                del self._last[oldest]
                oldest.unlink(missing_ok=True)
        return copy

    def _drop_old_copies(self) -> None:
        """Copies that nobody asked for in a day, of processes that passed through, too; and what
        those that were killed had half downloaded."""
        oldest = time.time() - COPIES_KEPT_S
        for kept in ("copies", PASSING):
            for folder, _, names in os.walk(self._shared / kept):
                for name in names:
                    path = Path(folder) / name
                    with contextlib.suppress(FileNotFoundError):
                        found = path.stat()
                        if max(found.st_atime, found.st_mtime) < oldest:
                            path.unlink()
        oldest = time.time() - PARTS_KEPT_S
        for part in (self._shared / "parts").glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if part.stat().st_mtime < oldest and not _is_alive(part.name.partition("-")[0]):
                    part.unlink()


def _is_used(copy: Path) -> bool:
    """Whether there is such a copy; it is kept for longer then. Its time of change stays: digests
    are remembered by it."""
    try:
        os.utime(copy, ns=(time.time_ns(), copy.stat().st_mtime_ns))
    except FileNotFoundError:
        return False
    return True


def _is_alive(process: str) -> bool:
    """Whether there is such a process; of a name that is no number, that there may be."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, PermissionError):
        return True
    return True


def _own_folder() -> Path:
    """A folder of this user alone under the system's temporary one. Refuses somebody else's."""
    folder = Path(tempfile.gettempdir()) / f"{_FOLDER}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
        raise Refusal(
            "the folder for local copies belongs to somebody else",
            where=str(folder),
            remedy="name another as `scratch` in the deployment file",
        )
    return folder
