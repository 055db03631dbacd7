"""What must be true of books that a schedule made.

Belongs here: the statements, each with the day and rows that break it; what happened, counted. Does
not: playing (``play``), the on-time books (``books``).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise

from attribution_pipeline.lake import Lake, Published
from attribution_pipeline.simulator.month import Schedule
from attribution_pipeline_tests.schedules import books, history
from attribution_pipeline_tests.schedules.books import Day, Row
from attribution_pipeline_tests.schedules.play import Played

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
    dice = random.Random(f"{schedule.seed}:replays")
    wrong += history.unreproduced_states(played.house, list(lake.states()), dice)
    facts["restarts"], facts["interruptions"] = played.restarts, len(played.interruptions)
    for kind, count in played.deliveries.items():
        facts[f"delivered {kind}"] = count
    return wrong, facts


def _day(lake: Lake, day: date, expected: Day, schedule: Schedule, facts: Facts) -> list[str]:
    rows = lake.read("ledger", day, day).to_pylist()
    changes = lake.read("ledger_revisions", day, day).to_pylist()
    variances = lake.read("variances", day, day).to_pylist()
    states = [state for state in lake.states() if state.day == day]
    _count(lake, rows, changes, variances, states, facts)
    return [
        *_content(lake, day, expected, rows, variances, holds=schedule.closed_period == "hold"),
        *doubled(rows),
        *history.broken_revisions(history.rows_of(lake, states[0]), rows, changes),
        *history.states_for_nothing(states),
        *history.unreadable_states(lake, states),
    ]


def _count(
    lake: Lake,
    rows: Sequence[Row], changes: Sequence[Row], variances: Sequence[Row],
    states: Sequence[Published], facts: Facts,
) -> None:  # fmt: skip
    facts["states"] += len(states)
    facts["late path states"] += sum(
        len(lake.document(state)["files"].get("operations", ())) > 1 for state in states
    )
    facts["settled days"] += states[-1].settled
    facts["policy changes"] += sum(a.policy_digest != b.policy_digest for a, b in pairwise(states))
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


def doubled(rows: Sequence[Row]) -> list[str]:
    counts = Counter(row["attribution_id"] for row in rows)
    return [f"{key[:8]} stands {n} times" for key, n in counts.items() if n > 1]
