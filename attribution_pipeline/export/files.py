"""Staged tables to the files of one version: Parquet and CSV, the same bytes every time.

Belongs here: which columns a file has in the end, types, the spelling of cells. Does not: values
(``rows``), what is said about the files (``statement``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.export import columns
from attribution_pipeline.export.columns import Column
from attribution_pipeline.export.rows import type_of
from attribution_pipeline.model.money import SCALE
from attribution_pipeline.views.cells import csv_cell

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("parquet", "csv")

ROWS_PER_GROUP = 16_384
"""Rows of a row group in Parquet."""

ROWS_AS_TEXT = 4_096
"""Rows that are text at a time: some 2 kB each, several times over."""

NARROW_DIGITS = 38
"""DECIMAL(38, s) is what every engine reads; 256 bits only where a value needs them."""


@dataclass
class Stats:
    """What the values of a column ask for, over a whole export: its files have one schema."""

    filled: set[str] = field(default_factory=set)
    scale: dict[str, int] = field(default_factory=dict)
    whole: dict[str, int] = field(default_factory=dict)

    def see(self, table: pa.Table) -> None:
        """Take in a staged table."""
        import pyarrow.compute as pc

        for name in table.column_names:
            column = table[name]
            if column.null_count == table.num_rows:
                continue
            self.filled.add(name)
            if columns.kind_of(name) == "number":
                digits = pc.binary_length(pc.replace_substring(column, "-", ""))
                point = pc.find_substring(pc.replace_substring(column, "-", ""), ".")
                has_point = pc.greater_equal(point, 0)
                whole = pc.max(pc.if_else(has_point, point, digits)).as_py()
                behind = pc.subtract(pc.subtract(digits, point), 1)
                scale = pc.max(pc.if_else(has_point, behind, 0)).as_py()
                self.whole[name] = max(self.whole.get(name, 0), whole)
                self.scale[name] = max(self.scale.get(name, 0), scale)

    def columns_of(self, version: str) -> list[Column]:
        """The columns of a version's files."""
        return [
            column
            for column in columns.columns_of(version)
            if not column.left_out_where_empty or column.staged in self.filled
        ]

    def type_of(self, column: Column) -> pa.DataType:
        """The column's type in Parquet."""
        import pyarrow as pa

        if column.kind != "number":
            return type_of(column.staged)
        scale = max(columns.SCALES.get(column.staged, SCALE), self.scale.get(column.staged, 0))
        if self.whole.get(column.staged, 0) + scale <= NARROW_DIGITS:
            return pa.decimal128(NARROW_DIGITS, scale)
        return pa.decimal256(76, scale)


class Staging:
    """Staged tables of a day at rest, between the pass that learns their types and the one that
    writes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0

    def fill(self, tables: Iterator[pa.Table], stats: Stats) -> None:
        """Keep every table."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([pa.field(name, type_of(name)) for name in columns.staged_names()])
        with pq.ParquetWriter(self.path, schema, compression="zstd", compression_level=1) as writer:
            for table in tables:
                stats.see(table)
                self.rows += table.num_rows
                writer.write_table(table, row_group_size=ROWS_PER_GROUP)

    def batches(self, names: Sequence[str], rows: int = ROWS_PER_GROUP) -> Iterator[pa.Table]:
        """Its rows, so many at a time."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(rows, columns=list(dict.fromkeys(names))):
                yield pa.Table.from_batches([batch])


def write_parquet(
    staging: Staging, found: Sequence[Column], stats: Stats, path: Path, said: dict[str, str]
) -> None:
    """One Parquet file; ``said``: its key-value metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field(column.name, stats.type_of(column)) for column in found]
    schema = pa.schema(fields).with_metadata(said)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in staging.batches([column.staged for column in found]):
            arrays = [
                table[column.staged].cast(field.type)
                for column, field in zip(found, fields, strict=True)
            ]
            writer.write_table(pa.table(arrays, schema=schema), row_group_size=ROWS_PER_GROUP)


def write_csv(staging: Staging, found: Sequence[Column], path: Path) -> None:
    """One CSV file (RFC 4180, UTF-8): null is empty, instants as FOCUS DateTimeFormat, numbers with
    all their digits, and no cell that a spreadsheet would run."""
    import pyarrow.compute as pc

    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(column.name for column in found) + "\n")
        for table in staging.batches([column.staged for column in found], ROWS_AS_TEXT):
            cells = [_cells(table[column.staged].combine_chunks(), column.kind) for column in found]
            lines = pc.binary_join_element_wise(
                *cells, ",", null_handling="replace", null_replacement=""
            )
            file.writelines(f"{line}\n" for line in lines.to_pylist())


def _cells(values: Any, kind: columns.Kind) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "number":
        return values
    encoded = pc.dictionary_encode(values)
    spelled = [_cell(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(spelled, pa.string()).take(encoded.indices)


@lru_cache(maxsize=65_536)
def _cell(value: Any) -> str:
    return csv_cell(value)
