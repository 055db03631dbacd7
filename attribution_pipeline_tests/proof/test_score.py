"""The score through the command: each checkpoint passes on a whole day, and fails by its name."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from attribution_pipeline.proof.score import thresholds
from attribution_pipeline.proof.score.thresholds import Threshold
from attribution_pipeline_tests.orchestration.deployments import with_value
from attribution_pipeline_tests.proof.meter_day import (
    HEADER,
    LINE,
    MODEL,
    STAMPED,
    Call,
    chain,
    meter_day,
)
from attribution_pipeline_tests.proof.replays import History
from attribution_pipeline_tests.test_cli import refusal, run

QUANTUM = Decimal("0.000000000001")
WHOLE = [*chain(1, 250_000, {}), *chain(11, 250_000, {})]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> History:
    """A whole, settled day: copied, never written to."""
    return meter_day(tmp_path_factory.mktemp("whole"), WHOLE)


@pytest.fixture
def history(recorded: History, tmp_path: Path) -> History:
    folder = shutil.copytree(recorded.folder, tmp_path / "day")
    return History(folder, recorded.now, list(recorded.receipts))


def scored(history: History, *options: object) -> tuple[int, dict[str, dict[str, Any]], str]:
    """Exit status, the verdicts of the one slice by checkpoint, what was printed."""
    out = history.folder / "score.json"
    result = run("score", "--config", history.folder / "attribution.yaml", "--out", out, *options)
    verdicts = json.loads(out.read_text())["verdicts"]
    assert len(verdicts) == len({verdict["question"] for verdict in verdicts}), "one slice"
    return result.exit_code, {found["question"]: found for found in verdicts}, result.output


def failing(verdicts: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: found["reason"] for name, found in verdicts.items() if found["verdict"] == "FAIL"}


def test_a_whole_day_passes_every_checkpoint_with_number_query_and_rows(history: History) -> None:
    status, found, printed = scored(history)
    assert (status, failing(found)) == (0, {}), printed
    assert "6 of 6 verdicts are PASS" in printed
    numbers = {name: verdict["number"] for name, verdict in found.items()}
    assert numbers == {
        "C1": "4 of 4", "C2": "1", "C3": "1", "C4": "0",
        "C5": f"{len(list(thresholds.each()))} of {len(list(thresholds.each()))}", "C6": "1 of 1",
    }  # fmt: skip
    assert all(verdict["query"] for verdict in found.values())
    assert found["C1"]["rows"]["count"] == 4
    assert found["C2"]["by_tokens"] == "1"
    assert "method meter, kernel" in found["C4"]["detail"]
    assert found["C1"]["route"]["model"] == MODEL


def test_the_queries_give_the_numbers_again_on_the_named_files(history: History) -> None:
    """What an auditor does with the JSON: opens the files that it names, runs the query."""
    import duckdb

    _, found, _ = scored(history)
    said = json.loads((history.folder / "score.json").read_text())
    with duckdb.connect() as db:
        for name, files in said["relations"].items():
            (file,) = files
            path = history.folder / "lake" / file["path"]
            db.execute(
                f"create view {name} as select *, date '{file['charge_date']}' as charge_date "
                f"from read_parquet('{path}', hive_partitioning = false)"
            )
        db.execute(said["then"])
        db.execute(found["C2"]["query"])
        row = db.fetchone()
    assert row is not None
    assert [str(value) for value in row[:4]] == ["USD", "Amazon Web Services", MODEL,
                                                 "model_inference"]  # fmt: skip
    assert row[4] == row[5] == Decimal(10)


# -- C1 --------------------------------------------------------------------------------------------


def test_c1_fails_where_landed_objects_give_other_amounts(history: History) -> None:
    """Rows that landed evidence does not give: every digest agrees, and the join does not."""

    day = history.state().day
    wanted = history.house().lake.read("operation_costs", day, day)["attribution_id"][0].as_py()

    def more(rows: pa.Table) -> pa.Table:
        place = rows["attribution_id"].to_pylist().index(wanted)
        amount = rows["effective_cost"][place].as_py() + QUANTUM
        return with_value(rows, place, "effective_cost", amount)

    history.record_otherwise({"operation_costs": more, "ledger": more})
    status, found, _ = scored(history)
    assert status == 1
    assert failing(found) == {"C1": "not_derived", "C4": "not_reproduced"}
    assert found["C1"]["number"] == "3 of 4"
    (bad,) = [row for row in found["C1"]["rows"]["shown"] if not row["again"]]
    apart = Decimal(bad["effective_cost"]) - Decimal(bad["derived_effective_cost"])
    assert apart == QUANTUM


def test_c1_derives_from_landed_objects_and_not_from_kept_planes(history: History) -> None:
    """Kept evidence may be lost or lie: it is not what C1 is of."""
    shutil.rmtree(history.folder / "lake" / "evidence" / "usage")
    _, found, _ = scored(history)
    assert found["C1"]["verdict"] == "PASS"
    assert found["C6"]["verdict"] == "FAIL"


def test_c1_names_a_landed_object_that_was_changed(history: History) -> None:
    house = history.house()
    (file,) = house.landed.files("spans")
    path = history.damage({"path": file.path})
    _, found, _ = scored(history)
    assert failing(found) == {"C1": "not_derived", "C6": "digest_differs"}
    assert found["C1"]["number"] == "0 of 4"
    assert str(path) in found["C1"]["detail"]
    assert str(path) in found["C6"]["detail"]


def test_c1_fails_without_a_settled_day(tmp_path: Path) -> None:
    status, found, _ = scored(meter_day(tmp_path, WHOLE, closed=False))
    assert status == 1
    assert failing(found) == {"C1": "no_evidence"}
    assert "attribution close" in found["C1"]["detail"]


def test_c1_takes_no_sample_of_an_account_that_is_open_on_a_day_that_another_settles(
    tmp_path: Path,
) -> None:
    other = LINE.replace(",1111,", ",2222,").replace("Amazon Web Services", "Other Vendor")
    (tmp_path / "billing").mkdir()
    (tmp_path / "billing" / "other.csv").write_text(f"{HEADER}\n{other}\n", encoding="utf-8")
    close = {"issuer": "Other Vendor", "account": "2222", "period": "2026-10",
             "status": "closed", "closed_at": "2026-11-02T00:00:00Z"}  # fmt: skip
    (tmp_path / "closes").mkdir()
    (tmp_path / "closes" / "other.jsonl").write_text(json.dumps(close) + "\n", encoding="utf-8")
    history = meter_day(tmp_path, WHOLE, closed=False)
    assert history.state().settled

    run("score", "--config", tmp_path / "attribution.yaml", "--out", tmp_path / "score.json")
    found = json.loads((tmp_path / "score.json").read_text())["verdicts"]
    sampled = {one["route"]["provider"]: one["number"] for one in found if one["question"] == "C1"}
    assert sampled == {"Amazon Web Services": "0 of 0", "Other Vendor": "4 of 4"}


def test_c1_fails_where_coverage_is_out_of_tolerance(tmp_path: Path) -> None:
    _, found, _ = scored(meter_day(tmp_path, chain(1, 485_000, {})))
    assert failing(found)["C1"] == "coverage_outside_tolerance"
    assert "0.97 of the billed tokens were seen by aws.bedrock" in found["C1"]["detail"]
    assert found["C1"]["number"] == "2 of 2"


# -- C2, C3 ----------------------------------------------------------------------------------------


def test_c2_counts_open_rows_as_without_evidence(tmp_path: Path) -> None:
    """An open row has the bill's model and bucket: no request said them."""
    _, found, _ = scored(meter_day(tmp_path, chain(1, 494_999, {})))
    assert failing(found) == {"C2": "below_slo"}
    assert (found["C2"]["number"], found["C2"]["by_tokens"]) == ("0.989998", "0.989998")
    assert found["C2"]["threshold"] == "slo.model_token_evidence 0.99"
    (row,) = found["C2"]["rows"]["shown"]
    assert row["cost"] == "0.100020000000"


