"""Pruning takes what only superseded states name, and nothing that a replay of a kept one reads."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attribution_pipeline.buckets.place import parse
from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake import Lake
from attribution_pipeline.lake.checked import said_by
from attribution_pipeline.lake.custody import everything, remove
from attribution_pipeline.lake.files import StoredFile
from attribution_pipeline.lake.pruned import apply_plan
from attribution_pipeline.lake.pruning import plan, states_kept
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.replaying import replay
from attribution_pipeline_tests.operate.commands import CONFIG, attribution
from attribution_pipeline_tests.orchestration.deployments import DAY

DAYS = ("--from", "2026-10-05", "--to", "2026-10-05")
LATER = datetime.now(UTC) + timedelta(days=500)
KEEP = timedelta(days=400)


def test_without_apply_nothing_changes_and_what_would_go_is_counted(states: Path) -> None:
    before = _all(states)
    lake = _lake(states)
    found = plan(lake, LATER, KEEP)
    (count, size) = found.sums()["superseded"]
    assert count == len(found.files) > 0
    assert size == sum(before[one.held.name] for one in found.files)
    assert (found.kept_files + count, found.kept_bytes + size) == (
        len(before),
        sum(before.values()),
    )
    said = attribution(states, "prune", "--keep-days", "1", "--list", str(states / "names"))
    assert "nothing may go" in said  # they were superseded today
    assert _all(states) == before
    assert (states / "names").read_text() == ""


def test_only_states_that_nobody_compares_with_become_unreadable(states: Path) -> None:
    lake = _lake(states)
    assert [state for _, state in plan(lake, LATER, KEEP).states] == [2]
    kept = [state.state for state in states_kept(lake.states(DAY), LATER, KEEP)]
    assert kept == [1, 3, 4]  # the first, the newest, and the one that it followed
    recent = [state.state for state in states_kept(lake.states(DAY), LATER, timedelta(days=999))]
    assert recent == [1, 2, 3, 4]


def test_a_pruned_lake_verifies_replays_and_takes_late_data_in(
    states: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = _lake(states).states(DAY)[1]
    monkeypatch.setattr(House, "now", lambda _: LATER.replace(microsecond=0))
    said = attribution(states, "prune", "--apply")
    assert "removed: " in said
    assert "readable no more: 1 superseded states (2026-10-05 state 2)" in said
    monkeypatch.undo()
    house = House(load_deployment(states / CONFIG))
    house.lake.verify(DAY, DAY)
    kept = [state for state in house.lake.states(DAY) if state.state in (1, 4)]
    assert [replay(house, state).code for state in kept] == [0, 0]
    with pytest.raises(
        Refusal, match=f"a recorded file was pruned on {LATER:%Y-%m-%d}; read it from a copy"
    ):
        house.lake.read("ledger", DAY, DAY, as_of=second.published_at)
    assert house.lake.document(second)["output"]["content_digest"]
    (receipt,) = (states / "lake" / "pruned").iterdir()
    named = said_by(receipt.read_bytes())
    assert named["states"] == [{"charge_date": "2026-10-05", "state": 2}]
    assert all(not (states / "lake" / one["path"]).exists() for one in named["files"])
    assert attribution(states, "prune", "--apply").startswith("nothing may go")
    attribution(states, "ledger", *DAYS)
    attribution(states, "replay", *DAYS)


def test_evidence_policies_manifests_and_logs_stay(states: Path) -> None:
    folders = {one.held.name.split("/")[0] for one in plan(_lake(states), LATER, KEEP).files}
    assert folders <= {"ledger", "operation_costs", "operations", "ledger_revisions", "variances"}


def test_a_file_that_no_state_names_goes_when_no_run_can_be_writing_it(states: Path) -> None:
    lake = _lake(states)
    left = states / "lake" / "ledger" / "charge_date=2026-10-05" / f"{'0' * 64}.parquet"
    left.write_bytes(b"left by a run that was killed")
    now = datetime.now(UTC)
    assert plan(lake, now, KEEP).files == []
    old = (now - timedelta(days=8)).timestamp()
    os.utime(left, (old, old))
    (found,) = plan(lake, now, KEEP).files
    assert (found.why, found.held.name) == ("orphan", f"ledger/charge_date=2026-10-05/{left.name}")


def test_a_file_that_is_written_again_meanwhile_stays(states: Path) -> None:
    lake = _lake(states)
    (first, *_) = plan(lake, LATER, KEEP).files
    path = states / "lake" / first.held.name
    os.utime(path)
    assert not remove(lake.storage, first.held)
    assert path.exists()


def test_a_damaged_manifest_stops_pruning(states: Path) -> None:
    lake = _lake(states)
    entry = lake.states(DAY)[0].manifest_file
    path = states / "lake" / entry.path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(Refusal, match="was changed"):
        plan(_lake(states), LATER, KEEP)


def test_the_list_is_what_a_buckets_tools_take(
    states: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(House, "now", lambda _: LATER.replace(microsecond=0))
    attribution(states, "prune", "--list", str(states / "names"))
    lines = [line.split("\t") for line in (states / "names").read_text().splitlines()]
    assert lines
    assert lines == sorted(lines)
    there = {held.name: held for held in everything(states / "lake")}
    for name, size, changed_at in lines:
        assert there[name].bytes == int(size)
        assert there[name].changed_at == datetime.fromisoformat(changed_at)
    assert not (states / "lake" / "pruned").exists()


def test_what_a_run_has_placed_again_and_not_committed_stays(states: Path) -> None:
    lake = _lake(states)
    (first, *_) = plan(lake, LATER, KEEP).files
    assert first.why == "superseded"
    at = LATER.timestamp() - 60
    os.utime(states / "lake" / first.held.name, (at, at))
    after = plan(_lake(states), LATER, KEEP)
    assert first.held.name not in {one.held.name for one in after.files}
    assert after.states == []


def test_what_is_published_between_the_plan_and_removing_stays(
    states: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run committed with the file as the plan saw it: only reading the states again tells."""
    left = states / "lake" / "ledger" / "charge_date=2026-10-05" / f"{'0' * 64}.parquet"
    left.write_bytes(b"left by a run that was killed")
    lake = _lake(states)
    found = plan(lake, LATER, KEEP)
    (named,) = (one.held.name for one in found.files if one.why == "superseded")
    monkeypatch.setattr(Lake, "active_files", lambda _: {named})
    removed, _, stayed = apply_plan(lake, found, LATER)
    assert (removed, stayed) == (1, 1)
    assert (states / "lake" / named).exists()
    (receipt,) = (states / "lake" / "pruned").iterdir()
    assert named not in {one["path"] for one in said_by(receipt.read_bytes())["files"]}


