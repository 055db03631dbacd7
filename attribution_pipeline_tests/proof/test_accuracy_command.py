"""``attribution truth`` plays, measures, prints, writes and fails when a goal is missed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from attribution_pipeline.commands import truth
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.ledger import CONFIDENCES
from attribution_pipeline.proof.accuracy import Accuracy, CostAccuracy, ReasonRow
from attribution_pipeline.simulator import FAULTS

NONE = Decimal(0)


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    truth.register(made)
    return made


def fine(**changes: object) -> Accuracy:
    cost = CostAccuracy(
        NONE, dict.fromkeys(CONFIDENCES, NONE), Decimal("0.5"), Decimal(10), Decimal(10),
        [ReasonRow("telemetry_gap", Decimal(1), Decimal(1), NONE)],
    )  # fmt: skip
    return Accuracy({"billed_cost": cost, "effective_cost": cost}, changes.get("failures", ()))  # type: ignore[arg-type]


def test_every_fault_is_played_alone_and_with_all_others(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[tuple[str, ...]] = []

    def measured(directory: Path, faults: tuple[str, ...], **size: int) -> Accuracy:
        played.append(tuple(faults))
        assert size == {"days": 3, "spans_per_day": 50_000, "seed": 7}
        return fine()

    monkeypatch.setattr(truth, "measured", measured)
    out = tmp_path / "out" / "truth.json"
    done = CliRunner().invoke(app, ["--out", str(out), "--dir", str(tmp_path / "work")])
    assert done.exit_code == 0, done.output
    assert played == [(), *((name,) for name in FAULTS), tuple(FAULTS)]
    assert "8 of 8 runs meet every goal" in done.output
    records = json.loads(out.read_text())
    assert [tuple(record["faults"]) for record in records] == played
    assert {
        "faults", "tie_out", "wrong_tenant_metered", "wrong_tenant_allocated", "bound",
        "knowable_on_cause",
    } <= set(records[0])  # fmt: skip
    assert records[0]["bound"] == "0.500000000000"


def test_a_missed_goal_is_status_1_and_said_on_stderr(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(truth, "measured", lambda *_, **__: fine(failures=["it is wrong"] * 9))
    out = tmp_path / "truth.json"
    done = CliRunner().invoke(
        app, ["--out", str(out), "--dir", str(tmp_path / "work"), "--fault", "lost_hour"]
    )
    assert done.exit_code == truth.GOAL_MISSED
    assert done.stderr.count("failed: lost_hour: it is wrong") == truth.SHOWN_FAILURES
    assert "and 4 more" in done.stderr
    assert len(json.loads(out.read_text())[0]["failures"]) == 9


def test_the_work_folder_is_made_anew_but_never_someone_elses(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(truth, "measured", lambda *_, **__: fine())
    work, arguments = tmp_path / "work", ["--out", str(tmp_path / "t.json"), "--dir"]
    assert CliRunner().invoke(app, [*arguments, str(work), "--fault", "none"]).exit_code == 0
    (work / "left-over").touch()
    assert CliRunner().invoke(app, [*arguments, str(work), "--fault", "none"]).exit_code == 0
    assert not (work / "left-over").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").touch()
    refused = CliRunner().invoke(app, [*arguments, str(tmp_path / "mine")])
    assert isinstance(refused.exception, Refusal)
    assert (tmp_path / "mine" / "precious").exists()


def test_a_small_company_under_all_faults_and_under_none_meets_every_goal(
    app: typer.Typer, tmp_path: Path
) -> None:
    out = tmp_path / "truth.json"
    done = CliRunner().invoke(
        app,
        ["--out", str(out), "--dir", str(tmp_path / "work"), "--days", "2",
         "--spans-per-day", "3000", "--fault", "none", "--fault", "all"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    whole, faulty = json.loads(out.read_text())
    assert whole["tie_out"] == faulty["tie_out"] == "0.000000000000"
    assert whole["wrong_tenant_metered"] == faulty["wrong_tenant_metered"] == "0.000000000000"
    assert Decimal(whole["knowable_on_cause"]) > Decimal("0.999999")
    assert Decimal(faulty["wrong_tenant_allocated"]) > 1, "lost spans must cost something here"
    assert Decimal(faulty["wrong_tenant_allocated"]) <= Decimal(faulty["bound"])
