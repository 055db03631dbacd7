"""Files that are named by what they hold, and reading them only while that is still true.

Belongs here: placing a finished file under its digest, verified opening. Does not: which file belongs
to which day (``manifest``), how storage keeps it (``store``).

Parquet does not notice flipped bits: of 10,000 random flips in a zstd file, 80 % read back as other
data without an error. So every file is named by its sha256 and hashed before it is parsed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.lake.receipts import pruned_on
from attribution_pipeline.lake.store import Store
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import pyarrow as pa

RECENT_S = 300.0
"""How long a digest that was just computed is believed: a day's run, not a service's life."""

TICK_NS = 100_000_000
"""More than the coarsest clock of a file system in use that keeps fractions of seconds."""

MOST_RECENT = 4096
"""Files whose digests a process keeps."""

_RECENT: dict[tuple[int, int], tuple[tuple[int, int], str, float]] = {}
"""(device, inode) -> (size, time of change), digest, when it was computed."""

_PRUNED_REMEDY = "read it from a copy that was made before"

_REMEDY = "restore it from a copy, or run the day again: attribution run --from D --to D"


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


def recent_sha256_of(path: Path) -> str:
    """``sha256_of``, or what it was a moment ago where nobody has written to the file since.

    A run asks for the same files in several of its steps. Bits that rot at rest change no time of the
    file: whoever looks for them asks ``sha256_of``.
    """
    seen = path.stat()
    key, stamp = (seen.st_dev, seen.st_ino), (seen.st_size, seen.st_mtime_ns)
    known = _RECENT.get(key)
    if known and known[0] == stamp and time.monotonic() - known[2] < RECENT_S:
        return known[1]
    began = time.time_ns()
    digest = sha256_of(path)
    # a write within the clock's tick of the last one would not show
    if began - seen.st_mtime_ns > TICK_NS:
        if len(_RECENT) >= MOST_RECENT:
            _RECENT.clear()
        _RECENT[key] = (stamp, digest, time.monotonic())
    return digest


def place(store: Store, staged: Path, folder: str) -> StoredFile:
    """Make a finished Parquet file ``folder/<sha256>.parquet``; it is durable when this returns.

    A file that is already there is replaced by these same bytes: that heals one that has rotted.
    """
    import pyarrow.parquet as pq

    digest = recent_sha256_of(staged)
    size = staged.stat().st_size
    rows = int(pq.read_metadata(staged).num_rows)
    name = f"{folder}/{digest}.parquet"
    store.place(staged, name)
    return StoredFile(name, digest, size, rows)


def hashed(
    store: Store, name: str, expected: str, digest: Callable[[Path], str] = sha256_of
) -> tuple[Path, str]:
    """A local file with an object's content, and its sha256. Raises FileNotFoundError.

    Where that is not the expected one, the object is read again, whole: a bucket's local copy may
    have rotted, and not what it is a copy of.
    """
    path = store.fetch(name)
    found = digest(path)
    if found != expected:
        path = store.fetch(name, "whole")
        found = sha256_of(path)
    return path, found


def verified(store: Store, stored: StoredFile, *, anew: bool = False) -> Path:
    """A local file with the recorded bytes; raises Refusal naming one that is missing or differs.

    ``anew``: every byte is read from storage again, whatever was seen of it a moment ago.
    """
    try:
        if anew:
            path = store.fetch(stored.path, "whole")
            found = sha256_of(path)
        else:
            path, found = hashed(store, stored.path, stored.sha256, recent_sha256_of)
    except FileNotFoundError:
        pruned = pruned_on(store, stored.path)
        raise Refusal(
            f"a recorded file was pruned on {pruned}" if pruned else "a recorded file is missing",
            where=store.where(stored.path),
            remedy=_PRUNED_REMEDY if pruned else _REMEDY,
        ) from None
    if found != stored.sha256:
        raise Refusal(
            f"a recorded file was changed: sha256 {found}, its manifest says {stored.sha256}",
            where=store.where(stored.path),
            remedy=_REMEDY,
        )
    return path


def damage(store: Store, stored: StoredFile, *, anew: bool = True) -> list[str]:
    """What is wrong with a recorded file, in words; empty when it is as recorded.

    ``anew``: hashed whatever was seen of it a moment ago.
    """
    digest = sha256_of if anew else recent_sha256_of
    try:
        _, found = hashed(store, stored.path, stored.sha256, digest)
    except FileNotFoundError:
        pruned = pruned_on(store, stored.path)
        return [f"{stored.path} " + (f"was pruned on {pruned}" if pruned else "is missing")]
    if found != stored.sha256:
        return [f"{stored.path} was changed: its sha256 is not the recorded one"]
    return []


def read_verified(store: Store, stored: StoredFile, columns: list[str] | None) -> pa.Table:
    """The rows of a recorded file; raises Refusal naming the file before a changed one is parsed."""
    import pyarrow.parquet as pq

    path = verified(store, stored)
    # page checksums are absent in DuckDB's files; the sha256 above stands in for them
    with pq.ParquetFile(path) as file:
        return file.read(columns=columns)
