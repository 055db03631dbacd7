"""The table of results in docs/performance.md, written from the file that the bench keeps.

Belongs here: rows, figures as people read them, putting them between their markers. Does not:
measuring (``run``), what is said around the table.

    python bench/page.py build/bench.json docs/performance.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"

PICTURE = "Time a span and peak memory by spans of the day, ours and others"

GB = 10**9

Item = dict[str, Any]


def main(results: Path, page: Path) -> None:
    """Write the table; the picture with it where there is one beside the page."""
    items = json.loads(results.read_text(encoding="utf-8"))
    picture = f"\n\n![{PICTURE}](growth.svg)" if (page.parent / "growth.svg").exists() else ""
    put(page, text(items) + picture)


def put(page: Path, said: str) -> None:
    """Replace what stands between the markers."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} has no markers {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{said}\n{END}{after}", encoding="utf-8")


def text(items: Sequence[Item]) -> str:
    """Ratios, then what is behind them, then commands and machines."""
    return "\n\n".join([ratios(items), behind(items), "\n".join(provenance(items))])


def ratios(items: Iterable[Item]) -> str:
    """Grain: work, size, opponent. Ours over theirs: median, least to most."""
    rows = []
    for item in items:
        first = [f"`{item['work']}`", f"{item['size']:,} {item['unit']}"]
        for name, program in item["programs"].items():
            if name == item["ours"]:
                continue
            found = item["ratios"].get(name)
            cells = [_spread(found[m]) for m in ("seconds", "cpu_seconds")] if found else []
            rows.append([*first, f"`{name}`", *(cells or [program["failed"], ""])])
            first = ["", ""]
    return table(["work", "size", "against", "ratio, wall", "ratio, cpu"], rows, right=(3, 4))


def behind(items: Iterable[Item]) -> str:
    """Grain: work, size, program. Medians of seconds, peaks, bytes at rest."""
    rows = []
    for item in items:
        first = [f"`{item['work']}`", f"{item['size']:,} {item['unit']}"]
        for name, program in item["programs"].items():
            if "failed" in program:
                continue
            rows.append([
                *first, f"`{name}`", _seconds(program["seconds"]),
                _seconds(program["cpu_seconds"]), f"{program['peak_rss_bytes'] / GB:.2f} GB",
                f"{program['spill_bytes'] / GB:.2f} GB" if program["spill_bytes"] else "",
                at_rest(item) if name == item["ours"] else "",
            ])  # fmt: skip
            first = ["", ""]
    head = ["work", "size", "program", "wall s", "cpu s", "peak memory", "spill", "at rest"]
    return table(head, rows, right=range(3, 8))


def at_rest(item: Item) -> str:
    """Bytes that ours left, over what they are of."""
    stored = item.get("bytes_at_rest") or {}
    if not stored:
        return ""
    size = sum(stored.values())
    if "metered_spans" in item:
        return f"{size / item['metered_spans']:.1f} B a metered span"
    return f"{size / item['size']:.1f} B of {item['unit']}"


def provenance(items: Sequence[Item]) -> list[str]:
    """One line a machine and set of versions, one an item."""
    machines: list[dict[str, Any]] = []
    lines = []
    for item in items:
        if item["machine"] not in machines:
            machines.append(item["machine"])
    for number, found in enumerate(machines, 1):
        said = {**found}
        sizes = f"{said.pop('cores')} cores, {said.pop('memory_gb')} GB, {said.pop('architecture')}"
        versions = ", ".join(f"{name} {value}" for name, value in said.items() if name != "system")
        lines.append(f"Machine {number}: {sizes}, {said['system']}; {versions}.")
    lines += ["", "| measured | machine | load before, after | command |", "|---|---|---|---|"]
    for item in items:
        load = " to ".join(f"{one}" for one in item["load_average"])
        machine = machines.index(item["machine"]) + 1
        lines.append(f"| {item['measured_at'][:16]} | {machine} | {load} | `{item['command']}` |")
    return lines


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """Markdown."""
    marks = ["---:" if number in set(right) else "---" for number in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, marks, *rows])


def _spread(found: Sequence[float]) -> str:
    middle, least, most = (_short(value) for value in found)
    return middle if least == most else f"{middle} ({least} to {most})"


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 10 else f"{value:,.0f}"


def _seconds(values: Sequence[float]) -> str:
    return _short(sorted(values)[len(values) // 2])


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
