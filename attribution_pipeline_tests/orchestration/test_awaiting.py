"""Evidence that lies in a source unread is seen wherever someone looks: run, check, dashboard, list."""

from __future__ import annotations

import csv
import json
import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.lake.landed.rejected import rejected_rows
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline.orchestration.checks.awaiting import awaiting_objects
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline.sources.awaiting import IN_WRITING, size_said
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline.views.dashboard.app import dashboard
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline_tests.dashboard.asking import ask
from attribution_pipeline_tests.operate.commands import attribution
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.sources.focus_bills import csv_bytes, row

DATA = "billing/exp/data/BILLING_PERIOD=2026-10/exp-00001.csv"
MANIFEST = "billing/exp/metadata/BILLING_PERIOD=2026-10/exp-Manifest.json"
NOW = datetime(2026, 10, 7, 12, tzinfo=UTC)
A_MOMENT = timedelta(seconds=1)


def folder_of(house: House) -> Path:
    return house.deployment.path.parent


def deliver(house: House, path: str, text: str, written: datetime) -> Path:
    """A file that was written then."""
    file = folder_of(house) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (written.timestamp(), written.timestamp()))
    return file


def a_bill(house: House) -> str:
    return (folder_of(house) / "billing" / "focus.csv").read_text()


def landed(house: House, now: datetime = NOW) -> House:
    """The house after a landing run, at ``now``."""
    at = House(house.deployment, lambda: now)
    land(at.sources, at.landed)
    return at


def test_a_bill_without_its_manifest_alerts_once_nobody_writes_it(house: House) -> None:
    deliver(house, DATA, a_bill(house), NOW)
    young = awaiting_objects(landed(house, NOW + IN_WRITING - A_MOMENT))
    assert young.passed
    assert young.metadata["awaiting"] == 1
    assert young.description.startswith(
        "1 file waits, written to within 15 minutes and perhaps still "
    )
    assert "copy its metadata/ too" in young.description
    answer = awaiting_objects(landed(house, NOW + IN_WRITING))
    assert not answer.passed
    assert answer.description.startswith("1 file was not read, ")
    assert (
        f"billing bill: {DATA.removeprefix('billing/')}: awaiting_manifest, " in answer.description
    )
    assert "written 2026-10-07 12:00 UTC" in answer.description
    assert "copy its metadata/ too" in answer.description
    size = (folder_of(house) / DATA).stat().st_size
    assert (answer.metadata["overdue"], answer.metadata["overdue_bytes"]) == (1, size)


def test_the_newest_file_of_a_delivery_says_whether_it_is_still_written(house: House) -> None:
    """A large export takes longer than one of its parts."""
    deliver(house, DATA, a_bill(house), NOW - timedelta(hours=1))
    later = deliver(house, DATA.replace("00001", "00002"), a_bill(house), NOW)
    assert awaiting_objects(landed(house)).passed
    os.utime(later, (0, (NOW - IN_WRITING).timestamp()))
    assert "2 files were not read" in awaiting_objects(landed(house)).description


def test_a_manifest_that_waits_for_its_new_files_is_no_older_than_they_are(house: House) -> None:
    """Vendors write over an export in place: for an hour each day its old manifest is not fulfilled."""
    names = {"dataFiles": [f"s3://b/{DATA}", f"s3://b/{DATA.replace('00001', '00002')}"]}
    deliver(house, MANIFEST, json.dumps(names), NOW - timedelta(days=1))
    deliver(house, DATA, a_bill(house), NOW)
    deliver(house, DATA.replace("00001", "00002"), a_bill(house), NOW - timedelta(days=2))
    during = awaiting_objects(landed(house))
    assert (during.passed, during.metadata["awaiting"]) == (True, 3)
    after = awaiting_objects(landed(house, NOW + IN_WRITING))
    assert "is older than" in after.description, "the manifest's own reason, not that of its parts"
    assert "and 1 more" not in after.description
    assert after.metadata["overdue"] == 3


def test_a_policy_may_let_files_wait_and_what_is_read_at_last_waits_no_more(house: House) -> None:
    deliver(house, DATA, a_bill(house), NOW - timedelta(days=1))
    policy = folder_of(house) / "policies" / "policy-1.yaml"
    second = policy.read_text().replace("version: 1", "version: 2")
    second = second.replace("tolerance: {", "tolerance: {awaiting_objects: 1, ")
    assert parse_policy(second).tolerance.awaiting_objects == 1
    assert not awaiting_objects(landed(house)).passed
    policy.with_name("policy-2.yaml").write_text(second)
    assert awaiting_objects(landed(house)).passed
    policy.with_name("policy-2.yaml").unlink()
    deliver(house, MANIFEST, json.dumps({"dataFiles": [f"s3://b/{DATA}"]}), NOW)
    answer = awaiting_objects(landed(house))
    assert (answer.passed, answer.metadata["awaiting"]) == (True, 0)


def test_a_run_alerts_and_the_dashboard_and_the_metrics_know_of_it(house: House) -> None:
    deliver(house, DATA, a_bill(house), datetime.now(UTC) - timedelta(days=1))
    report = run_days(house.deployment, DAY, DAY)
    (alert,) = [line for line in report.alerts if line.startswith("awaiting_objects: ")]
    assert "1 file was not read" in alert
    assert (report.failures, report.on_the_way) == ([], [])
    with closing(Books(house.deployment)) as books:
        page = ask(dashboard(books), "/quality").text
    assert "exp-00001.csv" in page
    assert "1 file waits" in page
    assert "Nothing: every record of these days was read" not in page
    figures = attribution(folder_of(house), "metrics")
    waiting = (
        'attribution_awaiting_objects{kind="billing",reason="awaiting_manifest",source="bill"} 1.0'
    )
    assert waiting in figures
    assert "attribution_overdue_objects 1.0" in figures