def test_what_a_tables_log_names_ahead_of_the_ledger_stays(states: Path) -> None:
    """A run that died between two commits: other engines read the side table at its new head."""
    lake = _lake(states)
    (entry, *_) = lake.manifest(DAY)["files"]["operations"]
    content = (states / "lake" / entry["path"]).read_bytes() + b"other"
    name = f"operations/charge_date=2026-10-05/{hashlib.sha256(content).hexdigest()}.parquet"
    (states / "lake" / name).write_bytes(content)
    old = (datetime.now(UTC) - timedelta(days=8)).timestamp()
    os.utime(states / "lake" / name, (old, old))
    now = datetime.now(UTC)
    assert [one.held.name for one in plan(lake, now, KEEP).files] == [name]
    file = StoredFile(name, hashlib.sha256(content).hexdigest(), len(content), entry["rows"])
    lake._tables["operations"].replace_day(DAY, [file])
    assert plan(_lake(states), now, KEEP).files == []


def test_a_bucket_is_refused_before_anything_is_said_or_done(states: Path) -> None:
    lake = _lake(states)
    found = plan(lake, LATER, KEEP)
    lake.storage = parse("s3://costs/lake")
    with pytest.raises(Refusal, match="no credential of a run needs a right to"):
        apply_plan(lake, found, LATER)
    assert not (states / "lake" / "pruned").exists()


def _lake(folder: Path) -> Lake:
    return Lake(folder / "lake")


def _all(folder: Path) -> dict[str, int]:
    return {held.name: held.bytes for held in everything(folder / "lake")}
