"""The engine, held at arm's length: one session a step, SQL from files, digests of tables.

Belongs here: what a session can do, and everything that knows DuckDB by name. Does not: any formula,
or the other engine (``spark``).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.parts import (
    ROWS_A_BATCH,
    Digest,
    SortedDigest,
    by_part,
    mark_type,
    marks_of,
    write_parts,
)
from attribution_pipeline.attribution.set_digests import lanes_text
from attribution_pipeline.model.row_hashes import HASH_BYTES

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SQL = Path(__file__).parent / "sql"

DIGEST_ROWS = 250_000
"""Rows of hashes that are held in Python at a time while a table is digested."""

COUNTED = 85
"""Hundredths of a limit that DuckDB is given. It keeps to what it counts; what it does not count (rows that
Arrow hands over, compression, memory that the allocator has not given back) stands beside it and grows with
the day, so that 30 million spans peaked at 1.3 times the limit when it was given all of it (measured)."""

MOST_OPEN = 4
"""DuckDB instances that a process keeps: one a limit, and a deployment has one."""

_ERRNO, _FILE = re.compile(r'"errno":"(\d+)"'), re.compile(r'file \\?"([^"\\]+)')
"""Where DuckDB's text of an input or output error has the system's number and the file."""

NULL = "chr(30)"
"""How canonical text writes null: a control character that no identifier may hold."""


@cache
def sql_text(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


class Session(ABC):
    """Tables of one step, and the passes run on them. SQL is DuckDB's, in the subset of CONTRIBUTING.

    Names are a session's own: nothing of it is seen by another one, and nothing outlives it.
    """

    def __init__(self) -> None:
        self.integer = "bigint"
        """The SQL type of amounts in quanta: wide enough for everything in this session."""

    def run(self, name: str, **names: str) -> None:
        """One pass: the SQL file ``sql/<name>.sql``, ``{placeholders}`` filled with ``names``."""
        self.execute(sql_text(name).format(**names) if names else sql_text(name))

    def one(self, query: str, parameters: Sequence[object] = ()) -> Any:
        """The single value of a query."""
        ((value,),) = self.rows(query, parameters)
        return value

    @abstractmethod
    def beside(self) -> contextlib.AbstractContextManager[Session]:
        """The same tables for another thread."""

    @abstractmethod
    def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        """Run one or more statements, to their end."""

    @abstractmethod
    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query: for small answers. Whole numbers of any width are ``int``."""

    @abstractmethod
    def table(self, query: str) -> pa.Table:
        """A query's answer as an Arrow table."""

    @abstractmethod
    def batches(self, query: str, rows: int) -> Iterator[pa.RecordBatch]:
        """A query's answer in its order, about so many ``rows`` at a time."""

    @abstractmethod
    def load(self, name: str, table: pa.Table) -> None:
        """An Arrow table as a table of this session."""

    @abstractmethod
    def view(
        self, name: str, files: Sequence[str], *, located: bool = False, by_name: bool = False
    ) -> None:
        """Parquet files of one schema as a view; ``located`` adds each row's ``filename`` and its
        ``file_row_number``. What a folder is called adds no column. ``by_name``: of several
        schemas, columns that a file lacks are null."""

    @abstractmethod
    def write(
        self, query: str, path: Path, *, rows_per_group: int = 122_880, level: int | None = None
    ) -> int:
        """The answer as one zstd Parquet file (of ``level``, if it matters), in the order of the query;
        returns its rows."""

    @abstractmethod
    def digest(self, table: str, columns: Sequence[str], where: str = "true") -> str:
        """sha256 over the sorted hashes of canonical rows: the same for any order of rows.

        A row is its columns as text, null apart from empty, joined by the unit separator.
        """

    @abstractmethod
    def set_digest(self, table: str, columns: Sequence[str], where: str = "true") -> str:
        """A digest of rows that can be added to: lanes of 64 bit of every row's sha256, summed.

        The same for any order of rows, and the sum of two disjoint parts is the whole's: see
        ``set_digests``. For comparing evidence with itself; what is published has ``digest``.
        """

    def write_parts(
        self, rows: str, paths: Sequence[Path], *, part: str, order: str, marks: Path | None = None
    ) -> str:
        """``rows``, a table or view, in as many files as ``paths``: ``part`` is SQL for the number of
        a row's file, and files are in the order ``order``. Returns the set digest of all columns.

        ``marks``: a file of the rows' marks, of whoever has them at hand; see ``DuckDB.mark``."""
        self.execute(f"create table parted as select * from {rows}")
        for number, path in enumerate(paths):
            self.write(f"select * from parted where {part} = {number} order by {order}", path)
        digest = self.set_digest("parted", self.columns("parted"))
        self.execute("drop table parted")
        return digest

    def hashes(self, rows: str, columns: Sequence[str], where: str = "true") -> bytes | None:
        """The hashes that ``digest`` is of, end to end, in order; None of whoever does not have them
        here."""
        return None

    def columns(self, rows: str) -> list[str]:
        """The columns of a table or view, in their order."""
        return [row[0] for row in self.rows(f"select column_name from (describe {rows})")]


