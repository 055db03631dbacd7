"""A person publishes a policy version, reads in Dagster's UI which days it makes stale, pastes the
range into the backfill dialog, and sees those days re-reconciled; a closed day waits for force."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.assets.ledger import FORCE
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline_tests.cases import REPOSITORY, WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY, rewrite
from attribution_pipeline_tests.orchestration.servers import (
    CHROMIUM,
    Dagster,
    dagster,
    dagster_home,
    page_on,
    wait_for,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

LEFT_ALONE, CLOSED, *STALE = (date(2026, 9, 29) + timedelta(days=n) for n in range(4))
"""The new version is effective from the second day on. September is closed."""
DAYS = (LEFT_ALONE, CLOSED, *STALE)

RUNS_S = 240.0
"""The daemon looks at backfills every 30 s and takes two runs at a time, on a busy machine."""
SCREENSHOTS = REPOSITORY / "build" / "screenshots"

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
    file = _four_days(tmp_path / "company")
    home = dagster_home(tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    assert run_days(load_deployment(file), DAYS[0], DAYS[-1]).failures == []
    _publish_second(file.parent / "policies")
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
    _photograph(page, "stale-check")

    _launch(page, place.server, pasted, "Launch backfill", "backfill-dialog")
    _launch(page, place.server, closed, "Launch 1 run")  # without the tag: nothing is to happen
    _wait_for_backfill(place.server)
    _wait_for_runs(place.server, CLOSED, 2)

    assert place.states() == {LEFT_ALONE: 1, CLOSED: 1, **dict.fromkeys(STALE, 2)}
    for day in STALE:
        changed = _require_policy_change(place, day, before[day], forced=False)
        shown = _partition(page, place.server, day, f"backfilled-{day}")
        assert re.search(r"\bstate\s+2\b", shown)
        assert f"{changed} rows (policy_change), moved " in shown
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
    assert f"{changed} rows (policy_change), moved " in shown
    assert "forced over a closed period" in shown

    assert place.rows("ledger", LEFT_ALONE) == before[LEFT_ALONE]
    # each run asked the check again, the last one after all days were recorded
    _open_stale_partitions(page, place.server)
    page.get_by_text("Every recorded day is what it would be today.").wait_for()
    _photograph(page, "stale-check-after")


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
    photograph: str = "",
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
    if photograph:
        _photograph(page, photograph)
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
    _photograph(page, name)
    return " ".join(page.locator("body").inner_text().split())


def _photograph(page: Page, name: str) -> None:
    page.wait_for_timeout(1000)  # pages fade in
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"dagster-{name}.png")


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


# -- the deployment --------------------------------------------------------------------------------


def _four_days(folder: Path) -> Path:
    """The worked day's evidence on each of ``DAYS``, and a record that closes September."""
    shutil.copytree(WORKED_DAY / "policies", folder / "policies")
    rewrite(
        folder / "policies" / "policy-1.yaml",
        "effective_from: 2026-10-01",
        "effective_from: 2026-09-01",
    )
    for path in ("billing/focus.csv", "usage/usage.csv"):
        head, *lines = (WORKED_DAY / path).read_text().splitlines()
        _write(folder / path, [head, *(_on(day, line) for day in DAYS for line in lines)])
    for path in ("opencost/allocation.json", "opencost/assets.json", "spans/traces.jsonl"):
        for day in DAYS:
            place = (folder / path).with_name(f"{day}-{Path(path).name}")
            _write(place, [_on(day, (WORKED_DAY / path).read_text())])
    record = {
        "issuer": "Amazon Web Services", "account": None, "period": "2026-09-01",
        "closed_at": "2026-10-20T00:00:00+00:00", "status": "closed", "closed_by": "finops",
    }  # fmt: skip
    _write(folder / "closes" / "september.jsonl", [json.dumps(record)])
    file = folder / "attribution.yaml"
    text = (WORKED_DAY / "attribution.yaml").read_text()
    _write(file, [text.rstrip(), "  closes:", "    - {name: closes, uri: ./closes}"])
    rewrite(file, f"first_day: {DAY}", f"first_day: {DAYS[0]}")
    return file


def _on(day: date, text: str) -> str:
    """The worked day's evidence as another day's: instants, billing periods, and the names by which
    a call is known."""

    def moved(found: re.Match[str]) -> str:
        return (date.fromisoformat(found[0]) + (day - DAY)).isoformat()

    def months_back(found: re.Match[str]) -> str:
        return f"2026-{int(found[1]) - (DAY.month - day.month):02d}-01T"

    text = re.sub(r"2026-(\d\d)-01T", months_back, text)  # the worked day has no other first
    text = re.sub(r"2026-10-0[56]", moved, text)
    nanoseconds = (day - DAY).days * 86_400 * 10**9
    text = re.sub(
        r'(UnixNano": ")(\d+)', lambda found: f"{found[1]}{int(found[2]) + nanoseconds}", text
    )
    text = re.sub(r'("traceId": ")0000', rf"\g<1>{day:%m%d}", text)
    return re.sub(r'"(msg|cmpl)-', rf'"\1-{day:%m%d}-', text)


def _publish_second(policies: Path) -> None:
    first = (policies / "policy-1.yaml").read_text()
    second = policies / "policy-2.yaml"
    second.write_text(first)
    rewrite(second, "version: 1", "version: 2")
    rewrite(second, "effective_from: 2026-09-01", f"effective_from: {CLOSED}")
    rewrite(second, "driver: usage.query_units", "driver: even")


def _write(place: Path, lines: Sequence[str]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("\n".join(lines) + "\n")
