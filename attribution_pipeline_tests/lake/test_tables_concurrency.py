"""Many writers at once: nothing lost, nothing doubled, nothing failed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import date, timedelta
from decimal import Decimal

from attribution_pipeline.lake import DayMoved, Lake
from attribution_pipeline_tests.buckets.paths import Root, delta
from attribution_pipeline_tests.lake.days import DAY, amounts_of, record
from attribution_pipeline_tests.lake.stores import HookedStore

WRITERS = 8
DAYS_PER_WRITER = 4
ROUNDS = 2


def _record_days(storage: Root, writer: int) -> list[str]:
    """A writer's own days, each recorded twice with other amounts; returns what it acknowledged."""
    lake = Lake(storage)
    acknowledged = []
    for round_ in range(ROUNDS):
        for n in range(DAYS_PER_WRITER):
            day = DAY + timedelta(days=writer * DAYS_PER_WRITER + n)
            receipt = record(lake, day, [f"{writer}.{n}{round_}", "1"])
            acknowledged.append(receipt.manifest_id)
    return acknowledged


def _record_alone(storage: Root, writer: int) -> list[int]:
    """A writer's own days, as if each writer had a machine of its own; the tries of each."""
    lake = Lake(storage, store=HookedStore(storage, locks=False))
    days = [DAY + timedelta(days=writer * DAYS_PER_WRITER + n) for n in range(DAYS_PER_WRITER)]
    return [record(lake, day, [str(writer), "1"]).tries for day in days]


def _record_one_day(storage: Root, writer: int) -> str | None:
    """Everyone wants the same day, each with another result; None for who was told to run again.

    Without the lock of one machine, as if each writer had its own.
    """
    lake = Lake(storage, store=HookedStore(storage, locks=False))
    try:
        return record(lake, DAY, [str(writer)], previous=None).manifest_id
    except DayMoved:
        return None


def _run(function, storage: Root) -> list:  # type: ignore[no-untyped-def, type-arg]
    # spawn: delta-rs has threads, and a forked child would wait for them for ever
    with multiprocessing.get_context("spawn").Pool(WRITERS) as pool:
        return pool.starmap(function, [(storage, writer) for writer in range(WRITERS)])


def test_eight_processes_record_thirty_two_days_and_lose_none(root: Root) -> None:
    acknowledged = [one for many in _run(_record_days, root) for one in many]
    lake = Lake(root)
    assert len(lake.days()) == WRITERS * DAYS_PER_WRITER
    assert sorted(state.manifest_id for state in lake.states()) == sorted(acknowledged)
    for offset, day in enumerate(lake.days()):
        writer, n = divmod(offset, DAYS_PER_WRITER)
        expected = [Decimal(f"{writer}.{n}{ROUNDS - 1}"), Decimal(1)]
        assert [Decimal(text) for text in amounts_of(lake, day)] == expected
        assert lake.manifest(day)["state"] == ROUNDS
        assert lake.differences(day) == []
    for table in ("ledger", "operation_costs", "operations"):
        rows = delta(root / table).to_pyarrow_table().num_rows
        assert rows == 2 * WRITERS * DAYS_PER_WRITER


def test_eight_machines_without_a_common_lock_record_thirty_two_days(root: Root) -> None:
    tries = [one for many in _run(_record_alone, root) for one in many]
    assert max(tries) > 1, "nobody met anybody: nothing was tested"
    lake = Lake(root)
    assert len(lake.days()) == WRITERS * DAYS_PER_WRITER == len(lake.states())
    assert [lake.differences(day) for day in lake.days() if lake.differences(day)] == []
    lake.verify(lake.days()[0], lake.days()[-1])


def test_of_eight_processes_that_want_one_day_exactly_one_records_it(root: Root) -> None:
    answers = _run(_record_one_day, root)
    winners = [answer for answer in answers if answer is not None]
    lake = Lake(root)
    assert len(winners) == 1
    assert [state.manifest_id for state in lake.states()] == winners
    assert len(amounts_of(lake, DAY)) == 1
    assert lake.days() == [date(2026, 10, 5)]


def _die_at_the_commit_point(storage: Root) -> None:
    """Record other rows for the day, and be killed when only the ledger's commit is missing."""
    store = HookedStore(storage)
    store.before["commit", "ledger"] = lambda: os.kill(os.getpid(), signal.SIGKILL)
    record(Lake(storage, store=store), DAY, ["2", "3"])


def test_a_writer_killed_at_the_commit_point_leaves_the_old_state_and_no_lock(
    root: Root,
) -> None:
    lake = Lake(root)
    record(lake, DAY, ["1"])
    context = multiprocessing.get_context("spawn")
    writer = context.Process(target=_die_at_the_commit_point, args=(root,))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    assert any("Delta's log names" in text for text in lake.differences(DAY))  # it got that far
    assert amounts_of(lake, DAY) == ["1"]
    assert lake.read("operation_costs", DAY, DAY).num_rows == 1
    assert record(lake, DAY, ["2", "3"]).state == 2
    assert amounts_of(lake, DAY) == ["2", "3"]
    assert lake.differences(DAY) == []
