"""Into how many files a large table of a day goes, and which row into which.

Belongs here: the cut by time of day and by charge. Does not: rows, columns, order within a file.

A row that changes later costs the file that it is in (``late_files``). What comes late was sent
late together, so its calls ended near each other: tables of operations are cut by time. A pod's
charge changes whole, so its request rows are cut by charge. Small tables are one file.
"""

from __future__ import annotations

ROWS_A_FILE = 50_000
"""About: enough for compression and for a reader's row groups, few enough to be written again."""

MOST_FILES = 8

HEX = "0123456789abcdef"


def files_for(rows: int) -> int:
    """How many files a table of so many rows goes into."""
    return max(1, min(MOST_FILES, rows // ROWS_A_FILE))


def by_time(instant_us: str, day_us: int, files: int) -> str:
    """SQL: the file of a row, by when in the day it was; before and after the day count to its ends."""
    if files == 1:
        return "0"
    length = 86_400_000_000 // files
    return f"least(greatest(({instant_us} - {day_us}) // {length}, 0), {files - 1})"


def by_charge(charge_id: str, files: int) -> str:
    """SQL: the file of a row, by the first digit of its charge's id, which is a digest."""
    if files == 1:
        return "0"
    return f"(instr('{HEX}', substr({charge_id}, 1, 1)) - 1) * {files} // {len(HEX)}"
