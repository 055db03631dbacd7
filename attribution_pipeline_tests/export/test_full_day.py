"""A day with everything that a bill may have, exported: sums, shapes, safety, refusals."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.export.focus import Wanted
from attribution_pipeline.lake.soundness import files_named
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.export import export_focus
from attribution_pipeline.orchestration.house import House
from attribution_pipeline_tests.export.conftest import FullDay, exported_day
from attribution_pipeline_tests.export.deployments import (
    DAY,
    FORMULA,
    ODD_TENANT,
    bill,
    full_lines,
    recorded,
)
from attribution_pipeline_tests.export.mutations import MUTATIONS
from attribution_pipeline_tests.export.oracle import found_wrong

PARQUET = f"cost-and-usage-{DAY}.parquet"
CSV = f"cost-and-usage-{DAY}.csv"
OLDER = Wanted(versions=("1.2",), formats=("parquet",))


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.*")
        if path.is_file()
    }


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
def test_rows_are_what_the_oracle_asks_for(full_day: FullDay, version: str):
    assert full_day.wrong(full_day.rows(version)) == []


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_the_oracle_notices_each_mutation(full_day: FullDay, name: str):
    assert full_day.wrong(MUTATIONS[name](full_day.rows("1.4")))


def test_the_spec_of_each_version_has_its_columns_in_order(full_day: FullDay):
    found = {
        version: pq.read_schema(full_day.out / f"focus-{version}" / PARQUET).names
        for version in ("1.2", "1.3", "1.4")
    }
    for names in found.values():
        focus = [name for name in names if not name.startswith("x_")]
        assert names == [*sorted(focus), *sorted(set(names) - set(focus))]
        assert {"x_TenantId", "x_Confidence", "x_PolicyDigest", "x_Dataset"} <= set(names)
    split = {"AllocatedMethodId", "AllocatedMethodDetails", "AllocatedResourceId", "AllocatedTags"}
    assert not split & set(found["1.2"])
    assert {f"x_{name}" for name in split} <= set(found["1.2"])
    assert split <= set(found["1.3"]) & set(found["1.4"])
    assert {"ProviderName", "PublisherName"} <= set(found["1.2"]) & set(found["1.3"])
    assert not {"ProviderName", "PublisherName"} & set(found["1.4"])
    assert "CapacityReservationId" not in found["1.4"], "nothing in the bill has one"


def test_a_line_goes_to_the_tenant_that_its_own_tag_names(full_day: FullDay):
    rows = [row for row in full_day.rows("1.4") if row["ResourceId"] == "bucket-shared"]
    said = {row["x_TenantId"]: (row["BilledCost"], row["PricingQuantity"]) for row in rows}
    assert said == {"tenant-a": (Decimal("0.7"), 70), ODD_TENANT: (Decimal("0.1"), 10)}


def test_unallocated_stays_visible_with_its_reason_and_nothing_is_lost(full_day: FullDay):
    billed: dict[Any, Decimal] = defaultdict(Decimal)
    for row in full_day.rows("1.4"):
        billed[row["x_TenantId"], row["x_UnallocatedReason"]] += row["BilledCost"]
    posted: dict[Any, Decimal] = defaultdict(Decimal)
    for row in full_day.ledger:
        posted[row["tenant_id"], row["unallocated_reason"]] += row["billed_cost"]
    assert billed.pop((None, "no_cost")) == 0, "the free bucket"
    assert billed == posted
    assert all(reason for tenant, reason in billed if tenant is None)


def test_a_month_in_days_keeps_its_price_in_every_part(full_day: FullDay):
    plan = [row for row in full_day.rows("1.4") if row["ResourceId"] == "index-plan"]
    assert plan
    for row in plan:
        assert row["ListCost"] == row["ListUnitPrice"] * row["PricingQuantity"]
        assert row["ChargePeriodStart"].day == 1, "the line's own period"
        assert row["x_ChargeDate"] == DAY.isoformat()


def test_nulls_stand_where_the_standard_wants_them(full_day: FullDay):
    taxes = [row for row in full_day.rows("1.4") if row["ChargeCategory"] == "Tax"]
    assert taxes
    for row in taxes:
        assert [row[name] for name in ("PricingQuantity", "PricingUnit", "ConsumedQuantity",
                                       "ListUnitPrice", "SkuId", "PricingCategory")] == [None] * 6  # fmt: skip
    unused = [r for r in full_day.rows("1.4") if r["CommitmentDiscountStatus"] == "Unused"]
    assert unused
    assert {row["ConsumedQuantity"] for row in unused} == {None}
    purchases = [row for row in full_day.rows("1.4") if row["ChargeCategory"] == "Purchase"]
    assert sum(row["CommitmentDiscountQuantity"] for row in purchases) == Decimal("139.5")


def test_no_cell_of_a_csv_is_a_formula_and_parquet_keeps_the_text(full_day: FullDay):
    with (full_day.out / "focus-1.4" / CSV).open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    assert "'" + FORMULA in {row["ResourceName"] for row in cells}
    assert FORMULA in {row["ResourceName"] for row in full_day.rows("1.4")}
    for row in cells:
        assert not [
            v for v in row.values() if v[:1] in set("=+@\t\r") or (v[:1] == "-" and not _number(v))
        ]
    assert ODD_TENANT in {row["x_TenantId"] for row in cells}


def _number(text: str) -> bool:
    return text[1:].replace(".", "", 1).isdigit()


def test_csv_and_parquet_say_the_same(full_day: FullDay):
    rows = full_day.rows("1.4")
    with (full_day.out / "focus-1.4" / CSV).open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    assert len(rows) == len(cells)
    for row, cell in zip(rows, cells, strict=True):
        for name, value in row.items():
            if isinstance(value, Decimal):
                assert Decimal(cell[name]) == value
                assert "E" not in cell[name]
            elif value is None:
                assert cell[name] == ""
        assert cell["ChargePeriodStart"] == f"{row['ChargePeriodStart']:%Y-%m-%dT%H:%M:%SZ}"


def test_an_export_says_that_it_is_derived_of_what_and_under_which_rule(full_day: FullDay):
    folder = full_day.out / "focus-1.3"
    said = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    assert said["Derived"]["IsDerived"] is True
    assert "Never add it" in said["Derived"]["Statement"]
    (day,) = said["Days"]
    head = full_day.house.lake.head(DAY)
    assert head is not None
    assert (day["Manifest"], day["PolicyDigest"]) == (head.manifest_id, head.policy_digest)
    files = {one["Path"]: one["Sha256"] for one in said["Files"]}
    assert files == {name: found for name, found in digests(folder).items() if name in files}
    origins = {row["x_OriginId"] for row in full_day.rows("1.3")}
    assert said["Tally"]["LineSlices"] == full_day.done.tally.lines == len(origins)
    assert {row["x_Dataset"] for row in full_day.rows("1.3")} == {"derived:attribution-ledger"}
    metadata = pq.read_schema(folder / PARQUET).metadata
    assert b"Never add it" in metadata[b"x_derived"]


def test_the_same_state_gives_the_same_bytes(full_day: FullDay, own: House, tmp_path: Path):
    export_focus(own, None, None, Wanted(), tmp_path / "again")
    assert digests(tmp_path / "again") == digests(full_day.out)


def test_a_tenants_export_has_its_rows_as_they_are(full_day: FullDay, tmp_path: Path):
    wanted = Wanted(versions=("1.4",), formats=("parquet",), tenant="tenant-a")
    export_focus(full_day.house, None, None, wanted, tmp_path)
    found = pq.ParquetFile(tmp_path / "focus-1.4" / PARQUET).read().to_pylist()
    assert found == [row for row in full_day.rows("1.4") if row["x_TenantId"] == "tenant-a"]


def test_a_billing_period_has_what_it_bills_whichever_day_that_is_of(
    full_day: FullDay, tmp_path: Path
):
    wanted = Wanted(versions=("1.4",), formats=("parquet",), period=date(2026, 11, 1))
    export_focus(full_day.house, None, None, wanted, tmp_path)
    found = pq.ParquetFile(tmp_path / "focus-1.4" / PARQUET).read().to_pylist()
    assert {row["ChargeClass"] for row in found} == {"Correction"}
    assert sum(row["BilledCost"] for row in found) == -1


def test_an_older_state_is_exported_as_it_was(full_day: FullDay, own: House, tmp_path: Path):
    then = own.lake.states(DAY)[0].published_at
    dearer = [
        line | {"BilledCost": line["BilledCost"].replace("3.61", "4.61")} for line in full_lines()
    ]
    bill(own, dearer)
    export_focus(own, None, None, OLDER, tmp_path / "now")
    export_focus(own, None, None, OLDER, tmp_path / "then", as_of=then)
    before = (full_day.out / "focus-1.2" / PARQUET).read_bytes()
    assert (tmp_path / "then" / "focus-1.2" / PARQUET).read_bytes() == before
    assert (tmp_path / "now" / "focus-1.2" / PARQUET).read_bytes() != before
    with pytest.raises(Refusal, match="is recorded by"):
        export_focus(own, None, None, OLDER, tmp_path / "no", as_of=then - timedelta(seconds=1))


def test_a_closed_period_that_holds_is_exported_as_it_is_held(tmp_path: Path):
    """A line dearer than it was closed, and one taken back: its rows cancel out, on no line."""
    house = recorded(tmp_path / "day", full_lines(), held=True)
    dearer = [
        line | {"BilledCost": line["BilledCost"].replace("3.61", "4.61")}
        for line in full_lines()
        if line["ResourceId"] != "bucket-back"
    ]
    bill(house, dearer)
    found = exported_day(house, tmp_path / "out")
    held = [row for row in found.ledger if row["unallocated_reason"] == "held"]
    assert sorted(row["billed_cost"] for row in held) == [Decimal("0.02"), Decimal(1)]
    gone = {row["charge_id"] for row in held if row["resource_id"] == "bucket-back"}
    assert found.done.tally.ledger_rows_without_a_line == 2
    there = [row for row in found.ledger if row["charge_id"] not in gone]
    rows = found.rows("1.4")
    assert found_wrong(rows, there, found.evidence, DAY, DAY) == []
    assert {row["BilledCost"] for row in rows if row["x_UnallocatedReason"] == "held"} == {
        Decimal(1)
    }


def test_a_flipped_bit_in_any_file_is_refused_by_name_and_nothing_is_written(
    own: House, tmp_path: Path
):
    head = own.lake.head(DAY)
    assert head is not None
    named = {stored.path for _, stored in files_named(own.lake.document(head))}
    folder = own.lake.storage
    log = [path.relative_to(folder).as_posix() for path in folder.glob("ledger/_delta_log/*.json")]
    landed = [file.path for file in own.landed.files("billing")]
    assert len(named) > 5
    for name in [*sorted(named), *log, *landed, head.manifest_file.path]:
        path = folder / name
        content = path.read_bytes()
        at = len(content) // 2
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        with pytest.raises(Refusal) as refused:
            export_focus(House(own.deployment), None, None, OLDER, tmp_path / "out")
        assert name in refused.value.line() or "_delta_log" in refused.value.line()
        assert not list((tmp_path / "out").rglob("*.parquet"))
        path.write_bytes(content)
    export_focus(House(own.deployment), None, None, OLDER, tmp_path / "out")


def test_an_older_export_is_replaced_as_a_whole_and_nothing_else_is(own: House, tmp_path: Path):
    export_focus(own, None, None, Wanted(versions=("1.2",)), tmp_path)
    export_focus(own, None, None, OLDER, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("focus-*/*")) == [PARQUET, "metadata.json"]
    (tmp_path / "focus-1.3").mkdir()
    (tmp_path / "focus-1.3" / "mine.txt").write_text("mine")
    with pytest.raises(Refusal, match="no export"):
        export_focus(own, None, None, Wanted(versions=("1.2", "1.3")), tmp_path)
    assert (tmp_path / "focus-1.3" / "mine.txt").read_text() == "mine"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_bill_of_the_test_has_one_line_of_everything():
    assert {line["ChargeCategory"] for line in full_lines()} == {
        "Usage",
        "Purchase",
        "Tax",
        "Credit",
    }
    assert {line["CommitmentDiscountStatus"] for line in full_lines() if line.get("CommitmentDiscountStatus")} == {"Used", "Unused"}  # fmt: skip
