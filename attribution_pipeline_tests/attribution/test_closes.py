"""Which charges are closed, by what, and when that settles them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.attribution.billing import billing_plane
from attribution_pipeline.attribution.closes import billed_periods, charge_days, closes_plane
from attribution_pipeline.attribution.day import Compute, Landed, Plane, SourceFacts
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline_tests.attribution.days import DAY, METERS, MIDNIGHT, Row, _land, line

PERIOD_OVER = datetime(2026, 11, 1, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 12, tzinfo=UTC)
SETTLES = MIDNIGHT + timedelta(days=1 + 3)
"""The end of the day and 72 hours."""
FACTS = SourceFacts({"bill": "append"})
COMPUTE = Compute(2, "1GB")
POLICY = parse_policy(f"{METERS}settlement: {{provisional_for: 72h}}\n")


def record(status: str = "closed", *, at: int = 1, **columns: Any) -> Row:
    """A close record of account ``acct``, said ``at`` hours after the period's end."""
    return {
        "source": "closes", "object_id": "c", "position": at, "evidence": "close_record",
        "issuer": "Vendor", "account": "acct", "billing_period": date(2026, 10, 1),
        "status": status, "closed_at": PERIOD_OVER + timedelta(hours=at),
    } | columns  # fmt: skip


def dataset(status: str = "closed", *, at: int = 1) -> Row:
    """A row of the issuer's BillingPeriod dataset."""
    return record(status, at=at, evidence="billing_period", account=None)


def invoiced(position: int = 1, **columns: Any) -> Row:
    """A line with an invoice id."""
    return line(position, "1", **({"InvoiceId": "inv-1"} | columns))


def landed(folder: Path, lines: Sequence[Row], closes: Sequence[Row]) -> Landed:
    folder.mkdir(exist_ok=True)
    return _land(folder, {"billing": lines, "closes": closes}, 1)


def plane(
    folder: Path,
    lines: Sequence[Row],
    closes: Sequence[Row] = (),
    *,
    now: datetime = LATER,
    on: date = DAY,
    facts: SourceFacts = FACTS,
) -> Plane:
    evidence = landed(folder, lines, closes)
    billing = billing_plane(evidence, facts, on, first_day=DAY, out=folder, compute=COMPUTE)
    return closes_plane(evidence, facts, billing, on, POLICY, now=now, out=folder, compute=COMPUTE)


def settled(folder: Path, *arguments: Any, **options: Any) -> list[Row]:
    (path,) = plane(folder, *arguments, **options).files["settled"]
    return pq.read_table(path).to_pylist()


def closed_by(folder: Path, *arguments: Any, **options: Any) -> str | None:
    """What closes the only charge, having checked that exactly closed charges are settled later."""
    (row,) = settled(folder, *arguments, **options)
    assert row["is_settled"] is (row["closed_by"] is not None)
    found = row["closed_by"]
    assert found is None or isinstance(found, str)
    return found


def test_charge_without_record_and_without_invoice_is_open(tmp_path: Path) -> None:
    (row,) = settled(tmp_path, [line(1, "1")])
    assert len(row["charge_id"]) == 32
    assert {key: value for key, value in row.items() if key != "charge_id"} == {
        "issuer": "Vendor", "account": "acct", "billing_period": date(2026, 10, 1),
        "closed_at": None, "closed_by": None, "is_settled": False,
    }  # fmt: skip


def test_close_record_closes_and_says_when(tmp_path: Path) -> None:
    (row,) = settled(tmp_path, [line(1, "1")], [record(at=5)])
    assert (row["closed_by"], row["closed_at"], row["is_settled"]) == (
        "close_record", PERIOD_OVER + timedelta(hours=5), True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "is_settled"),
    [
        (SETTLES - timedelta(seconds=1), False),
        (SETTLES, True),
        (SETTLES + timedelta(hours=7), True),
    ],
)
def test_charge_closed_too_early_settles_only_when_its_provisional_time_is_over(
    tmp_path: Path, now: datetime, is_settled: bool
) -> None:
    (row,) = settled(tmp_path, [line(1, "1")], [record(closed_at=MIDNIGHT)], now=now)
    assert row["closed_by"] == "close_record"
    assert row["is_settled"] is is_settled


def test_hour_of_the_day_changes_nothing(tmp_path: Path) -> None:
    short = parse_policy(f"{METERS}settlement: {{provisional_for: 6h}}\n")
    evidence = landed(tmp_path, [line(1, "1")], [record(closed_at=MIDNIGHT)])
    billing = billing_plane(evidence, FACTS, DAY, first_day=DAY, out=tmp_path, compute=COMPUTE)
    found = {}
    for hour in (5, 7, 23, 24):
        now = MIDNIGHT + timedelta(days=1, hours=hour)
        found[hour] = closes_plane(
            evidence, FACTS, billing, DAY, short, now=now, out=tmp_path, compute=COMPUTE
        ).digest
    assert found[5] == found[7] == found[23] != found[24]


