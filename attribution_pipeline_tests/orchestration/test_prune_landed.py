"""Copies of landed spans that were read again: which stay for whom, and what is said of a missing one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from attribution_pipeline.attribution import operations
from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake import receipts
from attribution_pipeline.lake.copying import verify_lake
from attribution_pipeline.lake.landed import LandedFile
from attribution_pipeline.lake.landed.replaced import Replaced
from attribution_pipeline.lake.places import open_store
from attribution_pipeline.lake.pruned import apply_plan
from attribution_pipeline.lake.pruning import LOOKED_AT, _Readable, _unread, plan
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.outcomes import outcomes_of
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.orchestration.span_attributes import land
from attribution_pipeline.views.outcomes import joined
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.orchestration.rereading import (
    SPANS,
    deliver,
    kept,
    landed,
    opened,
    publish,
)

KEEP = timedelta(days=400)
LATER = datetime.now(UTC) + timedelta(days=500)
OUTCOME = """time,operation_id,trace_id,kind,value
2026-10-05T12:00:00Z,msg-3,,resolution,1
"""


def test_a_copy_that_a_bucket_lost_by_its_list_is_no_damage(folder: Path) -> None:
    """There is no receipt: nobody here knows what was removed."""
    deliver(folder, "a.jsonl", *SPANS)
    landed(folder)
    publish(folder)
    landed(folder)
    (listed,) = plan(opened(folder).lake, LATER, KEEP).files
    (folder / "lake" / listed.held.name).unlink()
    verify_lake(folder / "lake")
    (copy,) = opened(folder).landed.replaced()
    said = (
        f"is missing: what was read again stands instead since {copy.replaced_at:%Y-%m-%d}, and a "
    )
    with pytest.raises(Refusal, match=said + "list of files to prune may have named it"):
        kept(folder, copy.since)
    (standing,) = opened(folder).landed.files("spans")
    (folder / "lake" / standing.path).unlink()
    with pytest.raises(Refusal, match="is missing or was changed; restore it from a copy"):
        verify_lake(folder / "lake")


def test_outcomes_as_of_a_state_that_stays_are_told_after_pruning(folder: Path) -> None:
    """They look at what was landed by then, which the state was not recorded from."""
    file = folder / "attribution.yaml"
    file.write_text(
        file.read_text().rstrip() + "\n  outcomes:\n    - {name: product, uri: ./outcomes}\n"
    )
    (folder / "outcomes").mkdir()
    (folder / "outcomes" / "o.csv").write_text(OUTCOME)
    deliver(folder, "a.jsonl", *SPANS[:3])
    land(_house(folder))
    record_day(_house(folder), DAY)
    deliver(folder, "b.jsonl", *SPANS[3:])
    land(_house(folder))
    then = datetime.now(UTC)
    publish(folder)
    land(_house(folder))
    record_day(_house(folder), DAY)
    before = outcomes_of(_house(folder), DAY, DAY, as_of=then).found
    assert before.outcomes == 1
    lake = _house(folder).lake
    apply_plan(lake, plan(lake, LATER, KEEP), LATER)
    assert outcomes_of(_house(folder), DAY, DAY, as_of=then).found == before
    verify_lake(folder / "lake")
    copy = max(one.file.path for one in _house(folder).landed.replaced())
    (folder / "lake" / copy).unlink()
    with pytest.raises(Refusal, match=copy):
        verify_lake(folder / "lake")


def test_pruning_looks_as_far_around_a_day_as_the_engine_and_outcomes_do() -> None:
    assert timedelta(days=operations.LOOKBACK_DAYS) <= LOOKED_AT
    assert timedelta(days=joined.LOOKBACK_DAYS) + joined._DAY == LOOKED_AT


@pytest.mark.parametrize(("days", "stays"), [(-9, False), (-8, True), (8, True), (9, False)])
def test_a_copy_stays_for_states_of_days_around_it(days: int, stays: bool) -> None:
    day = DAY + timedelta(days=days)
    file = LandedFile("spans", "traces", "copy", "", 1, 1, day, day)
    at = [datetime(2026, 11, number, tzinfo=UTC) for number in (1, 2, 3)]
    store: Any = SimpleNamespace(times=lambda: at, replaced=lambda: [Replaced(file, 2, 3, at[2])])
    state: Any = SimpleNamespace(day=DAY, landed=1)
    assert _unread(store, [_Readable(state, at[1])], LATER) == (set() if stays else {"copy"})
    assert _unread(store, [_Readable(state, at[0])], LATER) == {"copy"}, "it came after that state"
    assert _unread(store, [], at[1]) == set(), "it was replaced a moment ago"


def test_of_many_pruned_files_each_receipt_is_read_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    first, second = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    receipts.write(store, first, [], [("a", 1, "read_again"), ("b", 1, "read_again")])
    receipts.write(store, second, [], [("b", 1, "read_again")])
    (tmp_path / receipts.FOLDER / "20260301T000000Z.json").write_bytes(b"{")
    assert receipts.pruned(store) == {"a": "2026-01-01", "b": "2026-02-01"}
    assert [receipts.pruned_on(store, name) for name in "bc"] == ["2026-02-01", ""]


def _house(folder: Path) -> House:
    """By the real clock: states and landings are told apart by when they were made."""
    return House(load_deployment(folder / "attribution.yaml"))
