"""Rows in order, streamed once: cut into Parquet files, and digested on the way.

Belongs here: what passes from DuckDB through Arrow to files and to sha256. Does not: which rows, their
order, which file a row goes into, what a digest means (``engine``).

Why not DuckDB's own means: docs/decisions/0013.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from attribution_pipeline.attribution.set_digests import LANES
from attribution_pipeline.model.row_hashes import HASH_BYTES

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_A_BATCH = 20_000
"""Rows that pass through Python at a time: some ten megabytes of text."""

ROWS_A_GROUP = 122_880
"""Rows of a Parquet row group, as DuckDB has them."""

SAMPLE = 1_000
"""Rows that tell a column of names from one of ids."""

MARK_BYTES = 16
"""Of a row's mark: as many of its sha256 as nobody finds two rows for."""


def mark_type() -> pa.DataType:
    """The Arrow type of marks."""
    import pyarrow as pa

    return pa.binary(MARK_BYTES)


def marks_of(hashes: bytes) -> pa.Array:
    """The marks of rows by their hashes, end to end."""
    import numpy as np
    import pyarrow as pa

    marks = np.frombuffer(hashes, np.uint8).reshape(-1, HASH_BYTES)[:, :MARK_BYTES]
    return pa.Array.from_buffers(mark_type(), len(marks), [None, pa.py_buffer(marks.tobytes())])


class Digest:
    """Lanes of the sha256 of rows, added up: see ``engine.Session.set_digest``."""

    def __init__(self) -> None:
        self.lanes = [0] * LANES

    def add(self, texts: pa.Array) -> bytes:
        """Rows by their canonical text, none of them null. Returns their hashes, end to end."""
        hashes = b"".join(_hashes(texts))
        self.add_hashes(hashes)
        return hashes

    def add_hashes(self, hashes: bytes) -> None:
        """Rows by their hashes, end to end."""
        import numpy as np

        found = np.frombuffer(hashes, ">u8").astype(np.uint64).reshape(-1, LANES)
        for lane, total in enumerate(found.sum(axis=0, dtype=np.uint64).tolist()):
            self.lanes[lane] += total


class SortedDigest:
    """sha256 over the sorted hashes of rows: see ``engine.Session.digest``."""

    def __init__(self) -> None:
        self.hashes = bytearray()  # end to end: a list of them takes two and a half times as much

    def add(self, texts: pa.Array) -> None:
        """Rows by their canonical text; one without is left out."""
        self.hashes += b"".join(_hashes(texts.drop_null()))

    def sorted(self) -> bytearray:
        """The hashes of all rows so far, end to end, in order."""
        _each(self.hashes).sort()
        return self.hashes


def changed_hashes(hashes: bytes, gone: bytes, come: bytes) -> bytes | None:
    """Hashes in order without those that are ``gone``, with those that have ``come``, in order too. None
    where some that are gone were never there."""
    import numpy as np

    there, less, more = _each(hashes), _each(gone), _each(come)
    places = np.searchsorted(there, less)
    if len(less) and (places[-1] >= len(there) or (there[places] != less).any()):
        return None
    left = np.delete(there, places)
    return bytes(np.insert(left, np.searchsorted(left, more), more).tobytes())


def _each(hashes: bytes | bytearray) -> Any:
    """Hashes that are end to end, as an array on their bytes. All are of one length, so that numpy, which
    fills up with zeros, orders them as bytes are."""
    import numpy as np

    return np.frombuffer(hashes, f"S{HASH_BYTES}")


def _hashes(texts: pa.Array) -> list[bytes]:
    """sha256 of texts, none of them null."""
    import numpy as np
    import pyarrow as pa

    texts = texts.cast(pa.large_binary())
    if not len(texts):
        return []
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int64)[texts.offset :][: len(texts) + 1].tolist()
    text, sha256 = memoryview(data), hashlib.sha256
    return [sha256(text[start:end]).digest() for start, end in pairwise(ends)]