def test_issuer_wide_record_closes_every_account_and_no_other_issuer(tmp_path: Path) -> None:
    lines = [
        line(1, "1"), line(2, "1", BillingAccountId="other"),
        line(3, "1", InvoiceIssuerName="Another"),
        line(4, "1", BillingPeriodStart=PERIOD_OVER, BillingPeriodEnd=datetime(2026, 12, 1, tzinfo=UTC),
             ChargeClass="Correction"),
    ]  # fmt: skip
    rows = settled(tmp_path, lines, [record(account=None)])
    assert {(row["issuer"], row["account"], str(row["billing_period"])): row["is_settled"]
            for row in rows} == {
        ("Vendor", "acct", "2026-10-01"): True,
        ("Vendor", "other", "2026-10-01"): True,
        ("Another", "acct", "2026-10-01"): False,
        ("Vendor", "acct", "2026-11-01"): False,
    }  # fmt: skip


def test_record_of_an_account_closes_that_account_alone(tmp_path: Path) -> None:
    rows = settled(tmp_path, [line(1, "1"), line(2, "1", BillingAccountId="other")], [record()])
    assert {row["account"]: row["closed_by"] for row in rows} == {
        "acct": "close_record", "other": None,
    }  # fmt: skip


HISTORIES = [
    ([record(at=1), record("open", at=2)], None),
    ([record(at=1), record("open", at=2), record(at=3)], "close_record"),
    ([record(at=1), record("open", at=2, account=None)], None),
    ([record(at=1, account=None), record("open", at=2)], None),
    ([record("open", at=1), record(at=2, account=None)], "close_record"),
    ([dataset(at=1)], "billing_period"),
    ([dataset(at=1), dataset("open", at=2)], None),
    ([dataset("open", at=1), dataset(at=2)], "billing_period"),
    # people outrank the vendor's dataset, whatever is newer
    ([record(at=1), dataset("open", at=2)], "close_record"),
    ([record("open", at=1), dataset(at=2)], None),
    ([dataset(at=1), record(at=2)], "close_record"),
]


@pytest.mark.parametrize(("history", "expected"), HISTORIES)
def test_newest_record_of_the_highest_rank_stands_in_whatever_order_records_arrive(
    tmp_path: Path, history: list[Row], expected: str | None
) -> None:
    for number, order in enumerate(permutations(history)):
        assert closed_by(tmp_path / str(number), [line(1, "1")], order) == expected


def test_records_of_one_instant_have_one_outcome(tmp_path: Path) -> None:
    both = [record("closed", at=1), record("open", at=1, note="x")]
    found = [
        closed_by(tmp_path / str(number), [line(1, "1")], order)
        for number, order in enumerate(permutations(both))
    ]
    assert found[0] == found[1]


def test_record_of_another_period_says_nothing(tmp_path: Path) -> None:
    assert closed_by(tmp_path, [line(1, "1")], [record(billing_period=date(2026, 9, 1))]) is None


# -- invoices ------------------------------------------------------------------------------------


def test_invoice_ids_on_all_lines_close_a_period_that_is_over(tmp_path: Path) -> None:
    (row,) = settled(tmp_path, [invoiced()])
    assert (row["closed_by"], row["closed_at"], row["is_settled"]) == ("invoices", None, True)


@pytest.mark.parametrize(
    ("now", "expected"), [(PERIOD_OVER - timedelta(seconds=1), None), (PERIOD_OVER, "invoices")]
)
def test_period_that_runs_is_not_closed_by_invoices_so_far(
    tmp_path: Path, now: datetime, expected: str | None
) -> None:
    assert closed_by(tmp_path, [invoiced()], now=now) == expected


def test_one_line_without_invoice_leaves_account_and_period_open_on_every_day(
    tmp_path: Path,
) -> None:
    next_day = MIDNIGHT + timedelta(days=1)
    lines = [
        invoiced(1), invoiced(2),
        # of another day and another sku: the whole period counts, not the day
        line(3, "1", ChargePeriodStart=next_day, ChargePeriodEnd=next_day + timedelta(days=1)),
        invoiced(4, BillingAccountId="other"),
        invoiced(5, InvoiceIssuerName="Another"),
    ]  # fmt: skip
    found = {(row["issuer"], row["account"]): row["closed_by"] for row in settled(tmp_path, lines)}
    assert found == {
        ("Vendor", "acct"): None, ("Vendor", "other"): "invoices", ("Another", "acct"): "invoices",
    }  # fmt: skip


