"""Into how many files a large table of a day goes, and which row into which.

Belongs here: the cut by time and by charge. Does not: rows, columns, order within a file.

A row that changes later costs the file that it is in (``late_files``). What comes late was sent
late together, so its calls ended near each other: tables of operations are cut by time. A pod's
charge changes whole, and requests of one charge pack best together, so request rows are cut by
charge. Small tables are one file.
"""

from __future__ import annotations

from attribution_pipeline.attribution.engine import Session

ROWS_A_FILE = 100_000
"""At least: a file is large enough to compress, and small enough to be written again."""

NARROW = 10**6
"""Request amounts under this, in currency, fit DECIMAL(18,12), which is 64 bits wide: sorted and
written as differences they take a third of what 38 digits take (measured)."""

ZSTD_LEVEL = {"operations": 1}
"""Ids as hex digits: a higher level finds matches of three bytes in them, which cost more than plain
entropy coding (measured, 4 % of the table). Any other table is of the default level."""

MOST_FILES = 16

HEX = "0123456789abcdef"

MINUTE_US = 60_000_000


def files_for(rows: int) -> int:
    """How many files a table of so many rows goes into."""
    return max(1, min(MOST_FILES, rows // ROWS_A_FILE))


def by_time(db: Session, table: str, end_us: str, files: int) -> str:
    """SQL: the file of a row, by when it ended: minutes in order, files about equally large."""
    if files == 1:
        return "0"
    minutes = db.rows(
        f"select {end_us} // {MINUTE_US}, count(*) from {table} where {end_us} is not null "
        "group by 1 order by 1"
    )
    rows = sum(count for _, count in minutes)
    later: list[str] = []
    before = 0
    for minute, count in minutes:
        if before * files >= rows * (len(later) + 1):
            later.append(f"cast({end_us} >= {minute * MINUTE_US} as integer)")
        before += count
    return " + ".join(later) or "0"


def by_charge(charge_id: str, files: int) -> str:
    """SQL: the file of a row, by the first digit of its charge's id, which is a digest."""
    if files == 1:
        return "0"
    return f"(instr('{HEX}', substr({charge_id}, 1, 1)) - 1) * {files} // {len(HEX)}"
