"""The alert sensor on real runs, with a real listener: once, across restarts, and its end once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from attribution_pipeline.definitions import build_defs
from attribution_pipeline.orchestration.alerting.found import PAGE, Cursor, look
from attribution_pipeline_tests.orchestration.receivers import Received, listening
from attribution_pipeline_tests.orchestration.ticks import QUIET, Driven
from attribution_pipeline_tests.test_cli import run

ALERTS = """
  reservations:
    - {name: budgets, uri: ./budgets}
dagster: {base_url: "http://127.0.0.1:3000"}
alerts:
  - {name: ops, url_env: ALERTS_OPS}
"""
BUDGET = "scope,period_start,period_end,amount,currency\ntenant_id = tenant-a,2026-10-05,2026-10-12,%s,USD\n"
OVER, ENOUGH = "0.01", "1000000"
KEY = dg.AssetCheckKey(dg.AssetKey("reservations"), "budget_guardrail")


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    with listening() as received:
        monkeypatch.setenv("ALERTS_OPS", received.url)
        yield received


@pytest.fixture
def told(driven: Driven) -> Driven:
    """With a channel, and a budget that is over."""
    (driven.folder / "budgets").mkdir()
    driven.file.write_text(driven.file.read_text().rstrip() + ALERTS)
    reserve(driven, OVER)
    return Driven(driven.file, driven.instance)


def reserve(driven: Driven, amount: str) -> None:
    driven.deliver("budgets/budgets.csv", BUDGET % amount)


def watch(driven: Driven) -> bool:
    """A landing run, without the evidence of recorded days, which nobody asks about here."""
    chosen = [dg.AssetKey(name) for name in ("landed_objects", "reservations")]
    result = driven.repository.get_job("landing").execute_in_process(
        instance=driven.instance, asset_selection=chosen, run_config=QUIET, raise_on_error=False
    )
    return result.success


def test_a_budget_that_is_over_is_told_once_across_restarts_and_its_end_once(
    told: Driven, hook: Received
) -> None:
    assert watch(told)
    assert "1 messages sent; 1 open" in told.tick("alerts").skipped
    (got,) = hook.bodies
    assert got["title"] == "[warning] budget_guardrail of reservations"
    assert "tenant_id = tenant-a is over its 0.01 USD" in got["message"]
    assert "What to do: `attribution reservations`" in got["message"]
    assert got["message"].endswith(
        "http://127.0.0.1:3000/assets/reservations?view=checks&checkDetail=budget_guardrail"
    )
    assert watch(told)
    for restarted in (told, Driven(told.file, told.instance)):
        assert "0 messages sent; 1 open" in restarted.tick("alerts").skipped
    listed = run("alerts", "--config", told.file).stdout
    assert "1 open, 0 waiting" in listed
    assert "warning  reservations:budget_guardrail:" in listed
    reserve(told, ENOUGH)
    assert watch(told)
    assert "1 messages sent; 0 open" in told.tick("alerts").skipped
    told.tick("alerts")
    assert hook.titles[1:] == ["[resolved] budget_guardrail of reservations"]


def test_a_receiver_that_is_down_holds_nothing_up_and_is_told_when_it_is_back(
    told: Driven, hook: Received
) -> None:
    hook.answers = 503
    assert watch(told), "no alert can fail a run"
    said = told.tick("alerts").skipped
    assert "ops: 1 wait (the receiver answered 503, tried 1 times)" in said
    assert "the receiver answered 503" in run("alerts", "--config", told.file).stdout
    hook.answers = 200
    assert "0 messages sent" in told.tick("alerts").skipped, "not due yet"
    told.later(minutes=2)
    assert "1 messages sent; 1 open" in told.tick("alerts").skipped
    assert hook.titles == ["[warning] budget_guardrail of reservations"]
    kept = (told.folder / "lake" / "alerts" / "state.json").read_text()
    assert "s3cret" not in kept


def test_a_run_that_fails_is_told_with_its_reason_and_its_link(
    told: Driven, hook: Received
) -> None:
    (told.folder / "billing").rename(told.folder / "elsewhere")
    assert not watch(told)
    told.tick("alerts")
    (got,) = hook.bodies
    assert (got["title"], got["type"]) == ("[error] landing run failed", "failure")
    assert "source `bill`: there is no" in got["message"]
    assert "http://127.0.0.1:3000/runs/" in got["message"]
    (told.folder / "elsewhere").rename(told.folder / "billing")
    reserve(told, ENOUGH)
    assert watch(told)
    told.tick("alerts")
    assert hook.titles[1:] == ["[resolved] landing run failed"]


def test_a_look_reads_what_came_since_the_last_and_an_open_check_when_it_is_answered(
    driven: Driven,
) -> None:
    instance, now = driven.instance, driven.house.now() + timedelta(seconds=2)

    def findings(cursor: Cursor) -> tuple[list[str], Cursor]:
        found, after = look(instance, [KEY], (), cursor, now)
        return [f"{one.partition}:{one.description}" for one in found], after

    def evaluated(run_id: str, said: str) -> None:
        evaluation = dg.AssetCheckEvaluation(
            asset_key=KEY.asset_key,
            check_name=KEY.name,
            passed=False,
            description=said,
            metadata={},
        )
        instance.report_dagster_event(
            dg.DagsterEvent("ASSET_CHECK_EVALUATION", "landing", event_specific_data=evaluation),
            run_id,
        )

    first = Cursor.read(None, now)
    assert findings(first)[0] == []
    for number in range(PAGE + 2):
        evaluated(f"run-{number}", f"said {number}")
    seen, cursor = findings(first)
    assert seen == [f":said {PAGE + 1}"], "the newest alone"
    assert findings(cursor)[0] == []
    cursor = Cursor.read(cursor.text(), now)
    evaluated("run-new", "said later")
    assert findings(cursor)[0] == [":said later"]
    # an instance that begins anew counts from 1
    before = now - timedelta(minutes=1)
    assert findings(Cursor(before, {"reservations:budget_guardrail": 10_000}))[0] != []


def test_only_a_file_with_channels_has_the_sensor_and_then_it_runs(
    deployment_file: Path,
) -> None:
    names = {sensor.name for sensor in build_defs(deployment_file).get_repository_def().sensor_defs}
    assert "alerts" not in names
    text = deployment_file.read_text().rstrip()
    deployment_file.write_text(text + "\nalerts: [{name: ops, url_env: ALERTS_OPS}]\n")
    sensor = build_defs(deployment_file).get_repository_def().get_sensor_def("alerts")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_a_test_message_says_of_each_channel_what_came_of_it(
    told: Driven, hook: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("alerts", "--test", "--config", told.file)
    assert (result.exit_code, result.stdout) == (0, "ops: taken\n")
    assert hook.titles == ["[test] attribution alerts"]
    monkeypatch.delenv("ALERTS_OPS")
    result = run("alerts", "--test", "--config", told.file)
    assert (result.exit_code, result.stdout) == (
        1, "ops: the environment variable ALERTS_OPS is not set\n",
    )  # fmt: skip
    assert json.dumps(hook.url)[1:-1] not in result.output