def test_line_of_a_superseded_delivery_holds_nothing_open(tmp_path: Path) -> None:
    facts = SourceFacts({"bill": "replace"})
    older = line(1, "1", delivery="a", delivery_order="a")
    newer = invoiced(2, delivery="b", delivery_order="b")
    assert closed_by(tmp_path / "1", [older, newer], facts=facts) == "invoices"
    newer["InvoiceId"], older["InvoiceId"] = None, "inv-0"
    assert closed_by(tmp_path / "2", [older, newer], facts=facts) is None


def test_record_that_says_open_wins_over_invoices(tmp_path: Path) -> None:
    assert closed_by(tmp_path / "1", [invoiced()], [record("open")]) is None
    assert closed_by(tmp_path / "2", [invoiced()], [dataset("open")]) is None
    assert closed_by(tmp_path / "3", [invoiced()], [record("open", account="other")]) == "invoices"


# -- grain and digest ----------------------------------------------------------------------------


def test_one_row_a_charge_and_the_charges_of_the_day_alone(tmp_path: Path) -> None:
    next_day = MIDNIGHT + timedelta(days=1)
    lines = [
        line(1, "1"), line(2, "1", SkuId="sku-1"), line(3, "1"),
        line(4, "1", ChargePeriodStart=next_day, ChargePeriodEnd=next_day + timedelta(days=1)),
    ]  # fmt: skip
    made = plane(tmp_path, lines, [record()])
    rows = pq.read_table(made.files["settled"][0]).to_pylist()
    assert made.rows == {"settled": 2, "is_settled": 2}
    assert len({row["charge_id"] for row in rows}) == len(rows) == 2


def test_digest_moves_with_settlement_alone(tmp_path: Path) -> None:
    lines = [line(1, "1"), line(2, "1", BillingAccountId="other")]
    histories = {
        "open": [],
        "closed": [record()],
        "closed again": [record(), record(at=9, note="twice")],
        "by the vendor": [dataset(), record("open", account="other", at=2)],
        "reopened": [record(), record("open", at=2)],
        "all": [record(account=None)],
    }
    found = {
        name: plane(tmp_path / name, lines, closes).digest for name, closes in histories.items()
    }
    assert found["closed"] == found["closed again"] == found["by the vendor"]
    assert found["open"] == found["reopened"]
    assert len({found["open"], found["closed"], found["all"]}) == 3


def test_amounts_and_invoices_move_no_digest_while_nothing_settles(tmp_path: Path) -> None:
    one = plane(tmp_path / "1", [line(1, "1")], now=SETTLES).digest
    assert plane(tmp_path / "2", [invoiced(1, BilledCost=2)], now=SETTLES).digest == one


def test_day_without_charges_has_no_row(tmp_path: Path) -> None:
    assert settled(tmp_path, [], [record()]) == []


# -- what the command asks -----------------------------------------------------------------------


def test_billed_periods_are_told_with_what_closes_them(tmp_path: Path) -> None:
    september = {
        "BillingPeriodStart": datetime(2026, 9, 1, tzinfo=UTC),
        "BillingPeriodEnd": datetime(2026, 10, 1, tzinfo=UTC),
    }
    evidence = landed(
        tmp_path,
        [line(1, "1"), line(2, "1"), invoiced(3, **september), line(4, "1", BillingAccountId="b")],
        [record("open", at=3), record(at=2)],
    )
    found = billed_periods(evidence, FACTS, now=LATER, compute=COMPUTE)
    assert [(one.account, str(one.billing_period), one.closed_by, one.record_at) for one in found] == [
        ("acct", "2026-09-01", "invoices", None),
        ("acct", "2026-10-01", None, PERIOD_OVER + timedelta(hours=3)),
        ("b", "2026-10-01", None, None),
    ]  # fmt: skip


def test_days_of_a_period_are_those_on_which_its_lines_fall(tmp_path: Path) -> None:
    start = MIDNIGHT + timedelta(days=4)
    evidence = landed(
        tmp_path,
        [
            line(1, "1"),
            line(2, "1", ChargePeriodStart=start, ChargePeriodEnd=start + timedelta(days=2)),
            # whole on its first day
            line(3, "1", ChargeFrequency="One-Time", ChargePeriodStart=MIDNIGHT + timedelta(days=9),
                 ChargePeriodEnd=PERIOD_OVER),
            line(4, "1", BillingAccountId="other", ChargePeriodStart=start + timedelta(days=7),
                 ChargePeriodEnd=start + timedelta(days=8)),
        ],
        [],
    )  # fmt: skip
    mine, other = billed_periods(evidence, FACTS, now=LATER, compute=COMPUTE)
    assert [day.day for day in charge_days(evidence, FACTS, [mine], compute=COMPUTE)] == [
        5, 9, 10, 14,
    ]  # fmt: skip
    assert [day.day for day in charge_days(evidence, FACTS, [mine, other], compute=COMPUTE)] == [
        5, 9, 10, 14, 16,
    ]  # fmt: skip
