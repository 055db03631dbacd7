"""A person publishes a policy version, reads in Dagster's UI which days it makes stale, pastes the
range into the backfill dialog, and sees those days re-reconciled; a closed day waits for force."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.assets.ledger import FORCE
from attribution_pipeline.orchestration.digests import bring_up_to_date
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline_tests.orchestration.four_days import (
    CLOSED,
    DAYS,
    LEFT_ALONE,
    STALE,
    four_days,
    publish_second,
)
from attribution_pipeline_tests.orchestration.servers import (
    CHROMIUM,
    Dagster,
    dagster,
    dagster_home,
    page_on,
    photograph,
    wait_for,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

RUNS_S = 240.0
"""The daemon looks at backfills every 30 s and takes two runs at a time, on a busy machine."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        shutil.which(CHROMIUM) is None,
        reason=f"{CHROMIUM} is not installed: apt-get install chromium",
    ),
]


@dataclass(frozen=True)
class Place:
    """The deployment, recorded under version 1, and the Dagster that serves it."""

    file: Path
    server: Dagster

    @property
    def house(self) -> House:
        """Opened anew: runs are other processes."""
        return House(load_deployment(self.file))

    def states(self) -> dict[date, int]:
        """The newest state of every day."""
        return {state.day: state.state for state in self.house.lake.states()}

    def rows(self, table: str, day: date) -> list[dict[str, Any]]:
        """A day's rows of a lake's table."""
        rows: list[dict[str, Any]] = self.house.lake.read(table, day, day).to_pylist()
        return rows


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Four copies of the worked day, recorded, then version 2 published."""
    file = four_days(tmp_path / "company")
    home = dagster_home(tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    assert run_days(load_deployment(file), DAYS[0], DAYS[-1]).failures == []
    bring_up_to_date(House(load_deployment(file)))  # as the job landing does; run_days does not
    publish_second(file.parent / "policies")
    with dagster(file, home) as server:
        yield Place(file, server)


@pytest.fixture
def page(place: Place) -> Iterator[Page]:
    with page_on(place.server, height=1200) as opened:
        yield opened


def test_the_range_of_the_check_backfills_what_a_policy_made_stale(
    place: Place, page: Page
) -> None:
    before = {day: place.rows("ledger", day) for day in DAYS}

    _execute_stale_partitions(page, place.server)
    page.get_by_text("Out of date: 2 days (policy of 2)").wait_for()
    pasted, closed = _value(page, "range_to_paste"), _value(page, "range_that_needs_force")
    assert closed == CLOSED.isoformat()
    photograph(page, "stale-check")

    _launch(page, place.server, pasted, "Launch backfill", "backfill-dialog")
    _launch(page, place.server, closed, "Launch 1 run")  # without the tag: nothing is to happen
    _wait_for_backfill(place.server)
    _wait_for_runs(place.server, CLOSED, 2)

    assert place.states() == {LEFT_ALONE: 1, CLOSED: 1, **dict.fromkeys(STALE, 2)}
    for day in STALE:
        changed = _require_policy_change(place, day, before[day], forced=False)
        shown = _partition(page, place.server, day, f"backfilled-{day}")
        assert re.search(r"\bstate\s+2\b", shown)
        assert f"{changed} rows (policy_change), " in shown
        assert " USD added" in shown
        assert "worked-day version 2, digest " in shown

    shown = _partition(page, place.server, CLOSED, "closed-day")
    assert re.search(r"\bstate\s+1\b", shown)
    assert "nothing in this run" in shown
    assert "keeps policy version 1, though version 2 is in force" in shown
    assert f"or launch it with the run tag {FORCE}: true" in shown

    _launch(page, place.server, closed, "Launch 1 run", "force-dialog", tag=(FORCE, "true"))
    _wait_for_runs(place.server, CLOSED, 3)
    assert place.states() == {LEFT_ALONE: 1, **dict.fromkeys((CLOSED, *STALE), 2)}
    changed = _require_policy_change(place, CLOSED, before[CLOSED], forced=True)
    shown = _partition(page, place.server, CLOSED, "forced-day")
    assert f"{changed} rows (policy_change), " in shown
    assert " USD added" in shown
    assert "forced over a closed period" in shown

    assert place.rows("ledger", LEFT_ALONE) == before[LEFT_ALONE]
    # each run asked the check again, the last one after all days were recorded
    _open_stale_partitions(page, place.server)
    page.get_by_text("Every recorded day is what it would be today.").wait_for()
    photograph(page, "stale-check-after")


# -- in the browser --------------------------------------------------------------------------------


def _open_stale_partitions(page: Page, server: Dagster) -> None:
    page.goto(f"{server.url}/assets/attribution_ledger?view=checks&checkDetail=stale_partitions")


def _execute_stale_partitions(page: Page, server: Dagster) -> None:
    """Only this check: a policy that was published shows in it at once."""
    _open_stale_partitions(page, server)
    page.get_by_text("Execute", exact=True).click()


def _value(page: Page, name: str) -> str:
    """What stands beside a name in the metadata."""
    return page.locator("tr", has_text=name).last.locator("td").last.inner_text().strip()


def _launch(
    page: Page,
    server: Dagster,
    days: str,
    button: str,
    shot: str = "",
    tag: tuple[str, str] | None = None,
) -> None:
    """The ledger's dialog, ``days`` pasted into it as they are."""
    page.goto(f"{server.url}/assets/attribution_ledger?view=partitions")
    page.get_by_text("Materialize…", exact=True).click()
    # one computation, one commit: Dagster says that operation_costs comes with it
    page.get_by_role("dialog").get_by_text("Confirm").click()
    dialog = page.get_by_role("dialog")
    partitions = dialog.locator("input[type=text]").first
    partitions.fill(days)
    partitions.press("Enter")
    launch = dialog.get_by_text(button, exact=True)
    launch.wait_for()
    if tag is not None:
        _add_tag(page, *tag)
    if shot:
        photograph(page, shot)
    launch.click()
    dialog.wait_for(state="hidden")


