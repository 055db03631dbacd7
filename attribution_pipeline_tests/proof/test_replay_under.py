"""Another version, another time: what a comparison is of, and that it changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration import replaying
from attribution_pipeline.proof.replay import INPUT_GONE, NOT_CONSERVED, REPRODUCED
from attribution_pipeline.proof.replay_under import DayComparison
from attribution_pipeline_tests.orchestration.deployments import (
    DAY,
    place_of,
    rewrite,
    with_value,
)
from attribution_pipeline_tests.proof.meter_day import KEYED, Call, meter_day, signed_token
from attribution_pipeline_tests.proof.replays import History, worked_day

BOTH = ("billed_cost", "effective_cost")


def at(day: int) -> datetime:
    """Noon of an October day: states are published at four in the morning, from the 6th on."""
    return datetime(2026, 10, day, 12, tzinfo=UTC)


def then(history: History, version: int, as_of: datetime, out: Path) -> DayComparison:
    house = history.house()
    rule = replaying.version_of(house, version)
    return replaying.compare_on_then(house, house.lake.head(DAY, as_of), rule, as_of, out)


def today(history: History, version: int, out: Path) -> DayComparison:
    house = history.house()
    rule = replaying.version_of(house, version)
    return replaying.compare_on_today(house, house.lake.head(DAY), rule, out)


def rows(found: DayComparison):
    return pq.read_table(found.file).to_pylist()


def amounts(found: DayComparison, side: str):
    """What a side says, by row: rows of zero say nothing."""
    return {
        row["attribution_id"]: tuple(row[f"{side}_{cost}"] for cost in BOTH)
        for row in rows(found)
        if any(row[f"{side}_{cost}"] for cost in BOTH)
    }


def published(history: History, as_of: datetime):
    """What the ledger said then."""
    ledger = history.house().lake.read("ledger", DAY, DAY, as_of=as_of).to_pylist()
    return {
        row["attribution_id"]: tuple(row[cost] for cost in BOTH)
        for row in ledger
        if any(row[cost] for cost in BOTH)
    }


@pytest.mark.parametrize("day", [6, 7, 8])
def test_an_old_version_as_of_an_old_day_is_what_was_published_then_to_the_quantum(
    history: History, tmp_path: Path, day: int
):
    found = then(history, 1, at(day), tmp_path)
    assert found.code == REPRODUCED
    assert "what was published then" in found.detail
    assert amounts(found, "replayed") == published(history, at(day))
    assert all(row[f"delta_{cost}"] == 0 for row in rows(found) for cost in BOTH)


def test_what_was_published_then_stays_so_after_policy_and_landed_evidence_moved_on(
    history: History, tmp_path: Path
):
    before = published(history, at(6))
    history.closed()
    history.record()
    (history.folder / "policies" / "policy-1.yaml").unlink()  # the frozen document is enough
    found = then(history, 1, at(6), tmp_path)
    assert found.code == REPRODUCED
    assert amounts(found, "replayed") == before


def test_the_same_version_on_todays_evidence_is_something_else_and_says_so(
    history: History, tmp_path: Path
):
    old, new = then(history, 1, at(6), tmp_path / "then"), today(history, 1, tmp_path / "today")
    assert "the evidence of state 1, which stood as of 2026-10-06T12:00:00+00:00" in old.line()
    assert "today's evidence (landing 6)" in new.line()
    assert "worked-day version 1 on" in new.line()
    # state 3 is version 1 on what is landed now: late spans and restated bill included
    assert amounts(new, "replayed") == published(history, at(8))
    assert amounts(new, "replayed") != amounts(old, "replayed")


def test_another_version_on_the_evidence_of_then_is_compared_with_what_was_published_then(
    history: History, tmp_path: Path
):
    found = then(history, 2, at(7), tmp_path)
    assert found.code == REPRODUCED
    assert amounts(found, "recorded") == published(history, at(7))
    assert amounts(found, "replayed") != published(history, at(7))
    versions = {
        (row["recorded_policy_version"], row["replayed_policy_version"]) for row in rows(found)
    }
    assert versions == {(1, 2)}
    for cost in BOTH:
        sums = [
            sum(row[f"{side}_{cost}"] for row in rows(found)) for side in ("recorded", "replayed")
        ]
        assert sums[0] == sums[1], "both divide one bill"


def test_a_version_that_reads_spans_otherwise_reads_what_had_landed_then(tmp_path: Path):
    """The answer of a deployment that had published that version in time."""
    alias = ("tenant_tag: tenant\n", "tenant_tag: tenant\n  tenant_aliases: {tenant-a: acme}\n")
    early = worked_day(tmp_path / "early")
    rewrite(early.folder / "policies" / "policy-1.yaml", *alias)
    early.record()
    late = worked_day(tmp_path / "late")
    late.record()
    late.late_spans()
    late.record()
    late.published(2, *alias)
    found = then(late, 2, at(6), tmp_path / "out")
    assert "operations derived again from what had landed then, landing 4" in found.evidence
    assert amounts(found, "replayed") == published(early, at(6))
    assert "acme" in {row["tenant_id"] for row in rows(found)}


def test_who_signed_is_known_to_a_version_that_reads_spans_otherwise(tmp_path: Path):
    call = Call(1, 1_000_000, {}, envelope=signed_token(tmp_path))
    day = meter_day(tmp_path, [call], deployment=KEYED)
    day.published(2, "meters:\n", "join: {attributes: {tenant_id: [app.tenant]}}\nmeters:\n")
    found = then(day, 2, day.now, tmp_path / "out")
    assert "derived again" in found.evidence
    assert {row["tenant_id"] for row in rows(found) if row["replayed_billed_cost"]} == {"acme"}


def test_a_comparison_touches_no_table_of_the_lake(history: History, tmp_path: Path):
    def tables():
        storage = history.folder / "lake"
        return {
            path: path.stat().st_mtime_ns
            for name in ("ledger", "operation_costs", "operations", "ledger_revisions", "manifests")
            for path in (storage / name).rglob("*")
            if path.is_file()
        }

    before = tables()
    then(history, 2, at(7), tmp_path / "then")
    today(history, 1, tmp_path / "today")
    assert tables() == before


def test_the_file_says_what_it_compares(history: History, tmp_path: Path):
    found = then(history, 2, at(7), tmp_path)
    said = {
        key.decode(): value.decode() for key, value in pq.read_schema(found.file).metadata.items()
    }
    assert (
        said["recorded"]
        == found.recorded
        == ("state 2 under version 1, published 2026-10-07T04:00:00+00:00")
    )
    assert said["replayed"] == "worked-day version 2"
    assert said["evidence"] == found.evidence


def test_sums_by_tenant_are_the_sums_of_the_rows(history: History, tmp_path: Path):
    found = then(history, 2, at(7), tmp_path)
    sums = replaying.tenants_of(history.house(), [found.file], tmp_path)
    assert pq.read_table(tmp_path / "tenants.parquet").to_pylist() == sums
    tenants = [row["tenant_id"] for row in sums if row["tenant_id"]]
    assert tenants == sorted(tenants)
    for row in sums:
        mine = [
            found for found in rows(found)
            if found["tenant_id"] == row["tenant_id"]
            and (row["tenant_id"] or found["unallocated_reason"] == row["unallocated_reason"])
        ]  # fmt: skip
        assert row["delta_effective_cost"] == sum(r["delta_effective_cost"] for r in mine)


def test_a_version_that_nobody_published_is_refused(history: History):
    with pytest.raises(Refusal, match="there is no version 9; published are: 1, 2"):
        replaying.version_of(history.house(), 9)


def test_a_policy_that_cannot_be_used_on_the_evidence_is_refused_with_day_and_version(
    history: History, tmp_path: Path
):
    tokens = "token_kind: cache_read\n    tokens_per_unit: {%s: 1000}"
    history.published(3, tokens % "1000 Tokens", tokens % "Barrels")
    with pytest.raises(Refusal, match=r"2026-10-05 under version 3: .*1000 Tokens"):
        then(history, 3, at(7), tmp_path)


def test_a_missing_input_of_then_is_named(history: History, tmp_path: Path):
    (entry,) = history.house().lake.document(history.state(2))["inputs"]["usage"]["files"]["usage"]
    path = history.damage(entry)
    found = then(history, 1, at(7), tmp_path)
    assert found.code == INPUT_GONE
    assert str(path) in found.detail
    assert found.file is None


def test_a_recorded_day_that_does_not_add_up_is_compared_with_nothing(
    history: History, tmp_path: Path
):
    def short(ledger):
        place = place_of(ledger, basis="driver", tenant_id="tenant-a")
        amount = ledger["billed_cost"][place].as_py() - Decimal("0.01")
        return with_value(ledger, place, "billed_cost", amount)

    history.record_otherwise({"ledger": short})
    found = today(history, 1, tmp_path)
    assert (found.code, found.file) == (NOT_CONSERVED, None)
    assert found.detail.startswith("the recorded day does not conserve: ")
