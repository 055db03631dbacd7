"""The table of schedules in ``docs/reliability.md``.

Belongs here: what each schedule came to, kept in a file, so that a run may be done in parts; the
rows of the table, and putting it between its markers. Does not: the rest of that page.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from attribution_pipeline_tests.schedules.numbered import Verdict, sum_of

BEGIN, END = "<!-- schedules -->", "<!-- /schedules -->"
TITLE = "# Reliability\n"
SECTION = f"\n## Late, twice, wrong first, out of order\n\n{BEGIN}\n{END}\n"


def keep(out: Path, verdict: Verdict) -> None:
    """Add one verdict to ``out``."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(vars(verdict)) + "\n")


def kept(out: Path) -> list[Verdict]:
    """The newest verdict of every schedule in ``out``."""
    newest = {}
    for line in out.read_text(encoding="utf-8").splitlines():
        verdict = Verdict(**json.loads(line))
        newest[verdict.number] = replace(verdict, facts=Counter(verdict.facts))
    return [newest[number] for number in sorted(newest)]


def write_table(page: Path, verdicts: Sequence[Verdict]) -> None:
    """Replace what stands between the markers; page and section are made where there are none."""
    text = page.read_text(encoding="utf-8") if page.exists() else TITLE
    if BEGIN not in text:
        text += SECTION
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.parent.mkdir(parents=True, exist_ok=True)
    body = "\n".join(lines(verdicts))
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


def lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Markdown."""
    total: Counter[str] = Counter()
    for verdict in verdicts:
        total.update(verdict.facts)
    wrong = [verdict.number for verdict in verdicts if verdict.wrong]
    hold = sum("hold" in verdict.what for verdict in verdicts)
    causes = [name.removeprefix("cause ") for name in sorted(total) if name.startswith("cause ")]
    rows = [
        ("schedules played", f"{len(verdicts)}, of which {hold} under `closed_period: hold`"),
        ("ended otherwise than the on-time books", f"{len(wrong)}"),
        ("deliveries", f"{sum_of(total, 'delivered '):,}"),
        ("of them late spans, or sent again",
         f"{total['delivered late_spans'] + total['delivered late_span']:,}, "
         f"{total['delivered replayed_spans']:,}"),
        ("restated bills, corrected or late snapshots and reports",
         f"{total['delivered restated_bill']:,}, {total['delivered corrected_opencost']:,} and "
         f"{total['delivered late_usage'] + total['delivered corrected_usage']:,}"),
        ("corrections after close, policy changes",
         f"{total['delivered correction']:,}, {total['delivered policy']:,}"),
        ("states published, days settled at the end",
         f"{total['states']:,}, {total['settled days']:,}"),
        ("revised rows", f"{sum_of(total, 'cause '):,}: "
         + ", ".join(f"{cause} {total['cause ' + cause]:,}" for cause in causes)),
        ("held rows, variances, rows at zero",
         f"{total['held rows']:,}, {total['variances']:,}, {total['rows at zero']:,}"),
        ("restarts; crashes and storage faults in the middle of work",
         f"{total['restarts']:,}; {total['interruptions']:,}"),
    ]  # fmt: skip
    numbers = sorted(verdict.number for verdict in verdicts)
    return [
        f"`make schedules SCHEDULES={len(verdicts)}`: numbers {numbers[0]} to {numbers[-1]}, "
        f"{sum(verdict.cpu_s for verdict in verdicts) / 60:.0f} minutes of processor time.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
    ]