def _add_tag(page: Page, name: str, value: str) -> None:
    page.get_by_role("dialog").get_by_text("Tags", exact=True).click()
    page.get_by_text("Add tags", exact=True).click()
    page.get_by_placeholder("Tag Key").fill(name)
    page.get_by_placeholder("Tag Value").fill(value)
    page.get_by_text("Apply", exact=True).click()
    page.get_by_text(f"{name}: {value}", exact=True).wait_for()


def _partition(page: Page, server: Dagster, day: date, name: str) -> str:
    """The text of a partition's page."""
    page.goto(f"{server.url}/assets/attribution_ledger?view=partitions&partition={day}")
    page.get_by_text("content_digest").wait_for()
    photograph(page, name)
    return " ".join(page.locator("body").inner_text().split())


# -- what came of it -------------------------------------------------------------------------------


def _wait_for_backfill(server: Dagster) -> None:
    def done() -> bool:
        data = server.ask(
            "{ partitionBackfillsOrError { ... on PartitionBackfills { results { status } } } }"
        )
        found = [one["status"] for one in data["partitionBackfillsOrError"]["results"]]
        assert "COMPLETED_FAILED" not in found, server.log.read_text()[-3000:]
        return found == ["COMPLETED_SUCCESS"]

    wait_for("the backfill", done, RUNS_S, server.log)


def _wait_for_runs(server: Dagster, day: date, number: int) -> None:
    """All runs of one day, whoever launched them."""
    query = """query ($day: String!) {
      runsOrError(filter: {tags: [{key: "dagster/partition", value: $day}]}) {
        ... on Runs { results { status } } } }"""

    def done() -> bool:
        data = server.ask(query, day=day.isoformat())
        found = [run["status"] for run in data["runsOrError"]["results"]]
        assert "FAILURE" not in found, server.log.read_text()[-3000:]
        return found == ["SUCCESS"] * number

    wait_for(f"run {number} of {day}", done, RUNS_S, server.log)


def _require_policy_change(
    place: Place, day: date, before: Sequence[dict[str, Any]], *, forced: bool
) -> int:
    """The day's second state: the same bill, other rows, each change with its cause. Returns how
    many rows changed."""
    changes = place.rows("ledger_revisions", day)
    assert {(row["cause"], row["policy_version"], row["forced"]) for row in changes} == {
        ("policy_change", 2, forced)
    }
    after = {row["attribution_id"]: row for row in place.rows("ledger", day)}
    standing = {row["attribution_id"]: row for row in before}
    assert standing.keys() <= after.keys()  # support vanishes, rows don't
    revised = {row["attribution_id"] for row in changes}
    for key, row in after.items():
        assert row["revision"] == (2 if key in revised and key in standing else 1)
        amounts = (row["billed_cost"], row["effective_cost"])
        was = standing.get(key)
        same = was is not None and amounts == (was["billed_cost"], was["effective_cost"])
        assert same == (key not in revised)
    for cost in ("billed_cost", "effective_cost"):
        assert _sum(after.values(), cost) == _sum(before, cost)
    return len(changes)


def _sum(rows: Iterable[dict[str, Any]], cost: str) -> Decimal:
    return sum((row[cost] for row in rows), Decimal(0))
