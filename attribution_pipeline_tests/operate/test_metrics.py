"""The pipeline's figures: true, complete, of no tenant, and there when asked for."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from wsgiref.simple_server import WSGIServer, make_server

import pytest
from prometheus_client.parser import text_string_to_metric_families

from attribution_pipeline.commands import metrics
from attribution_pipeline.commands.metrics import application, registry_of
from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration import verdicts
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.replaying import replay
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.operate.commands import CONFIG, attribution
from attribution_pipeline_tests.operate.conftest import restate
from attribution_pipeline_tests.orchestration.deployments import DAY

Values = dict[tuple[str, tuple[str, ...]], float]

NEEDED = {
    "attribution_up", "attribution_landing_age_seconds", "attribution_source_lag_seconds",
    "attribution_stale_days", "attribution_unallocated_ratio", "attribution_rejected_records",
    "attribution_replay_differing_rows", "attribution_last_recorded_day_timestamp_seconds",
    "attribution_schema_version", "attribution_conservation_difference",
}  # fmt: skip


def test_what_is_recorded_is_what_is_told(states: Path) -> None:
    text = attribution(states, "metrics")
    found = _values(text)
    assert {name for name, _ in found} >= NEEDED - {"attribution_rejected_records"}
    assert found["attribution_up", ()] == 1
    assert found["attribution_recorded_days", ()] == 1
    assert found["attribution_conservation_difference", ()] == 0
    end = datetime(2026, 10, 6, tzinfo=UTC).timestamp()
    assert found["attribution_last_recorded_day_timestamp_seconds", ()] == end
    said = House(load_deployment(states / CONFIG)).lake.manifest(DAY)["output"]["tie_out"]
    (row,) = [row for row in said if row["cost"] == "effective_cost"]
    share = float(row["unallocated"]) / float(row["billed"])
    assert found["attribution_unallocated_ratio", ("2026-10-05",)] == pytest.approx(share)
    assert found["attribution_schema_version", ("manifest",)] == 2
    lag = found["attribution_source_lag_seconds", ("spans", "traces")]
    assert lag == pytest.approx(datetime.now(UTC).timestamp() - end, abs=3600)


def test_every_figure_has_a_name_and_a_help_that_prometheus_takes(states: Path) -> None:
    families = list(text_string_to_metric_families(attribution(states, "metrics")))
    assert {family.name for family in families} >= NEEDED
    for family in families:
        assert family.documentation.endswith(".")
        assert family.type == "gauge"


def test_late_evidence_makes_a_stale_day(states: Path) -> None:
    restate(states / "billing" / "focus.csv", "0.99")
    house = House(load_deployment(states / CONFIG))
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    from attribution_pipeline.orchestration.digests import bring_up_to_date

    bring_up_to_date(house)
    found = _values(attribution(states, "metrics"))
    assert found["attribution_stale_days", ()] == 1
    assert found["attribution_stale_days_by_cause", ("billing_exports",)] == 1
    assert found["attribution_oldest_stale_day_timestamp_seconds", ()] > 0


def test_rejected_records_are_counted_by_reason(states: Path) -> None:
    spans = states / "spans" / "broken.jsonl"
    spans.write_text('{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}]}]}]}\n')
    house = House(load_deployment(states / CONFIG))
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    rejected = {
        labels: value
        for (name, labels), value in _values(attribution(states, "metrics")).items()
        if name == "attribution_rejected_records"
    }
    assert sum(rejected.values()) >= 1
    assert {(labels[0], labels[2]) for labels in rejected} == {("spans", "traces")}


def test_a_replay_is_told_of(states: Path) -> None:
    house = House(load_deployment(states / CONFIG))
    head = house.lake.head(DAY)
    assert head is not None
    assert (
        _values(attribution(states, "metrics"))["attribution_replayed_days", ("reproduced",)] == 0
    )
    verdicts.keep(house, replay(house, head))
    found = _values(attribution(states, "metrics"))
    assert found["attribution_replayed_days", ("reproduced",)] == 1
    assert found["attribution_replay_differing_rows", ()] == 0
    place = states / "lake" / "replays" / f"{head.manifest_id}.json"
    place.write_bytes(place.read_bytes()[:-9])
    found = _values(attribution(states, "metrics"))
    assert found["attribution_replayed_days", ("reproduced",)] == 0


def test_no_tenant_and_no_amount_is_named(states: Path) -> None:
    text = attribution(states, "metrics")
    rows = House(load_deployment(states / CONFIG)).lake.read(
        "ledger", DAY, DAY, ["tenant_id", "workflow_id", "model", "billing_account_id"]
    )
    named = {cell for column in rows.columns for cell in column.to_pylist() if cell}
    assert len(named) > 4
    assert [name for name in sorted(named) if name in text] == []


def test_a_file_appears_whole(states: Path, tmp_path: Path) -> None:
    out = tmp_path / "attribution.prom"
    assert attribution(states, "metrics", "--out", str(out)) == ""
    assert _values(out.read_text())["attribution_up", ()] == 1
    assert [path.name for path in tmp_path.iterdir() if "prom" in path.name] == [out.name]
    said = attribution(states, "metrics", "--out", str(tmp_path / "no" / "such"), status=2)
    assert "name a file that this user may write" in said
    assert "exclude each other" in attribution(
        states, "metrics", "--out", str(out), "--serve", "0", status=2
    )


def test_an_endpoint_answers_and_says_when_it_cannot_read(states: Path) -> None:
    house = House(load_deployment(states / CONFIG))
    with make_server("127.0.0.1", 0, application(registry_of(house, tolerant=True))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            assert _get(server, "/-/healthy") == "alive\n"
            assert _values(_get(server, "/metrics"))["attribution_up", ()] == 1
            with pytest.raises(urllib.error.HTTPError, match="404"):
                _get(server, "/")
        finally:
            server.shutdown()
            thread.join()
    entry = states / "lake" / "landed" / "index" / "0000000002.json"
    entry.unlink()
    broken = House(load_deployment(states / CONFIG))
    with make_server("127.0.0.1", 0, application(registry_of(broken, tolerant=True))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            found = _values(_get(server, "/metrics"))
            assert found["attribution_up", ()] == 0
            assert ("attribution_stale_days", ()) not in found
        finally:
            server.shutdown()
            thread.join()


def test_a_server_ends_when_it_is_asked_to(states: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "attribution_pipeline", "metrics", "--serve", "0",
         "--config", str(states / CONFIG)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    with server:
        assert "/metrics (Ctrl-C stops it)" in server.stdout.readline()
        server.terminate()
        assert server.wait(60) == 0


def _get(server: WSGIServer, path: str) -> str:
    with urllib.request.urlopen(
        f"http://127.0.0.1:{server.server_port}{path}", timeout=30
    ) as answer:
        return str(answer.read().decode())


def test_a_look_that_takes_long_is_fresh_from_its_end(
    states: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a lake that takes longer than the pause between looks would be read without a pause."""
    now = [0.0]
    looks = []

    def slow(_house: House) -> list[object]:
        looks.append(now[0])
        now[0] += 2 * metrics.FRESH_S
        return []

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    monkeypatch.setattr(metrics, "time", Clock)
    monkeypatch.setattr("attribution_pipeline.orchestration.measuring.figures", slow)
    registry = registry_of(House(load_deployment(states / CONFIG)), tolerant=True)
    list(registry.collect())
    list(registry.collect())
    assert len(looks) == 1
    now[0] += 2 * metrics.FRESH_S
    list(registry.collect())
    assert len(looks) == 2


def _values(text: str) -> Values:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