def write_parts(
    rows: pa.RecordBatchReader, paths: Sequence[Path], part: str, text: str, marks: Path | None
) -> Digest:
    """A zstd Parquet file for each of ``paths``, of the rows whose column ``part`` is its number; rows
    come by part. Returns the digest of all of them by their column ``text``. Neither column is written.

    ``marks``: a file of the rows' marks, column ``mark``, in their order.
    """
    digest = Digest()
    shape = _without(rows.schema, part, text)

    def digested(mark: Callable[[bytes], None]) -> Iterator[tuple[int, pa.RecordBatch]]:
        for batch in rows:
            mark(digest.add(batch.column(text)))
            yield from by_part(batch.column(part), batch.select(shape.names))

    with _marking(marks) as mark:
        _write(digested(mark), paths, shape)
    return digest


@contextlib.contextmanager
def _marking(path: Path | None) -> Iterator[Callable[[bytes], None]]:
    """A file of marks, written as they come. They are digits of digests: nothing makes them smaller."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path is None:
        yield lambda hashes: None
        return
    shape = pa.schema([("mark", mark_type())])
    with pq.ParquetWriter(
        path, shape, compression="none", store_schema=False, use_dictionary=False,
        write_statistics=False,
    ) as writer:  # fmt: skip
        yield lambda hashes: writer.write_batch(pa.record_batch([marks_of(hashes)], schema=shape))


def _without(schema: pa.Schema, *names: str) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([field for field in schema if field.name not in names])


def _write(
    rows: Iterable[tuple[int, pa.RecordBatch]], paths: Sequence[Path], shape: pa.Schema
) -> None:
    """One thread compresses a row group while rows of the next one come."""
    # in this order: files are closed when nobody writes to them any more
    with _Files(paths, shape) as files, ThreadPoolExecutor(1) as beside:
        writing = None
        for number, group in _row_groups(rows):
            if writing is not None:
                writing.result()
            writing = beside.submit(files.write, number, group)
        if writing is not None:
            writing.result()


def by_part(parts: pa.Array, batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    """A batch, cut where the next part begins."""
    import numpy as np

    numbers = parts.to_numpy()
    cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    for start, end in pairwise(cuts):
        if end > start:
            yield int(numbers[start]), batch.slice(start, end - start)


def _row_groups(rows: Iterable[tuple[int, pa.RecordBatch]]) -> Iterator[tuple[int, pa.Table]]:
    """Batches put together: as many rows as a group has, and of each part what is left."""
    import pyarrow as pa

    for number, batches in groupby(rows, key=itemgetter(0)):
        waiting: list[pa.RecordBatch] = []
        count = 0
        for _, batch in batches:
            waiting.append(batch)
            count += batch.num_rows
            while count >= ROWS_A_GROUP:
                table = pa.Table.from_batches(waiting)
                yield number, table.slice(0, ROWS_A_GROUP)
                waiting = table.slice(ROWS_A_GROUP).to_batches()
                count -= ROWS_A_GROUP
        if count:
            yield number, pa.Table.from_batches(waiting)


class _Files:
    """Parquet files that are written one after the other."""

    def __init__(self, paths: Sequence[Path], shape: pa.Schema) -> None:
        self._paths, self._shape = paths, shape
        self._number = -1
        self._writer: Any = None

    def write(self, number: int, group: pa.Table) -> None:
        """A row group of the file ``number``. Files that are passed over have no row."""
        with self._named():
            while self._number < number:
                self._next(group)
            self._writer.write_table(group, row_group_size=ROWS_A_GROUP)

    def _next(self, rows: pa.Table) -> None:
        import pyarrow.parquet as pq

        self._close()
        self._number += 1
        self._writer = pq.ParquetWriter(
            self._paths[self._number],
            self._shape,
            compression="zstd",
            store_schema=False,
            use_dictionary=_repeating(rows),
        )

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        with self._named() if kind is None else contextlib.suppress(OSError):
            while kind is None and self._number < len(self._paths) - 1:
                self._next(self._shape.empty_table())
            self._close()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """An error of the system says which file it is about."""
        try:
            yield
        except OSError as error:
            code = error.errno or errno.EIO
            raise OSError(code, os.strerror(code), str(self._paths[self._number])) from error


def _repeating(rows: pa.Table) -> list[str]:
    """Columns whose values come again: a dictionary of the others is work for nothing."""
    import pyarrow.compute as pc

    sample = rows.slice(0, SAMPLE)
    return [
        name
        for name in sample.column_names
        if 2 * pc.count_distinct(sample.column(name)).as_py() <= sample.num_rows
    ]
