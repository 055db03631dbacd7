"""What must be true of books that a schedule made.

Belongs here: the statements, each with the day and rows that break it; what happened, counted. Does
not: playing (``play``), the on-time books (``books``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pyarrow.parquet as pq

from attribution_pipeline.lake import Lake, Published
from attribution_pipeline.simulator.month import Schedule
from attribution_pipeline_tests.schedules import books
from attribution_pipeline_tests.schedules.books import Day, Row
from attribution_pipeline_tests.schedules.play import Played

COSTS = ("billed_cost", "effective_cost")

Facts = Counter[str]
"""What happened in a schedule: states, revised rows by cause, held rows, settled days, and so on."""


def judge(
    on_time: Mapping[date, Day], played: Played, schedule: Schedule
) -> tuple[list[str], Facts]:
    """Everything that is wrong, a line each, and what happened."""
    lake, facts = Lake(played.house.deployment.storage_folder), Facts()
    wrong: list[str] = []
    if lake.days() != list(on_time):
        wrong.append(f"recorded are {len(lake.days())} days, not the {len(on_time)} that are kept")
    for day, expected in on_time.items():
        if lake.head(day) is None:
            continue
        wrong += [f"{day}: {line}" for line in _day(lake, day, expected, schedule, facts)]
    facts["restarts"], facts["interruptions"] = played.restarts, len(played.interruptions)
    for kind, count in played.deliveries.items():
        facts[f"delivered {kind}"] = count
    return wrong, facts


def _day(lake: Lake, day: date, expected: Day, schedule: Schedule, facts: Facts) -> list[str]:
    rows = lake.read("ledger", day, day).to_pylist()
    changes = lake.read("ledger_revisions", day, day).to_pylist()
    variances = lake.read("variances", day, day).to_pylist()
    states = [state for state in lake.states() if state.day == day]
    _count(rows, changes, variances, states, facts)
    return [
        *_content(lake, day, expected, rows, variances, holds=schedule.closed_period == "hold"),
        *_doubled(rows),
        *_revisions(lake, states, rows, changes),
        *_states(states),
    ]


def _count(
    rows: Sequence[Row], changes: Sequence[Row], variances: Sequence[Row],
    states: Sequence[Published], facts: Facts,
) -> None:  # fmt: skip
    facts["states"] += len(states)
    facts["settled days"] += states[-1].settled
    facts["policy changes"] += sum(
        a.policy_digest != b.policy_digest for a, b in pairwise(states)
    )
    facts["variances"] += len(variances)
    facts["rows at zero"] += sum(not books.has_cost(row) for row in rows)
    for row in rows:
        facts[f"rows {row['settlement']}"] += 1
        facts["held rows"] += row["unallocated_reason"] == "held" and books.has_cost(row)
    for change in changes:
        facts[f"cause {change['cause']}"] += 1


def _content(
    lake: Lake, day: date, expected: Day, rows: Sequence[Row], variances: Sequence[Row], *,
    holds: bool,
) -> list[str]:  # fmt: skip
    """The same as on time: the ledger where nothing is held, else ledger and variances together."""
    said, wrong = lake.manifest(day)["output"], []
    if books.digest(rows) != said["content_digest"]:
        wrong.append("the manifest's content digest is not that of the rows")
    together = books.unheld(rows, variances)
    if books.digest(together) != expected.content_digest:
        wrong.append("not as on time: " + books.differences(expected.rows, together))
    if said["unheld_digest"] != expected.content_digest:
        wrong.append("the manifest's unheld digest is not that of the on-time books")
    if not holds and (variances or said["content_digest"] != expected.content_digest):
        wrong.append(f"{len(variances)} variances, though nothing is to be held")
    return wrong


def _doubled(rows: Sequence[Row]) -> list[str]:
    counts = Counter(row["attribution_id"] for row in rows)
    return [f"{key[:8]} stands {n} times" for key, n in counts.items() if n > 1]


def _revisions(
    lake: Lake, states: Sequence[Published], rows: Sequence[Row], changes: Sequence[Row]
) -> list[str]:
    """First amounts plus deltas are the present amounts; a revision is a change; no row vanishes."""
    first = {row["attribution_id"]: row for row in _rows_of(lake, states[0])}
    present = {row["attribution_id"]: row for row in rows}
    by_row: dict[str, list[Row]] = defaultdict(list)
    for change in changes:
        by_row[change["attribution_id"]].append(change)
    wrong = [f"{key[:8]} has vanished" for key in (first.keys() | by_row.keys()) - present.keys()]
    for key, row in present.items():
        story = sorted(by_row.get(key, ()), key=lambda change: change["revision"])
        stands = first.get(key)
        numbers = [change["revision"] for change in story]
        expected = list(range(2, len(story) + 2)) if stands else list(range(1, len(story) + 1))
        if numbers != expected or row["revision"] != (expected[-1] if expected else 1):
            wrong.append(f"{key[:8]} is at revision {row['revision']}, its changes are {numbers}")
        if not stands and not story:
            wrong.append(f"{key[:8]} was not in the first state, and no revision tells of it")
        for cost in COSTS:
            amount = stands[cost] if stands else Decimal(0)
            for change in story:
                if change[f"old_{cost}"] != amount:
                    wrong.append(
                        f"{key[:8]} revision {change['revision']}: old {cost} is not {amount}"
                    )
                amount += change[f"delta_{cost}"]
            if amount != row[cost]:
                wrong.append(f"{key[:8]}: {cost} is {row[cost]}, first and deltas give {amount}")
    return wrong


def _rows_of(lake: Lake, state: Published) -> list[Row]:
    files = lake.document(state)["files"]["ledger"]
    return [
        row
        for entry in files
        for row in pq.read_table(lake.verified(lake.stored(entry)), partitioning=None).to_pylist()
    ]


def _states(states: Sequence[Published]) -> list[str]:
    """A state is published because something moved."""
    wrong = []
    for before, after in pairwise(states):
        if (dict(before.inputs), before.policy_digest, before.kernel) == (
            dict(after.inputs), after.policy_digest, after.kernel,
        ):  # fmt: skip
            wrong.append(f"state {after.state} says what state {before.state} says")
    return wrong