def test_a_run_notes_a_bill_that_is_gone_and_alerts_of_a_file_that_no_reader_reads(
    house: House,
) -> None:
    first = run_days(house.deployment, DAY, DAY)
    assert first.notes == []
    (folder_of(house) / "billing" / "focus.csv").unlink()
    deliver(house, "billing/prices.json", "{}", datetime.now(UTC))
    report = run_days(house.deployment, DAY, DAY)
    (note,) = report.notes
    assert note.startswith(
        "billing bill: 1 file is gone from the source and still counts: focus.csv; "
    )
    (alert,) = [line for line in report.alerts if line.startswith("awaiting_objects: ")]
    assert "prices.json: not_billing_data" in alert
    assert report.failures == []
    listed = attribution(folder_of(house), "rejected")
    assert "waits: billing bill: prices.json: not_billing_data" in listed


# -- what was rejected --------------------------------------------------------------------------------


@pytest.fixture
def broken(house: House) -> House:
    """Two usage records that cannot be read, a span file that is none, a bill without manifest."""
    folder = folder_of(house)
    usage = folder / "usage" / "usage.csv"
    lines = "2026-10-05,Pinecone,index-main,t,w,query_units,many\n" * 2
    deliver(house, "usage/usage.csv", usage.read_text() + lines, NOW)
    deliver(house, "spans/=1+1.jsonl", "no JSON\n", NOW)
    deliver(house, DATA, a_bill(house), NOW)
    return landed(house)


def test_rejected_lists_records_by_source_and_reason_and_what_waits(broken: House) -> None:
    said = attribution(folder_of(broken), "rejected").splitlines()
    (usage,) = [line for line in said if line.startswith("usage usage ")]
    assert usage.split()[2:5] == ["unreadable_quantity", "2", "usage.csv"]
    assert any(line.startswith("3 records rejected: spans traces ") for line in said)
    assert any(line.startswith("waits: billing bill: exp/data/") for line in said)


def test_rejected_gives_every_record_and_no_cell_is_a_formula(
    broken: House, tmp_path: Path
) -> None:
    table = tmp_path / "rejected.parquet"
    attribution(folder_of(broken), "rejected", "--out", str(table))
    rows = pq.read_table(table).to_pylist()
    counts = broken.landed.rejected_counts()
    assert len(rows) == sum(sum(reasons.values()) for reasons in counts.values()) == 3
    assert [row["position"] for row in rows if row["kind"] == "usage"] == [4, 5]
    assert all(row["detail"] for row in rows)
    text = tmp_path / "rejected.csv"
    attribution(folder_of(broken), "rejected", "--out", str(text))
    with text.open(newline="") as file:
        cells = list(csv.reader(file))
    assert [cell for row in cells for cell in row if cell.startswith("=")] == []
    assert "'=1+1.jsonl" in [cell for row in cells for cell in row]


def test_a_delivery_that_was_put_right_or_sent_twice_is_listed_as_it_stands(broken: House) -> None:
    usage = folder_of(broken) / "usage" / "usage.csv"
    deliver(broken, "spans/again.jsonl", "no JSON\n", NOW)
    deliver(broken, "usage/usage.csv", "".join(usage.read_text().splitlines(True)[:-1]), NOW)
    landed(broken)
    said = attribution(folder_of(broken), "rejected", "--format", "json", "--from", str(DAY))
    rows = json.loads(said[said.index("[") : said.rindex("]") + 1])
    assert [row["kind"] for row in rows] == ["spans", "usage"]
    assert (
        attribution(folder_of(broken), "rejected", "--from", "2026-11-01").count("usage usage") == 0
    )


def test_a_bill_that_is_read_again_for_its_next_delivery_is_listed_once(tmp_path: Path) -> None:
    """The same file under a new manifest is landed again, and so are the records that it lacks."""
    store = LandedStore(tmp_path / "lake")
    bill = Source("billing", "bill", tmp_path / "billing", "focus", "replace")
    second = DATA.replace("00001", "00002")
    for names in ([DATA], [DATA, second]):
        said = {"executionId": str(len(names)), "dataFiles": [f"s3://b/{name}" for name in names]}
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            other = row(ResourceId=name)
            (tmp_path / name).write_bytes(csv_bytes(other, row(BilledCost="many")))
        (tmp_path / MANIFEST).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / MANIFEST).write_text(json.dumps(said))
        assert land([bill], store).new == len(names)
    assert len(store.rejected_files()) == 2, "else there is nothing to leave out"
    rows = rejected_rows(store).select(["path", "position"]).to_pylist()
    assert [(found["path"][-9:], found["position"]) for found in rows] == [
        ("00001.csv", 2),
        ("00002.csv", 2),
    ]


def test_nothing_rejected_and_nothing_waiting_says_so(house: House) -> None:
    assert attribution(folder_of(house), "rejected") == "no record was rejected\n"


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1250, "1.2 kB"), (999_999, "999.9 kB"),
     (4_000_000_000_000, "4 TB"), (10**16, "10,000 TB")],
)  # fmt: skip
def test_a_size_is_said_in_the_largest_unit_that_fits(size: int, said: str) -> None:
    assert size_said(size) == said
