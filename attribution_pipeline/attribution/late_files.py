"""Files that stand while a few of their rows change: what is kept, what is written again.

Belongs here: rows taken out of Parquet files, and nothing else of them touched. Does not: which
rows change (``late_plane``, ``late_outcome``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.layout import ZSTD_LEVEL

ROWS_A_FILE = 2**40
"""More rows than a file has: places of rows in one file, and in the next one."""


def place_in(files: Sequence[str], among: Sequence[str]) -> str:
    """SQL: the place of a row of ``files``, some of ``among``, in all of these; of a ``located`` view."""
    if list(among) == list(files[:1]):
        return "file_row_number"
    named = " ".join(
        f"when {_quoted(path)} then {among.index(path) * ROWS_A_FILE}" for path in files
    )
    return f"(case filename {named} end + file_row_number)"


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "''") + "'"


def rows_of_files(files: Sequence[str]) -> int:
    """Rows of Parquet files, from their footers."""
    import pyarrow.parquet as pq

    return sum(int(pq.read_metadata(path).num_rows) for path in files)


def largest(files: Sequence[str], column: str) -> int | None:
    """The largest whole number in a column of Parquet files; None where there is none. From their footers,
    where these say it of every row group."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found: list[int] = []
    for path in files:
        metadata = pq.read_metadata(path)
        place = metadata.schema.names.index(column)
        for group in range(metadata.num_row_groups):
            said = metadata.row_group(group).column(place).statistics
            if said is not None and said.has_min_max:
                found.append(said.max)
            elif said is None or said.null_count != metadata.row_group(group).num_rows:
                numbers = pq.ParquetFile(path).read_row_group(group, [column]).column(0)
                found.append(pc.max(numbers).as_py())
    return max((number for number in found if number is not None), default=None)


def files_without(
    db: Session, files: Sequence[str], gone: str, *, order: str, out: Path, name: str
) -> tuple[list[str], int]:
    """``files`` without the rows that ``gone``, a condition, holds for; and how many those were.

    A file that has none of them stands as it is. The others are written again into ``out``, in
    ``order``; one that would be empty is left out.
    """
    if not files:
        return [], 0
    db.view("files_to_search", files, located=True)
    hit = dict(db.rows(f"select filename, count(*) from files_to_search where {gone} group by 1"))
    db.execute("drop view files_to_search")
    left = []
    for number, path in enumerate(files):
        if path not in hit:
            left.append(path)
            continue
        target = out / f"{name}-cut-{number}.parquet"
        db.view("file_to_cut", [path])
        left_over = f"select * from file_to_cut where not ({gone}) order by {order}"
        if db.write(left_over, target, level=ZSTD_LEVEL.get(name)):
            left.append(str(target))
        db.execute("drop view file_to_cut")
    return left, sum(hit.values())
