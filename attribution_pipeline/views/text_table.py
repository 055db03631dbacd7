"""Rows as aligned plain text, the same on a terminal, in a pipe and in a log.

Belongs here: layout. Does not: what the cells say (``cells``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

GAP = "  "


def text_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = (),
    last_is_total: bool = False,
) -> str:  # fmt: skip
    """A header, a rule and the rows; columns named in ``right`` are aligned to the right."""
    widths = [
        max(len(name), *(len(row[place]) for row in rows)) if rows else len(name)
        for place, name in enumerate(head)
    ]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(cells, widths, head, strict=True)
        ]
        return GAP.join(aligned).rstrip()

    rule = GAP.join("-" * width for width in widths)
    lines = [line(head), rule, *map(line, rows)]
    if last_is_total and rows:
        lines.insert(-1, rule)
    return "\n".join(lines)