class DuckDB(Session):
    """One DuckDB connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__()
        self.connection = connection

    @contextlib.contextmanager
    def beside(self) -> Iterator[DuckDB]:
        with self.connection.cursor() as other:
            other.execute(f"use {self.one('select current_database()')}")
            yield DuckDB(other)

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        self.connection.execute(statement, list(parameters) or None).fetchall()

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, list(parameters) or None).fetchall()

    def table(self, query: str) -> pa.Table:
        return self.connection.sql(query).to_arrow_table()

    def batches(self, query: str, rows: int) -> Iterator[pa.RecordBatch]:
        with self.connection.sql(query).to_arrow_reader(rows) as reader:
            yield from reader

    def load(self, name: str, table: pa.Table) -> None:
        # DuckDB finds it by the variable's name, at half of what it costs to register it (measured)
        incoming = table  # noqa: F841
        self.connection.execute(f"create table {name} as select * from incoming").fetchall()
        _give_back()

    def view(
        self, name: str, files: Sequence[str], *, located: bool = False, by_name: bool = False
    ) -> None:
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
        options = ", filename = true, file_row_number = true" if located else ""
        options += ", union_by_name = true" if by_name else ""
        self.execute(
            f"create view {name} as select * from "
            f"read_parquet([{listed}], hive_partitioning = false{options})"
        )

    def write(
        self, query: str, path: Path, *, rows_per_group: int = 122_880, level: int | None = None
    ) -> int:
        target = str(path).replace("'", "''")
        # version 2 has sorted integers as differences
        options = f"compression zstd, row_group_size {rows_per_group}, parquet_version v2"
        if level is not None:
            options += f", compression_level {level}"
        return int(self.one(f"copy ({query}) to '{target}' (format parquet, {options})"))

    def digest(self, table: str, columns: Sequence[str], where: str = "true") -> str:
        cursor = self.connection.execute(
            f"select sha256({_row_text(columns)}) as h from {table} where {where} order by h"
        )
        digest = hashlib.sha256()
        while rows := cursor.fetchmany(DIGEST_ROWS):
            digest.update("".join(row[0] for row in rows).encode())
        return digest.hexdigest()

    def set_digest(self, table: str, columns: Sequence[str], where: str = "true") -> str:
        digest = Digest()
        query = f"select {_row_text(columns)} as text from {table} where {where}"
        for batch in self.batches(query, ROWS_A_BATCH):
            digest.add(batch.column(0))
        return lanes_text(digest.lanes)

    def write_parts(
        self, rows: str, paths: Sequence[Path], *, part: str, order: str, marks: Path | None = None
    ) -> str:
        columns = self.columns(rows)
        # the text is made of rows in their order, so that it is not sorted with them
        query = (
            f"select *, {_row_text(columns)} as row_text from "
            f"(select *, {part} as row_part from {rows} order by row_part, {order})"
        )
        with self.connection.sql(query).to_arrow_reader(ROWS_A_BATCH) as reader:
            digest = write_parts(reader, paths, "row_part", "row_text", marks)
        _give_back()
        return lanes_text(digest.lanes)

    def mark(self, rows: str, key: str, name: str) -> None:
        """Table ``name``: ``key`` of a table's rows, and each one's ``mark``: half of ``row_hash``, the sha256 that
        the set digest of all columns sums. Equal marks are equal rows."""
        import pyarrow as pa

        query = f"select {key}, {_row_text(self.columns(rows))} as row_text from {rows}"
        shape = pa.schema(
            [(key, pa.string()), ("mark", mark_type()), ("row_hash", pa.binary(HASH_BYTES))]
        )
        marked = []
        for batch in self.batches(query, ROWS_A_BATCH):
            hashes = Digest().add(batch.column("row_text"))
            whole = pa.Array.from_buffers(
                pa.binary(HASH_BYTES), batch.num_rows, [None, pa.py_buffer(hashes)]
            )
            columns = [batch.column(key), marks_of(hashes), whole]
            marked.append(pa.record_batch(columns, schema=shape))
        self.load(name, pa.Table.from_batches(marked, schema=shape))

    def hashes(self, rows: str, columns: Sequence[str], where: str = "true") -> bytes | None:
        return self.hashes_of((rows,), columns, where)[0]

    def hashes_of(
        self, many: Sequence[str], columns: Sequence[str], where: str = "true"
    ) -> list[bytes]:
        """``hashes`` of each of several relations: of few rows, to plan their text takes the longest."""
        digests = [SortedDigest() for _ in many]
        named = ", ".join(columns)
        either = " union all ".join(
            f"select {number} as number, {named} from {rows} where {where}"
            for number, rows in enumerate(many)
        )
        query = f"select number, {_row_text(columns)} as text from ({either})"
        for batch in self.batches(query, ROWS_A_BATCH):
            for number, part in by_part(batch.column(0), batch):
                digests[number].add(part.column(1))
        return [bytes(digest.sorted()) for digest in digests]


def _give_back() -> None:
    """What Arrow keeps of memory that it needs no more, to the system: it stands beside the engine's limit,
    a third of a gigabyte after the envelopes of ten million spans (measured)."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _row_text(columns: Sequence[str]) -> str:
    """SQL: a row as text. ``concat`` costs two thirds of ``concat_ws``, and to plan characters three
    quarters of what it costs to plan calls of ``chr`` (measured)."""
    texts = (f"coalesce(cast({column} as varchar), '\x1e')" for column in columns)
    return "concat(" + ", '\x1f', ".join(texts) + ")"


