"""A person opens Dagster's UI, materializes a day, and sees the ledger and its checks green."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from attribution_pipeline.orchestration.checks.on_ledger import ALERTING, BLOCKING
from attribution_pipeline.orchestration.checks.staleness import STALE_PARTITIONS
from attribution_pipeline_tests.orchestration.deployments import rewrite
from attribution_pipeline_tests.orchestration.servers import (
    CHROMIUM,
    Dagster,
    dagster,
    page_on,
    photograph,
    wait_for,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

RUN_S = 240.0

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        shutil.which(CHROMIUM) is None,
        reason=f"{CHROMIUM} is not installed: apt-get install chromium",
    ),
]


@pytest.fixture
def server(deployment_file: Path, tmp_path: Path) -> Iterator[Dagster]:
    """Dagster on the worked day, its policy content with the gaps that the day has."""
    policy = deployment_file.parent / "policies" / "policy-1.yaml"
    policy.write_text(policy.read_text() + "slo: {unallocated_share: 0.2}\n")
    rewrite(policy, "telemetry_coverage: [0.98, 1.02]", "telemetry_coverage: [0.75, 1.02]")
    with dagster(deployment_file, tmp_path / "home") as running:
        yield running


@pytest.fixture
def page(server: Dagster) -> Iterator[Page]:
    with page_on(server) as opened:
        yield opened


def test_a_day_is_materialized_from_the_ui_and_its_checks_are_green(
    server: Dagster, page: Page
) -> None:
    page.goto(f"{server.url}/locations/attribution_pipeline/jobs/daily")
    page.get_by_text("Materialize all…").click()
    _launch(page, "2026-10-05", "launch")
    _wait_for_runs(server, 1)
    _see_the_ledger(page, server)

    # the ledger alone, from its own page: evidence stands, so nothing changes
    page.goto(f"{server.url}/assets/attribution_ledger")
    page.get_by_text("Materialize…", exact=True).click()
    # one computation, one commit: Dagster says that operation_costs comes with it
    page.get_by_role("dialog").get_by_text("Confirm").click()
    _launch(page, "2026-10-05", "launch-ledger")
    _wait_for_runs(server, 2)
    assert _latest_metadata(server)["unchanged"] is True

    page.goto(f"{server.url}/assets/policy_versions")
    page.get_by_text("Show Markdown").click()
    page.get_by_text("In force from charge day").wait_for()
    photograph(page, "policy")


def _launch(page: Page, day: str, name: str) -> None:
    dialog = page.get_by_role("dialog")
    partitions = dialog.locator("input[type=text]").first
    partitions.fill(day)
    partitions.press("Enter")
    button = dialog.get_by_text("Launch 1 run")
    button.wait_for()
    photograph(page, name)
    button.click()


def _see_the_ledger(page: Page, server: Dagster) -> None:
    page.goto(f"{server.url}/assets/attribution_ledger?view=checks")
    page.get_by_text("Succeeded").first.wait_for()
    shown = page.locator("body").inner_text()
    # a replay is asked for apart, at night
    asked = (*BLOCKING, *ALERTING, STALE_PARTITIONS)
    assert shown.count("Succeeded") == len(asked)
    for name in asked:
        assert name in shown
    photograph(page, "checks")

    page.goto(f"{server.url}/assets/attribution_ledger?view=partitions&partition=2026-10-05")
    page.get_by_text("Materialized", exact=True).first.wait_for()
    page.get_by_text("tie_out").wait_for()
    photograph(page, "partition")

    page.goto(f"{server.url}/assets/attribution_ledger")
    page.get_by_text("Latest check results").wait_for()
    page.get_by_text("top_tenants").wait_for()
    shown = page.locator("body").inner_text()
    assert "27.746368415904" in shown  # tenant-a, effective cost
    photograph(page, "ledger")


def _wait_for_runs(server: Dagster, number: int) -> None:
    def done() -> list[str]:
        data = server.ask("{ runsOrError { ... on Runs { results { status } } } }")
        found = [run["status"] for run in data["runsOrError"]["results"]]
        assert "FAILURE" not in found, server.log.read_text()[-3000:]
        return found if found == ["SUCCESS"] * number else []

    wait_for(f"run {number}", done, RUN_S, server.log)


def _latest_metadata(server: Dagster) -> dict[str, Any]:
    data = server.ask(
        """{ assetOrError(assetKey: {path: ["attribution_ledger"]}) { ... on Asset {
             assetMaterializations(limit: 1) { metadataEntries { label
               ... on BoolMetadataEntry { boolValue } } } } } }"""
    )
    (event,) = data["assetOrError"]["assetMaterializations"]
    return {entry["label"]: entry.get("boolValue") for entry in event["metadataEntries"]}
