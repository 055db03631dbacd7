"""A file that is gone still counts, and a delivery with an earlier name never does: both are said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.lake.landed import LandedStore, records
from attribution_pipeline.sources.landing import LandingReport, Source, land
from attribution_pipeline.sources.standing import EVERY_OBJECT_STANDS
from attribution_pipeline_tests.sources.focus_bills import csv_bytes, row
from attribution_pipeline_tests.sources.landings import report, standing, usage


class Bills:
    """One billing source, and what its landing says."""

    def __init__(self, folder: Path, delivery: str = "replace") -> None:
        self.folder = folder / "in"
        self.folder.mkdir()
        self.store = LandedStore(folder / "lake")
        self.source = Source("billing", "main", self.folder, "focus", delivery)

    def deliver(self, path: str, *rows: dict[str, Any]) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(csv_bytes(*rows))
        return file

    def land(self) -> LandingReport:
        return land([self.source], self.store)

    def told(self) -> list[str]:
        found = self.land()
        said = [line for source in found.sources for line, _ in source.told]
        assert [line for line in found.lines() if line in said] == said
        return said


@pytest.fixture
def bills(tmp_path: Path) -> Bills:
    return Bills(tmp_path)


GONE = "billing main: 1 file is gone from the source and still counts: corrected.csv"


def header_alone(file: Path) -> None:
    file.write_bytes(csv_bytes(row()).splitlines(keepends=True)[0])


def test_a_file_that_is_gone_is_named_in_every_run_until_it_is_withdrawn(bills: Bills) -> None:
    bills.deliver("aws.csv", row(ResourceId="a"))
    wrong = bills.deliver("corrected.csv", row(ResourceId="b"))
    assert bills.told() == []
    wrong.unlink()
    assert bills.told() == [GONE]
    assert bills.told() == [GONE]
    (note,) = bills.land().notes
    assert note.startswith(GONE)
    assert "to withdraw it, put the right content under its path" in note
    header_alone(wrong)
    assert bills.told() == []
    assert len(standing(bills.store, "billing", ["ResourceId"])) == 1
    wrong.unlink()
    assert bills.told() == [], "it counts no more"


def test_a_file_that_is_gone_and_superseded_or_renamed_is_not_named(bills: Bills) -> None:
    first = bills.deliver("run-1/a.csv", row(ResourceId="a"))
    bills.told()
    bills.deliver("run-2/a.csv", row(ResourceId="b"))
    first.unlink()
    assert bills.told() == []
    (bills.folder / "run-2" / "a.csv").rename(bills.folder / "run-2" / "z.csv")
    assert bills.told() == []


def test_an_account_that_no_later_delivery_bills_still_counts(bills: Bills) -> None:
    first = bills.deliver("run-1/a.csv", row(BillingAccountId="other"))
    bills.told()
    bills.deliver("run-2/a.csv", row())
    first.unlink()
    assert bills.told() == [GONE.replace("corrected.csv", "run-1/a.csv")]


def test_additive_bills_and_other_kinds_are_told_of_too(tmp_path: Path) -> None:
    bills = Bills(tmp_path, "append")
    bills.deliver("run-1/corrected.csv", row(ResourceId="a"))
    bills.deliver("run-2/b.csv", row(ResourceId="b"))
    bills.told()
    (bills.folder / "run-1" / "corrected.csv").unlink()
    assert bills.told() == [GONE.replace("corrected", "run-1/corrected")]
    store, reports = LandedStore(tmp_path / "other"), tmp_path / "usage"
    report(reports, "nothing.csv")
    for number in range(5):
        report(reports, f"{number}.csv", f"{number}")
    land([usage(reports)], store)
    (reports / "nothing.csv").unlink()
    for number in range(1, 5):
        (reports / f"{number}.csv").unlink()
    ((line, _),) = land([usage(reports)], store).sources[0].told
    assert line.endswith("4 files are gone from the source and still count: 1.csv, 2.csv, 3.csv and 1 more")  # fmt: skip


def test_a_delivery_that_sorts_before_the_standing_one_is_superseded_on_arrival(
    bills: Bills,
) -> None:
    bills.deliver("aws.csv", row(ResourceId="a"))
    bills.deliver("corrected-1/aws.csv", row(ResourceId="b"))
    assert bills.told() == [], "a history that comes in one landing is no surprise"
    bills.deliver("2026-11-22/aws.csv", row(ResourceId="c"))
    said = "billing main: 2026-11-22 is superseded on arrival by corrected-1 (later name)"
    found = bills.land()
    assert [line for line, _ in found.sources[0].told] == [said]
    assert "subfolder whose name sorts later" in found.notes[0]
    assert bills.told() == [], "on arrival"
    bills.deliver("2026-11-22/aws.csv", row(ResourceId="c"), row(BillingAccountId="other"))
    assert bills.told() == [said.replace("superseded", "in part superseded")]
    bills.deliver("2026-11-23/aws.csv", row(ResourceId="d"))
    bills.deliver("corrected-2/aws.csv", row(ResourceId="e"))
    assert bills.told() == [], "both came in one landing, and the later one stands"


def test_a_rejected_record_of_a_file_that_is_gone_ends_with_a_corrected_file(
    tmp_path: Path,
) -> None:
    """What the check's remedy says."""
    store = LandedStore(tmp_path / "lake")
    file = report(tmp_path / "in", "bad.csv", "many")
    land([usage(tmp_path / "in")], store)
    file.unlink()
    land([usage(tmp_path / "in")], store)
    assert store.rejected_counts() == {("usage", "usage"): {"unreadable_quantity": 1}}
    report(tmp_path / "in", "bad.csv")
    land([usage(tmp_path / "in")], store)
    assert store.rejected_counts() == {}


def test_files_passed_over_are_named_and_what_looks_like_data_waits(bills: Bills) -> None:
    bills.deliver("aws.csv", row())
    for name in ("README.md", "logo.png", "b.txt", "c.txt", "manifest.json", "prices.json"):
        (bills.folder / name).write_text("{}")
    (source,) = bills.land().sources
    assert dict(source.awaiting) == {"not_billing_data": 1}
    (held,) = source.held
    assert (held.path, "deliver it as CSV or Parquet" in held.remedy) == ("prices.json", True)
    (line,) = [line for line in source.lines() if "passed over" in line]
    assert "not_billing_data 5: README.md, b.txt, c.txt and 2 more" in line


def test_kinds_whose_files_rotate_away_are_those_of_which_every_object_stands() -> None:
    assert EVERY_OBJECT_STANDS == records.EVERY_OBJECT_STANDS
