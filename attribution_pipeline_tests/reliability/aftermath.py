"""What must hold between kills of a writer that records synthetic states one after another.

Belongs here: the journal held against the lake. Does not: what holds for any storage
(``inspection``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attribution_pipeline.lake import Lake
from attribution_pipeline_tests.reliability import inspection, synthetic
from attribution_pipeline_tests.reliability.journal import Journal

ROWS_OF_AN_OBJECT = 2


def of_a_kill(storage: Path, journal: Journal) -> Iterator[str]:
    """Nothing acknowledged is lost, nothing is doubled, every day stands at a state of its own."""
    lake = Lake(storage)
    acknowledged = list(journal.done("record"))
    pending = journal.pending()
    told = {line.answer for line in acknowledged}
    published = [state.manifest_id for state in lake.states()]
    for line in acknowledged:
        if line.answer not in published:
            yield f"lost: {line} was acknowledged and is not in the lake"
    untold = [one for one in published if one not in told]
    if len(untold) > (pending is not None and pending.task == "record"):
        yield f"doubled or invented: {len(untold)} states that nobody was told of"
    yield from inspection.each_state_once(storage)
    for day, step in {line.day: line.step for line in acknowledged}.items():
        allowed = {step, pending.step} if pending and pending.day == day else {step}
        if step_at(storage, day) not in allowed:
            yield f"day {day} stands at {step_at(storage, day)}, {allowed} was recorded"
    yield from _landed_once(storage, journal)


def step_at(storage: Path, day: int) -> int:
    """The state that a day's rows are of; 0 where it was never recorded."""
    found = Lake(storage).read("ledger", synthetic.date_of(day), synthetic.date_of(day))
    amounts = found["billed_cost"].to_pylist()
    return synthetic.step_of(day, amounts) if amounts else 0


def _landed_once(storage: Path, journal: Journal) -> Iterator[str]:
    acknowledged = {line.answer for line in journal.done("land")}
    pending = journal.pending()
    may_be = {f"o.{pending.day}.{pending.step}"} if pending and pending.task == "land" else set()
    landed = inspection.landed_rows(storage)
    for object_id in acknowledged - landed.keys():
        yield f"lost: {object_id} was landed and is gone"
    for object_id in landed.keys() - acknowledged - may_be:
        yield f"invented: {object_id} was landed by nobody"
    for object_id, count in landed.items():
        if count != ROWS_OF_AN_OBJECT:
            yield f"doubled or torn: {object_id} has {count} rows"
