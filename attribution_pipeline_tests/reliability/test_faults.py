"""Storage fails at one call after another: old or new state, one clear line, and a rerun converges.

The short slice: every call of every kind is ``make reliability``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution_pipeline.lake.folder_store import FolderStore
from attribution_pipeline.lake.store import Store
from attribution_pipeline_tests.reliability import inspection, real_day
from attribution_pipeline_tests.reliability.faults import LAKE, FaultTally, Sweep
from attribution_pipeline_tests.reliability.faulty_store import (
    HELD,
    KINDS,
    PURE,
    READS,
    WRITES,
    FaultyStore,
    applies,
)
from attribution_pipeline_tests.reliability.measure import SHORT, chosen_faults
from attribution_pipeline_tests.reliability.scenarios import checkpoints_after

pytestmark = pytest.mark.timeout(900)  # half a minute each, on cores of their own


def test_the_injector_knows_every_method_of_the_seam() -> None:
    methods = {name for name in vars(Store) if not name.startswith("_")}
    assert methods == READS | WRITES | HELD | PURE


def test_every_method_has_a_fault_that_can_befall_it() -> None:
    for name in READS | WRITES | HELD:
        assert [kind for kind in KINDS if applies(kind, name)], name


@pytest.mark.parametrize("act", real_day.ACTS)
def test_a_fault_at_any_call_leaves_the_old_state_or_the_new_and_a_rerun_converges(
    tmp_path: Path, act: str
) -> None:
    tally = FaultTally()
    with checkpoints_after(1):
        sweep = Sweep(tmp_path, act)
        chosen = chosen_faults(sweep, SHORT)
        for kind, nth, for_ever in chosen:
            sweep.run(kind, nth, tally, for_ever=for_ever)
    assert tally.violations == []
    assert tally.faults.total() == len(chosen) >= 20
    assert set(tally.faults) == set(KINDS)
    assert len(tally.met) >= 8, "faults at few kinds of calls show little"
    assert tally.lasting > 0
    assert tally.refused > tally.survived > 0


def test_a_fault_after_the_last_call_is_never_met(tmp_path: Path) -> None:
    """So the sweep over all calls is one over all calls: a run makes no more of them."""
    folder = real_day.make(tmp_path / "day")
    store = FaultyStore(FolderStore(folder / LAKE))
    real_day.perform(folder, "first", store)
    again = real_day.make(tmp_path / "again")
    faulty = FaultyStore(FolderStore(again / LAKE), "error", store.calls + 1)
    real_day.perform(again, "first", faulty)
    assert (faulty.hit, faulty.sequence) == ("", store.sequence)
    assert not list(inspection.standing(again / LAKE).differs(inspection.standing(folder / LAKE)))