def test_c3_a_consumer_copied_from_the_principal(tmp_path: Path) -> None:
    """Is no actor separation, though neither is null; the null rates say so either way."""
    copied = {**STAMPED, "consumer_id": STAMPED["principal_id"]}
    calls = [*chain(1, 474_999, {}), Call(20, 50_002, copied)]
    _, found, _ = scored(meter_day(tmp_path, calls))
    assert failing(found) == {"C3": "below_slo"}
    assert found["C3"]["number"] == "0.949998"
    assert "consumer 0.00 % by cost" in found["C3"]["detail"]
    assert found["C3"]["rows"]["shown"][0]["consumer_id"] == STAMPED["principal_id"]


# -- C4, C5, C6 ------------------------------------------------------------------------------------


def test_c4_fails_where_a_recorded_row_was_made_otherwise(history: History) -> None:
    def move(rows: pa.Table) -> pa.Table:
        return with_value(rows, 0, "feature", "another")

    history.record_otherwise({"ledger": move})
    _, found, _ = scored(history)
    assert failing(found) == {"C4": "not_reproduced"}
    assert "same inputs, other result" in found["C4"]["detail"]


def test_c5_fails_where_a_check_has_no_threshold(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {**thresholds.THRESHOLDS, "new_check": Threshold("slo.nothing_so_called", "t::test_x")}
    monkeypatch.setattr(thresholds, "THRESHOLDS", more)
    _, found, _ = scored(history)
    assert failing(found) == {"C5": "threshold_unnamed"}
    assert found["C5"]["rows"]["shown"][0]["check"] == "new_check"


def test_c6_names_a_damaged_file(history: History) -> None:
    manifest = history.house().lake.document(history.state())
    path = history.damage(manifest["inputs"]["billing"]["files"]["charges"][0])
    _, found, _ = scored(history)
    assert failing(found)["C6"] == "digest_differs"
    assert str(path) in found["C6"]["detail"]


def test_c6_fails_where_a_request_is_no_operation_of_the_day(history: History) -> None:
    def rename(rows: pa.Table) -> pa.Table:
        return with_value(rows, 0, "operation_key", "nobody")

    history.record_otherwise({"operation_costs": rename}, said={"kernel": "defect"})
    _, found, _ = scored(history)
    assert failing(found)["C6"] == "lineage_broken"
    assert found["C6"]["number"] == "0 of 1"
    assert found["C6"]["rows"]["shown"][0]["lacks"] == "an operation of its requests"


# -- days ------------------------------------------------------------------------------------------


def test_without_a_request_every_checkpoint_is_no_evidence(tmp_path: Path) -> None:
    history = meter_day(tmp_path, WHOLE)
    text = (history.folder / "billing" / "focus.csv").read_text()
    (history.folder / "billing" / "focus.csv").write_text(text.replace("Amazon Bedrock", "Other"))
    history.record()
    _, found, _ = scored(history)
    assert set(failing(found).values()) == {"no_evidence"}
    assert len(found) == 6


def test_days_that_are_not_recorded_are_refused(history: History) -> None:
    config = history.folder / "attribution.yaml"
    said = refusal("score", "--config", config, "--from", "2026-10-06")
    assert "no day of the range is recorded (recorded are 2026-10-05 to 2026-10-05)" in said
    place = history.folder / "nowhere" / "score.json"
    assert "there is no such folder" in refusal("score", "--config", config, "--out", place)
