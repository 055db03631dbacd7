"""A closed day keeps the policy version that it was recorded under, until someone forces it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake.states import Published
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline.orchestration.run_report import RunReport
from attribution_pipeline_tests.orchestration.deployments import DAY, rewrite
from attribution_pipeline_tests.test_cli import run

FILE = "attribution.yaml"


@pytest.fixture(scope="module")
def closed_once(recorded_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded worked day, October closed and the day settled, under version 1."""
    folder = shutil.copytree(recorded_once, tmp_path_factory.mktemp("closed") / "worked_day")
    file = folder / FILE
    file.write_text(file.read_text() + "  closes:\n    - {name: closes, uri: ./closes}\n")
    period = ("--issuer", "Amazon Web Services", "--period", "2026-10")
    closed = run("close", "--config", file, *period)
    assert closed.exit_code == 0, closed.output
    (outcome,) = again(file).days
    assert (outcome.status, outcome.revised, outcome.notes) == ("recorded", "", [])
    assert head(file).settled
    return folder


@pytest.fixture
def config(closed_once: Path, tmp_path: Path) -> Path:
    """The closed day's deployment, the test's own copy."""
    return shutil.copytree(closed_once, tmp_path / "worked_day") / FILE


@dataclass
class Forced:
    """The closed day after version 2 was forced on it."""

    config: Path
    before: Published
    report: RunReport


@pytest.fixture(scope="module")
def forced(closed_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Forced:
    """Read, never written to."""
    file = shutil.copytree(closed_once, tmp_path_factory.mktemp("forced") / "worked_day") / FILE
    before = head(file)
    publish_second(file)
    return Forced(file, before, again(file, force=True))


def again(config: Path, *, force: bool = False) -> RunReport:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        return run_days(load_deployment(config), DAY, DAY, force=force)


def head(config: Path) -> Published:
    found = House(load_deployment(config)).lake.head(DAY)
    assert found is not None
    return found


def publish_second(config: Path, *changes: tuple[str, str]) -> Path:
    first = config.parent / "policies" / "policy-1.yaml"
    second = first.with_name("policy-2.yaml")
    second.write_text(first.read_text())
    rewrite(second, "version: 1", "version: 2")
    for old, new in changes or [("driver: usage.query_units", "driver: even")]:
        rewrite(second, old, new)
    return second


def test_a_new_version_leaves_a_closed_day_alone_and_the_run_says_so(config: Path) -> None:
    before = head(config)
    publish_second(config)
    result = run("run", "--config", config, "--from", DAY)
    assert result.exit_code == 0, result.output
    assert "2026-10-05  unchanged, " in result.stdout
    assert head(config) == before
    assert result.stderr.splitlines()[0] == (
        "alert: 2026-10-05 has settled charges and keeps policy version 1, though version 2 is in "
        "force; to reach back over the closed period: "
        "attribution run --from 2026-10-05 --to 2026-10-05 --force"
    )


def test_the_command_passes_force_on_and_prints_what_was_revised(config: Path) -> None:
    publish_second(config)
    result = run("run", "--config", config, "--from", DAY, "--force")
    assert "forced over a closed period" in result.stdout
    assert "keeps policy version" not in result.stderr


def test_force_reaches_back_and_every_changed_row_says_so(forced: Forced) -> None:
    (outcome,) = forced.report.days
    assert (outcome.status, outcome.notes) == ("recorded", [])
    rows = House(load_deployment(forced.config)).lake.read("ledger_revisions", DAY, DAY).to_pylist()
    assert {(row["cause"], row["forced"], row["policy_version"]) for row in rows} == {
        ("policy_change", True, 2)
    }
    added = sum(max(row["delta_effective_cost"], 0) for row in rows)
    one_way = f"{added:f}".rstrip("0") + " USD"
    assert outcome.lines()[1] == (
        f"2026-10-05  revised: {len(rows)} rows (policy_change), {one_way} added, "
        f"{one_way} taken away, forced over a closed period"
    )
    assert head(forced.config).policy_version == 2


def test_revisions_are_read_by_cause_and_as_of_a_time(forced: Forced) -> None:
    arguments = ("ledger", "--config", forced.config, "--revisions")
    result = run(*arguments, "--format", "json")
    rows = json.loads(result.stdout)
    assert {row["cause"] for row in rows} == {"policy_change"}
    footer = result.stderr.splitlines()
    assert footer[0].startswith(f"policy_change: {len(rows)} rows, billed moved ")
    assert ", net 0 USD" in footer[0]  # what one tenant loses another gains
    assert footer[1] == f"{len(rows)} rows changed in all"
    then = run(*arguments, "--as-of", forced.before.published_at.isoformat())
    assert then.stdout.splitlines()[-1] == "no row was changed"


def test_force_with_nothing_to_force_changes_nothing(config: Path) -> None:
    before = head(config)
    assert [outcome.status for outcome in again(config, force=True).days] == ["unchanged"]
    assert head(config) == before


def test_a_day_once_forced_is_recorded_under_the_version_in_force(
    forced: Forced, tmp_path: Path
) -> None:
    """There is nothing left to force, and nothing to say."""
    config = shutil.copytree(forced.config.parent, tmp_path / "worked_day") / FILE
    (outcome,) = again(config).days
    assert (outcome.status, outcome.notes) == ("unchanged", [])


def test_a_check_before_publishing_tells_what_would_need_force(config: Path) -> None:
    draft = publish_second(config).rename(config.parent / "draft.yaml")
    result = run("policy", "check", draft, "--config", config)
    assert result.stdout.splitlines()[-5:] == [
        "governs 1 recorded day: 2026-10-05",
        "have settled charges and keep the version they were recorded under, unless forced: "
        "1 day: 2026-10-05",
        "  attribution run --from 2026-10-05 --to 2026-10-05 --force",
        "no rule takes: Amazon Route 53 / no SkuMeter, Units (0.50 USD)",
        f"{draft}: valid",
    ]


def test_late_evidence_still_restates_a_closed_day_under_its_own_version(config: Path) -> None:
    publish_second(config)
    rewrite(config.parent / "usage" / "usage.csv", "query_units,30", "query_units,60")
    (outcome,) = again(config).days
    assert outcome.status == "recorded"
    assert "(late_usage), " in outcome.revised
    assert " USD added" in outcome.revised
    assert "forced" not in outcome.revised
    assert head(config).policy_version == 1


def test_what_a_period_holds_back_is_told_and_can_be_read(config: Path) -> None:
    publish_second(config, ("closed_period: restate", "closed_period: hold"))
    again(config, force=True)
    rewrite(config.parent / "usage" / "usage.csv", "query_units,30", "query_units,60")
    (outcome,) = again(config).days
    assert outcome.revised == ""
    (note,) = outcome.notes
    assert note.startswith("2026-10-05 holds ")
    assert "attribution ledger --table variances --from 2026-10-05 --to 2026-10-05" in note
    result = run("ledger", "--config", config, "--table", "variances")
    assert "of closed periods held: what today's evidence would change" in result.stdout
