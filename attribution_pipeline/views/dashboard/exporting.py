"""A table of a page as a file: the same rows and every digit of them.

Belongs here: bytes of an export. Does not: cells' spelling (``views.cells``), which table (``app``).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from attribution_pipeline.views.output import csv_lines

if TYPE_CHECKING:
    import pyarrow as pa

BOM = "\ufeff"
"""Without it a spreadsheet takes UTF-8 for something else, and names in other scripts are lost."""


def exported(rows: pa.Table, format_: str) -> bytes:
    """CSV as the command line writes it, no cell a formula; or Parquet, decimals as they are."""
    if format_ == "csv":
        return (BOM + "".join(f"{line}\r\n" for line in csv_lines(rows))).encode()
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression="zstd")
    return buffer.getvalue()
