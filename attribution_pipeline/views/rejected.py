"""What was delivered and not read, as people read it: rejected records, and files that wait.

Belongs here: lines and formats. Does not: which records stand (``lake.landed.rejected``), why a file
waits (``sources.awaiting``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.views import output
from attribution_pipeline.views.cells import terminal_cell
from attribution_pipeline.views.text_table import text_table

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.sources.awaiting import Waiting

COLUMNS = ("source", "reason", "records", "file", "first at", "detail")
"""Of the table on a terminal, a line for each file and reason; the other formats have every record."""

MOST_SHOWN = 200
DETAIL_SHOWN = 100
"""Letters of a detail on a terminal: its beginning says what is wrong."""

_READ = ("kind", "source", "path", "position", "reason", "detail", "uri")


def with_accepted(waiting: list[Waiting] | None, policies: Path) -> list[Waiting] | None:
    """What waits, with nothing left to do about files that stand as they were read, where the newest policy
    version of the folder accepts so many. Policies that can't be read accept none: what waits is told all
    the same."""
    from attribution_pipeline.model.policy import load_policies
    from attribution_pipeline.sources import gone

    if not waiting:
        return waiting
    try:
        limit = load_policies(policies).newest.tolerance.not_read_again
    except Refusal:
        limit = 0
    return gone.with_accepted(waiting, limit)


def write(
    rows: pa.Table,
    waiting: Sequence[Waiting] | None,
    format_: str,
    out: Path | None,
    echo: Callable[[str], None],
) -> None:
    """Rows in one of ``output.FORMATS``, to a file or to ``echo``; a table with its footer."""
    output.write(rows, format_, out, echo, lambda shown: table_lines(shown, waiting))


def table_lines(rows: pa.Table, waiting: Sequence[Waiting] | None) -> Iterator[str]:
    """A line for each file and reason, then the footer."""
    counts: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str, str], tuple[int, str]] = {}
    for kind, source, path, position, reason, detail, uri in zip(
        *(rows[name].to_pylist() for name in _READ), strict=True
    ):
        key = (f"{kind} {source}", reason, path)
        counts[key] += 1
        first.setdefault(key, (position, (detail or "").removeprefix(f"{uri}: ")))
    ordered = sorted(counts)
    lines = []
    for key in ordered[:MOST_SHOWN]:
        position, detail = first[key]
        at = f"{position:,}" if position else "the file"
        cut = detail if len(detail) <= DETAIL_SHOWN else f"{detail[: DETAIL_SHOWN - 3]}..."
        lines.append(
            [terminal_cell(cell) for cell in (key[0], key[1], f"{counts[key]:,}", key[2], at, cut)]
        )
    if lines:
        yield from text_table(COLUMNS, lines, right=["records", "first at"]).splitlines()
        yield ""
    yield from footer(rows, waiting)
    if len(ordered) > MOST_SHOWN:
        yield f"of {len(ordered):,} lines the first {MOST_SHOWN} are shown: --out F has every record"


def footer(rows: pa.Table, waiting: Sequence[Waiting] | None) -> list[str]:
    """How many records by source and reason, and what waits; None: not known."""
    from attribution_pipeline.sources.awaiting import NOT_KNOWN

    columns = (rows[name].to_pylist() for name in ("kind", "source", "reason"))
    counts = Counter(zip(*columns, strict=True))
    named = ", ".join(
        f"{terminal_cell(kind)} {terminal_cell(source)} {reason} {count:,}"
        for (kind, source, reason), count in sorted(counts.items())
    )
    records = "1 record" if rows.num_rows == 1 else f"{rows.num_rows:,} records"
    found = [f"{records} rejected: {named}" if named else "no record was rejected"]
    if waiting is None:
        return [*found, f"waits: {NOT_KNOWN}"]
    return found + [f"waits: {one.kind} {one.source}: {one.line()}" for one in waiting]
