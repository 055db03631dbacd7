"""The growth of a day as a picture: time a span and peak memory, ours and others, by spans.

Belongs here: the picture from the bench's file. Does not: measuring (``run``).

    python bench/plot.py build/bench.json docs/growth.svg

The same file gives the same bytes: no date, ids from a fixed salt, text as text.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

NAMES = {
    "day.ours": ("the day, committed", "#1b4f8f", "o", "-"),
    "day.pandas": ("pandas notebook", "#b3401f", "s", "--"),
    "day.duckdb": ("DuckDB by hand", "#5a7d2a", "^", "--"),
    "day.scan": ("scan of its columns", "#777777", "x", ":"),
}
"""Program -> how it is drawn: distinct in grey, too."""

LIMIT_GB = 4
"""The engine's limit in the bench (``generate.MEMORY_LIMIT``)."""


def points(items: list[dict[str, Any]], program: str) -> list[tuple[int, float, float]]:
    """(spans, microseconds of processor time a span, GB at peak), by spans."""
    return sorted(
        (
            item["size"],
            median(found["cpu_seconds"]) * 1e6 / item["size"],
            found["peak_rss_bytes"] / 1e9,
        )
        for item in items
        if item["work"] == "day"
        and "failed" not in (found := item["programs"].get(program, {"failed": ""}))
    )


def main(results: Path, out: Path) -> None:
    """Draw. Raises SystemExit where the file has no day."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.size": 10})
    from matplotlib import pyplot

    items = json.loads(results.read_text(encoding="utf-8"))
    drawn = {program: found for program in NAMES if (found := points(items, program))}
    if not drawn:
        raise SystemExit(f"{results} has no work `day`: python bench/run.py day")
    figure, (times, memory) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for program, found in drawn.items():
        name, colour, mark, line = NAMES[program]
        spans, cpu, held = zip(*found, strict=True)
        for axes, values in ((times, cpu), (memory, held)):
            axes.plot(spans, values, line, marker=mark, color=colour, label=name)
    memory.axhline(LIMIT_GB, color="black", linewidth=0.8)
    memory.annotate("engine's limit", (min(p[0] for p in drawn["day.ours"]), LIMIT_GB),
                    xytext=(0, 4), textcoords="offset points")  # fmt: skip
    for axes, title in ((times, "cpu microseconds a span"), (memory, "peak memory, GB")):
        axes.set(xscale="log", xlabel="spans of the day", title=title)
        axes.grid(visible=True, linewidth=0.3)
    times.set(yscale="log")
    memory.set(ylim=(0, None))
    times.legend(frameon=False)
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
