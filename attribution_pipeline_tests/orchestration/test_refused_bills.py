"""A bill that can't be read, where nothing else bills the month: no day is recorded over it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake import Lake
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.refused_bills import (
    bills_missing,
    refused_bills,
    require_readable_bill,
)
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.orchestration.deployments import DAY, rewrite

BILL = "billing/focus.csv"


@pytest.fixture
def landed(deployment_file: Path) -> Callable[[], House]:
    """Lands what lies in the deployment's sources by now; the house that sees it."""

    def look(now: datetime = datetime(2026, 10, 8, tzinfo=UTC)) -> House:
        house = House(load_deployment(deployment_file), clock=lambda: now)
        land([one for one in house.sources if one.kind == "billing"], house.landed)
        return house

    return look


def unreadable(deployment_file: Path, name: str = BILL) -> Path:
    """The worked day's bill without one of its columns."""
    bill = deployment_file.parent / name
    if name != BILL:
        bill.parent.mkdir(parents=True)
        shutil.copy(deployment_file.parent / BILL, bill)
    rewrite(bill, ",EffectiveCost,", ",Effective,")
    return bill


def test_a_month_whose_only_bill_was_refused_records_no_day_and_fixes_no_policy(
    deployment_file: Path,
) -> None:
    bill = unreadable(deployment_file)
    deployment = load_deployment(deployment_file)
    with pytest.raises(Refusal) as refused:
        run_days(deployment, DAY, DAY)
    line = refused.value.line()
    assert line.startswith(
        f"{bill}: this bill was refused and none of 2026-10 has landed, so 2026-10-05 is not recorded: "
        "is no FOCUS bill: "
    )
    assert "none named EffectiveCost; deliver a FOCUS 1.0 to 1.4" in line
    assert line.endswith("nothing was recorded, and the policy may still be edited")
    assert not Lake(deployment.storage_folder).states()


def test_a_bill_of_which_every_record_is_rejected_is_refused_alike(
    deployment_file: Path, landed: Callable[[], House]
) -> None:
    bill = deployment_file.parent / BILL
    bill.write_text(bill.read_text().replace("USD", "dollars"))
    with pytest.raises(
        Refusal, match=r"focus.csv: this bill .* all of its \d+ records are rejected"
    ):
        require_readable_bill(landed(), DAY)


def test_a_refused_bill_beside_one_that_landed_is_named_and_stops_no_day(
    deployment_file: Path, landed: Callable[[], House]
) -> None:
    other = unreadable(deployment_file, "other/focus.csv")
    rewrite(
        deployment_file,
        "  opencost:",
        "    - {name: other, uri: ./other, format: focus}\n  opencost:",
    )
    house = landed()
    require_readable_bill(house, DAY)
    (line,) = bills_missing(house, DAY)
    assert line.startswith(
        f"nothing that billing other bills is in {DAY}: no row of 2026-10 has landed from it, and {other} "
        "was refused: is no FOCUS bill: "
    )


def test_a_refused_bill_whose_older_content_stands_takes_nothing_back(
    deployment_file: Path, landed: Callable[[], House]
) -> None:
    landed()
    unreadable(deployment_file)
    house = landed()
    require_readable_bill(house, DAY)
    assert bills_missing(house, DAY) == refused_bills(house, DAY) == []


def test_a_bill_that_was_refused_before_a_day_began_is_not_the_one_that_the_day_lacks(
    deployment_file: Path, landed: Callable[..., House]
) -> None:
    unreadable(deployment_file)
    house = landed(datetime(2026, 10, 31, 23, tzinfo=UTC))
    assert [one.path for one in refused_bills(house, date(2026, 10, 31))] == ["focus.csv"]
    require_readable_bill(house, date(2026, 11, 1))