@contextlib.contextmanager
def day_session(compute: Compute) -> Iterator[Session]:
    """A session of the engine that the deployment names: for planes and whole days."""
    if compute.spark is None:
        with session(compute) as db:
            yield db
        return
    from attribution_pipeline.attribution.spark.tables import spark_session

    with spark_session(compute) as other:
        yield other


@contextlib.contextmanager
def session(compute: Compute) -> Iterator[DuckDB]:
    """DuckDB, whatever the deployment's engine is: a fresh in-memory database within the limits of
    ``compute``.

    A process opens DuckDB once a limit and attaches a database of its own for each session: opening
    costs 20 ms of processor time, attaching 1 (measured), and a small day has seven sessions.
    """
    name = f"session_{next(_SESSIONS)}"
    with _opened(compute).cursor() as connection:
        connection.execute(f"attach ':memory:' as {name}; use {name}")
        try:
            yield DuckDB(connection)
        except _io_error() as error:
            raise _as_os_error(error) from error
        finally:
            connection.execute(f"use memory; detach {name}")


_SESSIONS = itertools.count()


def _io_error() -> type[Exception]:
    import duckdb

    return duckdb.IOException


def _as_os_error(error: Exception) -> OSError:
    """DuckDB's word for a disk that is full, or a file that cannot be read, is the system's. It gives the
    number where a thread of its own wrote, and the system's words alone where this one did."""
    text = " ".join(str(error).split())
    number = _ERRNO.search(text)
    file = _FILE.search(text)
    said = text.rpartition(": ")[2]
    code = int(number[1]) if number else _codes().get(said, errno.EIO)
    known = number or said in _codes()
    return OSError(code, os.strerror(code) if known else text, file[1] if file else None)


@cache
def _codes() -> dict[str, int]:
    return {os.strerror(code): code for code in errno.errorcode}


@lru_cache(maxsize=MOST_OPEN)
def _opened(compute: Compute) -> duckdb.DuckDBPyConnection:
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": compute.threads,
        "memory_limit": f"{compute.memory_bytes * COUNTED // 100}B",
        "preserve_insertion_order": True,
    }
    if compute.threads == 1 and duckdb.__version__ >= "2":  # the option is newer than 1.5
        # one thread waits for what another reads: it reads itself (4 % of a late run, measured)
        config["async_threads"] = 0
    if compute.temp_directory:
        config["temp_directory"] = compute.temp_directory
    return duckdb.connect(":memory:", config=config)
