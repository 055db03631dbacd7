"""Files that are named by what they hold, and reading them only while that is still true.

Belongs here: placing a finished file durably under its digest, verified opening. Does not: which
file belongs to which day (``manifest``).

Parquet does not notice flipped bits: of 10,000 random flips in a zstd file, 80 % read back as other
data without an error. So every file is named by its sha256 and hashed before it is parsed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import pyarrow as pa

STAGING_KEPT_S = 24 * 3600
"""Scratch folders of runs that died are removed after this. Longer than any run of one day."""


@dataclass(frozen=True)
class StoredFile:
    """A file at rest: ``path`` relative to the storage folder, '/' separated."""

    path: str
    sha256: str
    bytes: int
    rows: int

    def as_dict(self) -> dict[str, str | int]:
        """As it stands in a manifest."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "rows": self.rows,
        }


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes, without holding them."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def place(staged: Path, storage: Path, folder: str) -> StoredFile:
    """Move a finished Parquet file to ``storage/folder/<sha256>.parquet``; on disk when it returns.

    A file that is already there is replaced by these same bytes: that heals one that has rotted.
    """
    import pyarrow.parquet as pq

    with staged.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    size = staged.stat().st_size
    rows = int(pq.read_metadata(staged).num_rows)
    target = storage / folder / f"{digest}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        staged.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_across_devices(staged, target)
    sync_folder(target.parent)
    sync_folder(target.parent.parent)
    return StoredFile(f"{folder}/{target.name}", digest, size, rows)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable: a renamed file is lost with its folder's old page."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def verified(storage: Path, stored: StoredFile) -> Path:
    """The file's path, after its bytes were found to be the recorded ones."""
    path = storage / stored.path
    if not path.is_file():
        raise Refusal(
            "a recorded file is missing",
            where=str(path),
            remedy="restore it from a copy, or run the day again: attribution run --from D --to D",
        )
    found = sha256_of(path)
    if found != stored.sha256:
        raise Refusal(
            f"a recorded file was changed: sha256 {found}, its manifest says {stored.sha256}",
            where=str(path),
            remedy="restore it from a copy, or run the day again: attribution run --from D --to D",
        )
    return path


def damage(storage: Path, stored: StoredFile) -> list[str]:
    """What is wrong with a recorded file, in words; empty when it is as recorded."""
    path = storage / stored.path
    if not path.is_file():
        return [f"{stored.path} is missing"]
    if sha256_of(path) != stored.sha256:
        return [f"{stored.path} was changed: its sha256 is not the recorded one"]
    return []


def read_verified(storage: Path, stored: StoredFile, columns: list[str] | None) -> pa.Table:
    """The rows of a recorded file; raises Refusal naming the file before a changed one is parsed."""
    import pyarrow.parquet as pq

    path = verified(storage, stored)
    # page checksums are absent in DuckDB's files; the sha256 above stands in for them
    with pq.ParquetFile(path) as file:
        return file.read(columns=columns)


@contextlib.contextmanager
def scratch(storage: Path, name: str) -> Iterator[Path]:
    """A folder on the storage's own device, so that a finished file can be renamed into place."""
    root = storage / ".staging"
    root.mkdir(parents=True, exist_ok=True)
    _drop_abandoned(root)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
