"""What must be true of the states that a day went through.

Belongs here: revisions, recorded times, states read as of then, states replayed. Does not: what the
newest state must say (``judge``).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow.parquet as pq

from attribution_pipeline.lake import Lake, Published
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.proof.replay import replay_day
from attribution_pipeline_tests.schedules import books
from attribution_pipeline_tests.schedules.books import Row

COSTS = ("billed_cost", "effective_cost")

REPLAYED = 2
"""States of a schedule that are computed again from their frozen inputs, newest or not."""


def rows_of(lake: Lake, state: Published) -> list[Row]:
    """The ledger of a state."""
    return [
        row
        for entry in lake.document(state)["files"]["ledger"]
        for row in pq.read_table(lake.verified(lake.stored(entry)), partitioning=None).to_pylist()
    ]


def broken_revisions(
    first_rows: Sequence[Row], rows: Sequence[Row], changes: Sequence[Row]
) -> Iterator[str]:
    """First amounts plus deltas are the present amounts; a revision is a change; no row vanishes."""
    first = {row["attribution_id"]: row for row in first_rows}
    present = {row["attribution_id"]: row for row in rows}
    stories: dict[str, list[Row]] = defaultdict(list)
    for change in changes:
        stories[change["attribution_id"]].append(change)
    for key in sorted((first.keys() | stories.keys()) - present.keys()):
        yield f"{key[:8]} has vanished"
    for key, row in present.items():
        story = sorted(stories.get(key, ()), key=lambda change: change["revision"])
        for line in _broken_story(first.get(key), row, story):
            yield f"{key[:8]} {line}"


def _broken_story(first: Row | None, row: Row, story: Sequence[Row]) -> Iterator[str]:
    numbers = [change["revision"] for change in story]
    began = 2 if first else 1
    expected = list(range(began, began + len(story)))
    if numbers != expected or row["revision"] != (expected[-1] if expected else 1):
        yield f"is at revision {row['revision']}, its changes are {numbers}"
    if first is None and not story:
        yield "was not in the first state, and no revision tells of it"
        return
    if row["recorded_at"] != (story[-1] if story else first)["recorded_at"]:  # type: ignore[index]
        yield "was recorded at another time than its revision"
    if row["first_recorded_at"] != (first or story[0])["recorded_at"]:
        yield "was first recorded at another time"
    for cost in COSTS:
        amount = first[cost] if first else Decimal(0)
        for change in story:
            if change[f"old_{cost}"] != amount:
                yield f"revision {change['revision']}: old {cost} is not {amount}"
            if change[f"new_{cost}"] - change[f"old_{cost}"] != change[f"delta_{cost}"]:
                yield f"revision {change['revision']}: {cost} is not old plus delta"
            amount += change[f"delta_{cost}"]
        if amount != row[cost]:
            yield f"{cost} is {row[cost]}, first and deltas give {amount}"


def states_for_nothing(states: Sequence[Published]) -> Iterator[str]:
    """A state is published because something moved."""

    def said(state: Published) -> Any:
        return dict(state.inputs), state.policy_digest, state.kernel

    for before, after in pairwise(states):
        if said(before) == said(after):
            yield f"state {after.state} says what state {before.state} says"


def unreadable_states(lake: Lake, states: Sequence[Published]) -> Iterator[str]:
    """Every older state can still be read, as of the time that it stood."""
    newest: dict[datetime, Published] = {state.published_at: state for state in states}
    for at, state in newest.items():
        digest = lake.document(state)["output"]["content_digest"]
        if books.digest(lake.read("ledger", state.day, state.day, as_of=at).to_pylist()) != digest:
            yield f"state {state.state} is not what is read as of {at}"


def unreproduced_states(
    house: House, states: Sequence[Published], dice: random.Random
) -> Iterator[str]:
    """Any state, computed again from what it was computed from, comes out the same."""
    for state in dice.sample(states, min(REPLAYED, len(states))):
        found = replay_day(house.lake, state, house.compute)
        if not found.reproduced:
            yield f"{state.day}: replay of state {state.state}: {found.line()}"
