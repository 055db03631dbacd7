"""A product owner goes from the month to one call and its outcome in five clicks, back to the charge
that paid for it, and takes home what he saw."""

from __future__ import annotations

import csv
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake import Lake
from attribution_pipeline.views.dashboard.amounts import money
from attribution_pipeline_tests.dashboard.companies import DAYS
from attribution_pipeline_tests.orchestration.servers import CHROMIUM, page_on, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

METRIC = "effective_cost"
START_S = 60.0

SMALL_MENU = 150
"""Pixels of the menu on a telephone: more hides the page."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        shutil.which(CHROMIUM) is None,
        reason=f"{CHROMIUM} is not installed: apt-get install chromium",
    ),
]


@dataclass(frozen=True)
class Served:
    """A running dashboard."""

    url: str
    log: Path


@pytest.fixture(scope="module")
def served(
    deployment_of_company: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """``attribution dashboard`` as people start it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    log = tmp_path_factory.mktemp("served") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "attribution_pipeline", "dashboard", "--no-browser", "--port", str(port),
             "--dagster", "http://127.0.0.1:3000", "--config", str(deployment_of_company)],
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        running = Served(f"http://127.0.0.1:{port}", log)

        def answers() -> bool:
            with urllib.request.urlopen(f"{running.url}/overview", timeout=30) as answer:
                return bool(answer.status == 200)

        try:
            wait_for("the dashboard", answers, START_S, log)
            yield running
        finally:
            process.terminate()
            assert process.wait(30) is not None
    said = log.read_text()
    assert "Traceback" not in said, said


@pytest.fixture
def page(served: Served) -> Iterator[Page]:
    with page_on(served, width=1280, height=900) as opened:  # type: ignore[arg-type]
        yield opened


@pytest.fixture(scope="module")
def ledger(deployment_of_company: Path) -> list[dict]:
    lake = Lake(load_deployment(deployment_of_company).place)
    return lake.read("ledger", DAYS[0], DAYS[-1]).to_pylist()


def _amount(page: Page) -> str:
    return page.locator("[data-amount]").first.inner_text()


def _sum(rows: list[dict]) -> str:
    return money(sum((row[METRIC] for row in rows), Decimal(0)))


def test_from_the_month_to_an_outcome_in_five_clicks_and_back_to_the_charge(
    served: Served, page: Page, ledger: list[dict], deployment_of_company: Path
) -> None:
    page.goto(f"{served.url}/")
    assert _amount(page) == _sum(ledger)
    within: dict[str, str] = {}
    for column, name in (
        ("feature", "chat"),
        ("tenant_id", "acme"),
        ("workflow_id", "chat-assist"),
    ):
        page.locator(f"#by_{column}").get_by_role("link", name=name, exact=True).click()
        within[column] = name
        page.wait_for_url(f"**{column}={name}**")
        rows = [row for row in ledger if all(row[key] == value for key, value in within.items())]
        assert _amount(page) == _sum(rows)
    workflow = page.url
    call, number = _call_with_outcome(page)
    page.goto(workflow)
    page.locator(f'#calls a[href*="call={number}"]').click()
    lake = Lake(load_deployment(deployment_of_company).place)
    parts = lake.read("operation_costs", DAYS[0], DAYS[-1]).to_pylist()
    cost = sum((row[METRIC] for row in parts if row["operation_number"] == int(number)), Decimal(0))
    assert page.locator(".facts .exact").inner_text() == f"{cost:,f}"
    assert "policy 1" in page.locator(".headline").inner_text()
    assert "provisional" in page.locator(".headline").inner_text()

    page.locator("#outcomes tbody a").first.click()  # the fifth; it may follow the page
    page.get_by_role("heading", name="Calls behind it").wait_for()
    page.go_back()
    assert page.url.endswith(call.rpartition("/")[2])

    page.locator("#charges_of_call tbody a").first.click()
    page.get_by_text("ties to the last unit").wait_for()
    charge = re.findall(r"charge=([0-9a-f]+)", page.url)[0]
    assert _amount(page) == _sum([row for row in ledger if row["charge_id"] == charge])
    page.get_by_text("back to the call").click()
    assert page.locator(".facts .exact").inner_text() == f"{cost:,f}"
    span = page.locator("tr", has_text="span").locator("td.code").first.inner_text()
    page.get_by_role("searchbox").fill(span)  # who has only the id of it
    page.get_by_role("searchbox").press("Enter")
    page.locator("#found tbody a").first.click()
    assert page.locator(".facts .exact").inner_text() == f"{cost:,f}"
    assert page.get_by_role("link", name="in Dagster").get_attribute("href") == (
        f"http://127.0.0.1:3000/assets/attribution_ledger?view=partitions&partition={_day(page)}"
    )


def _call_with_outcome(page: Page) -> tuple[str, str]:
    """The address and the number of the dearest call with an outcome."""
    links = page.locator("#calls tbody a").evaluate_all("all => all.map(one => one.href)")
    for link in links:
        page.goto(link)
        page.locator("[data-later]").wait_for(state="detached")
        if page.locator("#outcomes tbody a").count():
            return link, re.findall(r"call=(\d+)", link)[0]
    raise AssertionError("no call of the day has an outcome")


def _day(page: Page) -> str:
    return str(re.findall(r"day=(\d{4}-\d\d-\d\d)", page.url)[0])


def test_what_is_on_the_page_is_taken_home(served: Served, page: Page, tmp_path: Path) -> None:
    page.goto(f"{served.url}/spend?feature=chat")
    rows = page.locator("#by_tenant_id tbody tr").count()
    with page.expect_download() as download:
        page.locator("#by_tenant_id").get_by_role("link", name="CSV").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    with file.open(encoding="utf-8-sig", newline="") as text:
        read = list(csv.DictReader(text))
    assert len(read) >= rows > 1
    assert money(sum((Decimal(row[METRIC]) for row in read), Decimal(0))) == _amount(page)


def test_a_day_is_chosen_in_the_plot_and_light_and_dark_are_readable(
    served: Served, page: Page
) -> None:
    page.goto(f"{served.url}/overview")
    page.locator(".plot a.day").last.click()
    page.wait_for_url(f"**day={DAYS[-1]}**")
    colours = set()
    for _ in range(2):
        page.locator("[data-theme-switch]").click()
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2
    for name in (
        "overview",
        "spend",
        "business",
        "product",
        "workflow",
        "model",
        "platform",
        "governance",
        "backlog",
        "budgets",
        "quality",
        "explain",
        "policy",
        "find?q=nothing",
        "spend?none=tenant_id&unallocated_reason=no_operation_evidence",
    ):
        page.goto(f"{served.url}/{name}")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        inside = page.locator(".scroll").evaluate_all(
            "all => all.map(o => o.scrollWidth - o.clientWidth)"
        )
        assert all(more <= 0 for more in inside), f"a table of {name} is cut off at 1280 px"
        assert wide <= 0, f"{name} scrolls sideways at 1280 px"
    page.set_viewport_size({"width": 420, "height": 900})
    for name in ("overview", "policy"):
        page.goto(f"{served.url}/{name}")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name} scrolls sideways at 420 px"
        assert page.locator("nav.side").evaluate("one => one.offsetHeight") < SMALL_MENU
