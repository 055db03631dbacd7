"""The one seam to storage: whole objects that appear at once, and Delta's commits.

Belongs here: what the lake needs of storage, and how a folder gives it. Does not: what objects mean
(everything else in ``lake``).

Names are relative and ``/`` separated. Nothing is renamed, appended to or deleted once it stands, so
an object store can give the same: an object is there whole or not at all, and of two writers that
create one name, one learns that it came second. A call that fails may have been carried out; whoever
calls looks again (``create_once``), or does the same once more.
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
from typing import TYPE_CHECKING, Any, Protocol

from attribution_pipeline.lake.crash import crash_point

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

STAGING_KEPT_S = 24 * 3600
"""Scratch folders of runs that died are removed after this. Longer than any run of one day."""

LOG = "_delta_log"


class Store(Protocol):
    """Storage as the lake needs it. Whatever goes wrong is an ``OSError`` (Delta: ``DeltaError``)."""

    def where(self, name: str) -> str:
        """What messages call an object."""
        ...

    # -- objects -----------------------------------------------------------------------------

    def read(self, name: str) -> bytes:
        """A small object's content. Raises FileNotFoundError."""
        ...

    def fetch(self, name: str) -> Path:
        """A local file with an object's content, not verified. Raises FileNotFoundError."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names directly in a folder, without it, sorted. Empty where there is none."""
        ...

    def create(self, name: str, content: bytes) -> None:
        """A small object that stands for ever. Raises FileExistsError, also to who came second."""
        ...

    def replace(self, name: str, content: bytes) -> None:
        """A small object, new or over an older one."""
        ...

    def place(self, staged: Path, name: str) -> None:
        """Make a finished local file the object; the file is gone afterwards. The same bytes may be
        placed again: that heals an object that has rotted."""
        ...

    # -- working -----------------------------------------------------------------------------

    def scratch(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """A local folder from which ``place`` is cheap; removed at the end."""
        ...

    def exclusive(self, name: str) -> contextlib.AbstractContextManager[None]:
        """One holder at a time; it is let go of when the holder dies."""
        ...

    # -- Delta -------------------------------------------------------------------------------

    def create_table(self, name: str, schema: pa.Schema, properties: Mapping[str, str]) -> None:
        """A Delta table partitioned by ``charge_date``. Raises DeltaError where there is one."""
        ...

    def open_table(self, name: str, seen: DeltaTable | None = None) -> DeltaTable:
        """The table at its newest version; ``seen`` is a handle to bring forward."""
        ...

    def commit(
        self,
        name: str,
        table: DeltaTable,
        actions: Sequence[Any],
        schema: pa.Schema,
        metadata: Mapping[str, str],
    ) -> None:
        """One commit, the version after the one at which ``table`` stands, or none at all. Raises
        CommitFailedError where somebody else has that version."""
        ...

    def checkpoint(self, name: str, table: DeltaTable) -> None:
        """Sum up the log at the version at which ``table`` stands, for who reads it from there."""
        ...


def log_entry(table: str, version: int) -> str:
    """The name of a commit in a Delta table's log."""
    return f"{table}/{LOG}/{version:020d}.json"


def create_once(store: Store, name: str, content: bytes) -> None:
    """Create an object whose content is settled; that it stands already is no error.

    So is an answer that got lost. Raises OSError where something else stands, or nothing.
    """
    try:
        store.create(name, content)
    except OSError as error:
        try:
            found = store.read(name)
        except FileNotFoundError:
            raise error from None
        if found != content:
            raise


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

    def fetch(self, name: str) -> Path:
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
        from deltalake import CommitProperties, DeltaTable, Schema

        (self.root / name).mkdir(parents=True, exist_ok=True)
        DeltaTable.create(
            str(self.root / name),
            schema=Schema.from_arrow(schema),
            mode="error",
            partition_by=["charge_date"],
            name=name,
            configuration=dict(properties),
            # with retries, who comes second creates the table once more, as version 1 (measured)
            commit_properties=CommitProperties(max_commit_retries=0),
        )
        self._sync_log(log_entry(name, 0))

    def open_table(self, name: str, seen: DeltaTable | None = None) -> DeltaTable:
        """See ``Store``."""
        from deltalake import DeltaTable

        if seen is None:
            return DeltaTable(str(self.root / name))
        seen.update_incremental()
        return seen

    def commit(
        self,
        name: str,
        table: DeltaTable,
        actions: Sequence[Any],
        schema: pa.Schema,
        metadata: Mapping[str, str],
    ) -> None:
        """See ``Store``. delta-rs leaves the log to the page cache; here it reaches the disk."""
        from deltalake import CommitProperties
        from deltalake.transaction import PostCommitHookProperties

        version = table.version() + 1
        table.create_write_transaction(
            list(actions),
            "append",
            schema,
            ["charge_date"],
            commit_properties=CommitProperties(
                custom_metadata=dict(metadata), max_commit_retries=0
            ),
            post_commithook_properties=PostCommitHookProperties(
                create_checkpoint=False, cleanup_expired_logs=False
            ),
        )
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
