"""A table of rows in the form that was asked for: on a terminal, as CSV, JSON or Parquet.

Belongs here: the formats, and that a file appears whole or not at all. Does not: which rows, or how
they read on a terminal (each view says that by its own lines).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.views.cells import csv_cell, json_value

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("table", "csv", "json", "parquet")


def chosen_format(named: str | None, out: Path | None, known: Iterable[str] = FORMATS) -> str:
    """The format that is named, else the one of the file's ending, else ``table``.

    Raises Refusal for a format that is not ``known``, and where one needs a file and none is named.
    """
    formats = list(known)
    if named is None:
        ending = out.suffix.lower().removeprefix(".") if out is not None else ""
        return ending if ending in formats else "table"
    if named not in formats:
        raise Refusal(
            f"`{named}` is no format", where="--format", remedy=f"use one of: {', '.join(formats)}"
        )
    if named == "parquet" and out is None:
        raise Refusal("parquet is not text", where="--format", remedy="name a file: --out F")
    return named


def write(
    rows: pa.Table,
    format_: str,
    out: Path | None,
    echo: Callable[[str], None],
    on_terminal: Callable[[pa.Table], Iterable[str]],
) -> None:
    """Rows in one of FORMATS, to the file ``out`` (whole or not at all) or to ``echo``.

    ``on_terminal`` gives the lines of the format ``table``.
    """
    chosen_format(format_, out)
    if format_ == "parquet" and out is not None:
        whole(out, lambda path: _parquet(rows, path))
        return
    lines = {"csv": csv_lines, "json": json_lines, "table": on_terminal}[format_](rows)
    if out is None:
        for line in lines:
            echo(line)
        return

    def fill(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(f"{line}\n" for line in lines)

    whole(out, fill)


def csv_lines(rows: pa.Table) -> Iterator[str]:
    """RFC 4180 with a header; amounts with 12 decimals, null as empty, no cell a formula."""
    yield ",".join(rows.column_names)
    for record in records(rows):
        yield ",".join(map(csv_cell, record))


def json_lines(rows: pa.Table) -> Iterator[str]:
    """One JSON array, a record a line; amounts are text."""
    names = rows.column_names
    before = "["
    for record in records(rows):
        values = {name: json_value(value) for name, value in zip(names, record, strict=True)}
        yield before + json.dumps(values, ensure_ascii=False)
        before = ","
    yield "]" if before == "," else "[]"


def records(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Rows as tuples of Python values, a batch at a time."""
    for batch in rows.to_batches(max_chunksize=10_000):
        columns = [column.to_pylist() for column in batch.columns]
        yield from zip(*columns, strict=True)


def _parquet(rows: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(rows, path, compression="zstd")


def whole(out: Path, fill: Callable[[Path], None]) -> None:
    """``out`` appears complete or not at all."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        raise _unwritable(out, error) from None
    os.close(handle)
    try:
        fill(Path(name))
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(out)
    except OSError as error:
        raise _unwritable(out, error) from None
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _unwritable(out: Path, error: OSError) -> Refusal:
    return Refusal(
        f"cannot be written ({error.strerror or error})",
        where=str(out),
        remedy="name a file in a folder that exists and that this user may write",
    )
