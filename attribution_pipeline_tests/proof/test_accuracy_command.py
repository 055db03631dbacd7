"""``attribution truth`` plays, measures, prints, writes and fails when a goal is missed."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from attribution_pipeline.commands import truth, truth_play
from attribution_pipeline.commands.truth_play import Size
from attribution_pipeline.commands.truth_table import MARKERS
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.ledger import CONFIDENCES
from attribution_pipeline.proof.accuracy import (
    LEAST_ON_CAUSE,
    Accuracy,
    CostAccuracy,
    ReasonRow,
)
from attribution_pipeline.simulator import FAULTS
from attribution_pipeline.simulator.faults import CLOCK_SKEW, LOST_SPANS, TWELVE

NONE = Decimal(0)
SEED = 7
PAIRS_IN_CI = "1"
"""As many as CI has time for; `make truth` plays all."""


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


def playing(
    monkeypatch: pytest.MonkeyPatch, **changes: object
) -> list[tuple[tuple[str, ...], truth_play.Size]]:
    """What is asked for instead of played; each run ends in figures that ``changes`` changes."""
    played: list[tuple[tuple[str, ...], truth_play.Size]] = []

    def play(directory: Path, faults: tuple[str, ...], size: truth_play.Size) -> Accuracy:
        directory.mkdir()
        played.append((tuple(faults), size))
        return fine(**changes)

    monkeypatch.setattr(truth_play, "play", play)
    return played


def test_every_fault_is_played_alone_and_with_all_others(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = playing(monkeypatch)
    out = tmp_path / "out" / "truth.json"
    done = CliRunner().invoke(app, ["--out", str(out), "--dir", str(tmp_path / "work")])
    assert done.exit_code == 0, done.output
    runs = [(), *((name,) for name in FAULTS), tuple(FAULTS)]
    assert played == [(run, truth_play.Size(3, 50_000, 7)) for run in runs]
    assert "17 of 17 runs meet every goal" in done.output
    records = json.loads(out.read_text())
    assert [tuple(record["faults"]) for record in records] == runs
    assert {
        "faults", "tie_out", "wrong_tenant_metered", "wrong_tenant_allocated", "wrong_day", "bound",
        "knowable_on_cause",
    } <= set(records[0])  # fmt: skip
    assert records[0]["bound"] == "0.500000000000"


def test_all_sixty_six_pairs_are_played_on_small_companies(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = playing(monkeypatch)
    arguments = ["--out", str(tmp_path / "t.json"), "--dir", str(tmp_path / "work")]
    done = CliRunner().invoke(app, [*arguments, "--fault", "none", "--pairs", "all"])
    assert done.exit_code == 0, done.output
    pairs = {frozenset(faults) for faults, size in played if len(faults) == 2}
    assert len(pairs) == 66
    assert len(frozenset().union(*pairs)) == 12
    assert {size.spans_per_day for faults, size in played if len(faults) == 2} == {3000}


def test_pairs_by_luck_say_the_seed_that_plays_them_again(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--out", str(tmp_path / "t.json"), "--dir", str(tmp_path / "work"),
                 "--fault", "none", "--pairs", "4"]  # fmt: skip
    first = playing(monkeypatch)
    done = CliRunner().invoke(app, arguments)
    seed = done.stderr.partition("TRUTH_PAIRS_SEED=")[2].split()[0]
    monkeypatch.setenv("TRUTH_PAIRS_SEED", seed)
    second = playing(monkeypatch)
    CliRunner().invoke(app, arguments)
    assert first == second
    assert [len(faults) for faults, _ in first] == [0, 2, 2, 2, 2]
    refused = CliRunner().invoke(app, [*arguments[:-1], "67"])
    assert isinstance(refused.exception, Refusal)


def test_a_peer_is_measured_on_the_same_company_and_one_that_fails_says_why(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    playing(monkeypatch)
    monkeypatch.setattr(truth_play, "measured", lambda ledger, directory, coarse: fine())
    peer = tmp_path / "peer.py"
    peer.write_text(
        "import sys, pyarrow as pa, pyarrow.parquet as pq\n"
        "pq.write_table(pa.table({'a': [1]}), sys.argv[2])\n"
    )
    out = tmp_path / "t.json"
    done = CliRunner().invoke(
        app,
        ["--out", str(out), "--dir", str(tmp_path / "work"), "--fault", "none",
         "--peer", f"good={sys.executable} {peer}",
         "--peer", f"bad={sys.executable} -c 'raise SystemExit(\"no evidence\")'"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    peers = json.loads(out.read_text())[0]["peers"]
    assert peers["good"]["bound"] == "0.500000000000"
    assert peers["bad"] == "status 1: no evidence"


def test_the_page_is_filled_between_its_markers_and_a_missing_marker_is_refused(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    playing(monkeypatch)
    page = tmp_path / "page.md"
    page.write_text(
        "".join(f"{m}\n<!-- truth:{m} -->\nold\n<!-- /truth:{m} -->\n" for m in MARKERS)
    )
    arguments = ["--out", str(tmp_path / "t.json"), "--dir", str(tmp_path / "work"),
                 "--page", str(page), "--fault", "none"]  # fmt: skip
    assert CliRunner().invoke(app, arguments).exit_code == 0
    text = page.read_text()
    assert "| none | met | 0 | 0 | 0 |" in text
    # what was not played leaves what stood there
    assert text.count("old") == 2
    page.write_text("# no markers")
    assert isinstance(CliRunner().invoke(app, arguments).exception, Refusal)


def test_a_missed_goal_is_status_1_and_said_on_stderr(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    playing(monkeypatch, failures=["it is wrong"] * 9)
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
    playing(monkeypatch)
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


def play(tmp_path: Path, faults: tuple[str, ...], days: int, spans: int) -> Accuracy:
    found = truth_play.play(
        tmp_path / "-".join(faults or ("none",)), faults, Size(days, spans, SEED)
    )
    assert list(found.failures) == [], faults
    assert found.wrong_tenant("metered") == 0
    assert found.share_on_cause > LEAST_ON_CAUSE
    return found


def test_a_small_company_without_faults_meets_every_goal(tmp_path: Path) -> None:
    assert play(tmp_path, (), 1, 2000).share_on_cause > Decimal("0.999999")


@pytest.mark.heavy
@pytest.mark.parametrize("fault", TWELVE)
def test_each_fault_alone_meets_every_goal(tmp_path: Path, fault: str) -> None:
    # a wrong clock needs a midnight to cross
    found = play(tmp_path, (fault,), 2 if fault == CLOCK_SKEW else 1, 2000)
    if fault == LOST_SPANS:
        assert 0 < found.wrong_tenant("allocated") <= found.bound


@pytest.mark.heavy
def test_some_pairs_of_faults_meet_every_goal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for pair in truth._pairs(PAIRS_IN_CI):
        with capsys.disabled():
            print("pair:", *pair)
        play(tmp_path, pair, 2, 2000)


@pytest.mark.heavy
def test_all_faults_together_meet_every_goal(tmp_path: Path) -> None:
    found = play(tmp_path, tuple(FAULTS), 1, 2000)
    assert found.tie_out == 0
    assert found.wrong_tenant("allocated") > 1, "lost spans must cost something here"
