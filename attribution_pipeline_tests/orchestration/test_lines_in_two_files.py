"""A bill that was put beside its older copy counts twice, and the day says so with the files' names."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.orchestration.checks.alerts import billed_in_two_files
from attribution_pipeline.orchestration.checks.answers import Answer, RecordedDay
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.planes import plane_of_day
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline.proof.lines_in_two_files import Repeated, lines_in_two_files
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.orchestration.deployments import DAY


def bills(house: House) -> Path:
    return house.deployment.storage_folder.parent / "billing"


def charges(house: House) -> list[str]:
    plane = plane_of_day(house, "billing", DAY)
    return [str(path) for path in house.lake.evidence.paths(plane.as_input())["charges"]]


def found(house: House) -> list[Repeated]:
    """What is found in the charges that the day would be computed from now."""
    fresh = House(house.deployment)
    land(fresh.sources, fresh.landed)
    with fresh.lake.staging(DAY) as scratch:
        return lines_in_two_files(charges(fresh), fresh.landed, fresh.compute(scratch))


def charged(house: House) -> Decimal:
    """The bill of the day, as it would be divided now."""
    (path,) = charges(House(house.deployment))
    rows = pq.read_table(path, columns=["billed_cost"])
    return sum(rows["billed_cost"].to_pylist(), Decimal(0))


def answer(house: House) -> Answer:
    return billed_in_two_files(RecordedDay(House(house.deployment), DAY))


def test_a_corrected_bill_beside_the_old_one_is_told_with_its_files(house: House) -> None:
    """One line is corrected, the others stand twice; the right file over the wrong one mends it."""
    before = charged(house)
    assert answer(house).passed
    old = bills(house) / "focus.csv"
    new = old.with_name("focus (1).csv")
    lines = old.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace(",6.00,", ",5.00,", 1)
    new.write_text("".join(lines))
    report = run_days(house.deployment, DAY, DAY)
    (alert,) = [line for line in report.alerts if "lines_in_two_files" in line]
    said = before - 6
    assert (
        f"2026-10-05 lines_in_two_files: billing bill: {len(lines) - 2} lines stand in 2" in alert
    )
    assert f"focus (1).csv and focus.csv, and {said:.2f} USD of the day's bill is" in alert
    assert "a later-named subfolder. To take one back, copy the right file over" in alert
    assert charged(house) == before + said + 5

    shutil.copyfile(new, old)
    assert found(house) == []
    assert charged(house) == before - 1


def test_a_line_that_stands_twice_in_one_file_is_the_vendors(house: House) -> None:
    bill = bills(house) / "focus.csv"
    head, first, *rest = bill.read_text().splitlines(keepends=True)
    bill.write_text("".join([head, first, first, *rest]))
    assert found(house) == []
    # two copies in one file, one in another: one of them is too many
    (bills(house) / "part-2.csv").write_text(head + first)
    (one,) = found(house)
    assert (one.lines, one.billed_cost) == (1, Decimal(6))
    assert one.files == ("focus.csv", "part-2.csv")
    (bills(house) / "part-2.csv").write_text(head)
    assert found(house) == []


def test_parts_of_a_bill_and_lines_that_bill_nothing_are_not_suspect(house: House) -> None:
    bill = bills(house) / "focus.csv"
    head, first, second, *rest = bill.read_text().splitlines(keepends=True)
    free = first.replace(",6.00,", ",0.00,", 1).replace(",5.40,", ",0.00,", 1)
    other = first.replace("main,{}", 'main,"{""team"": ""a""}"')
    assert free != first != other
    bill.write_text("".join([head, first, free, *rest]))
    (bills(house) / "part-2.csv").write_text(head + second + free + other)
    assert found(house) == []


@pytest.mark.parametrize("run", ["20261006T000000Z", None], ids=["a run's folder", "overwritten"])
def test_chunks_that_one_manifest_names_are_the_vendors_own(house: House, run: str | None) -> None:
    inside = "BILLING_PERIOD=2026-10" + (f"/{run}" if run else "")
    bill = bills(house) / "focus.csv"
    chunks = bills(house) / "data" / inside
    chunks.mkdir(parents=True)
    bill.rename(chunks / "focus-1.csv")
    head, first, *_ = (chunks / "focus-1.csv").read_text().splitlines(keepends=True)
    (chunks / "focus-2.csv").write_text(head + first)
    manifest = bills(house) / "metadata" / inside / "focus-Manifest.json"
    manifest.parent.mkdir(parents=True)
    names = [f"s3://bucket/data/{inside}/focus-{number}.csv" for number in (1, 2)]
    manifest.write_text(json.dumps({"dataFiles": names}))
    assert found(house) == []
