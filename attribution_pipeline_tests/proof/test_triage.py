"""Triage through the command: it stops at the first priority that fails, and names what fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.proof.triage.p1_control_plane import median_us
from attribution_pipeline.proof.triage.p2_identity import rooted
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.proof.meter_day import (
    GOOD_CONTROLS,
    GOOD_LIST,
    KEYED,
    ROUTE,
    STAMPED,
    Call,
    chain,
    meter_day,
    override,
    shadow_hits,
    signed_token,
    span_id,
    trace_id,
)
from attribution_pipeline_tests.proof.replays import History
from attribution_pipeline_tests.test_cli import run

WHOLE = [*chain(1, 250_000, {}), *chain(11, 250_000, {})]
"""Every token on a tenant and a workflow, in two chains that keep their identity."""


def triaged(history: History, *options: object) -> tuple[int, dict[str, Any], str]:
    """Exit status, the JSON, what was printed."""
    out = history.folder / "triage.json"
    result = run("triage", "--config", history.folder / "attribution.yaml", "--out", out, *options)
    return result.exit_code, json.loads(out.read_text()), result.output


def failed(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [verdict for verdict in said["verdicts"] if verdict["verdict"] == "FAIL"]


def test_a_whole_day_passes_all_three_with_its_numbers(tmp_path: Path) -> None:
    status, said, printed = triaged(meter_day(tmp_path, WHOLE))
    assert (status, said["verdict"], said["stopped_at"]) == (0, "PASS", None), printed
    assert "P1, P2 and P3 are PASS" in printed
    numbers = {verdict["title"]: verdict["number"] for verdict in said["verdicts"]}
    assert numbers["control plane, overrides"] == "60 s"
    assert numbers["control plane, shadow mode"] == "7 days"
    assert numbers["identity"] == "2 of 2"
    assert numbers["joinability, segmentation completeness month to date"] == "1"
    assert all(verdict["query"] for verdict in said["verdicts"])


# -- P1 --------------------------------------------------------------------------------------------


def test_p1_stops_at_a_reversible_mutation_and_names_it(tmp_path: Path) -> None:
    entry = {"kind": "hard_block", "rule": "no-mail", "operation": "send_draft",
             "reversible": True, "mode": "enforce"}  # fmt: skip
    history = meter_day(tmp_path, WHOLE, controls=[*GOOD_CONTROLS, entry])
    status, said, printed = triaged(history)
    assert (status, said["stopped_at"], said["not_reached"]) == (1, "P1", ["P2", "P3"])
    (found,) = failed(said)
    assert (found["reason"], found["number"]) == ("reversible_mutation", "1 reversible of 2")
    assert "send_draft (rule no-mail)" in found["detail"]
    assert found["rows"]["count"] == 1
    assert found["rows"]["shown"][0]["operation"] == "send_draft"
    assert "stops at P1: the hard-block list holds reversible mutations: send_draft" in printed
    assert "Not asked: P2, P3." in printed


def test_one_priority_is_asked_alone_and_the_others_are_named(tmp_path: Path) -> None:
    history = meter_day(tmp_path, WHOLE, controls=[])
    assert triaged(history)[1]["stopped_at"] == "P1"
    status, said, printed = triaged(history, "--only", "P3")
    assert (status, said["verdict"], said["not_reached"]) == (0, "PASS", ["P1", "P2"])
    assert {verdict["question"] for verdict in said["verdicts"]} == {"P3"}
    assert "P3 is PASS. Not asked: P1, P2." in printed
    assert said["command"].endswith(" --only P3")
    refused = run("triage", "--config", history.folder / "attribution.yaml", "--only", "P4")
    assert refused.exit_code == 2
    assert "use one of: P1, P2, P3" in refused.output


P1_FAILURES: list[tuple[Sequence[Any], str, str]] = [
    ([], "no_evidence", "no hard-block list"),
    ([*GOOD_LIST, *shadow_hits(6), override(60)], "too_few_shadow_days", "6 UTC days"),
    ([*GOOD_LIST, override(60)], "no_evidence", "no shadow-mode hit"),
    ([*GOOD_LIST, *shadow_hits(7)], "no_evidence", "no override"),
    ([*GOOD_LIST, *shadow_hits(7), override(300)], "override_slow", "median 300 s, not under 300 s"),
    ([*GOOD_LIST, *shadow_hits(7), override(60), override(None, hour=8), override(None, hour=7)],
     "override_slow", "median not granted"),
    ([*GOOD_LIST, *shadow_hits(7), override(60, by=None)], "override_not_logged", "rule no-drop"),
    ([*GOOD_CONTROLS, {"kind": "hard_block", "rule": "r", "operation": "x", "reversible": "so so",
                       "mode": "enforce"}],
     "unreadable_records", "1 control records could not be read"),
]  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> History:
    """A day without control records: they change nothing that is recorded."""
    return meter_day(tmp_path_factory.mktemp("uncontrolled"), WHOLE, controls=[])


def controlled(recorded: History, tmp_path: Path, controls: Sequence[Any]) -> History:
    """A copy of the day with these control records landed."""
    from attribution_pipeline.sources.landing import land

    folder = shutil.copytree(recorded.folder, tmp_path / "day")
    (folder / "controls" / "all.jsonl").write_text(
        "".join(json.dumps(one) + "\n" for one in controls)
        or '{"kind":"policy_snapshot","time":"2026-10-01","digest":"d"}\n'
    )
    history = History(folder, recorded.now)
    house = history.house()
    land(house.sources, house.landed)
    return history


@pytest.mark.parametrize(("controls", "reason", "words"), P1_FAILURES)
def test_p1_fails_by_name(
    recorded: History, tmp_path: Path, controls: Sequence[Any], reason: str, words: str
) -> None:
    status, said, _ = triaged(controlled(recorded, tmp_path, controls))
    assert (status, said["stopped_at"]) == (1, "P1")
    assert reason in {found["reason"] for found in failed(said)}
    assert any(words in found["detail"] for found in failed(said))


@pytest.mark.parametrize(("newest", "stopped"), [("new", None), ("old", "P1")])
def test_p1_judges_the_list_of_the_newest_policy_snapshot(
    recorded: History, tmp_path: Path, newest: str, stopped: str | None
) -> None:
    """What was taken off the list is history, whatever file it stands in."""
    entry = {**GOOD_LIST[0], "policy_digest": "new"}
    gone = {**GOOD_LIST[0], "operation": "send_draft", "reversible": True, "policy_digest": "old"}
    snapshots = [
        {"kind": "policy_snapshot", "time": f"2026-10-0{1 + (digest == newest)}", "digest": digest}
        for digest in ("old", "new")
    ]
    rest = [*shadow_hits(7), override(60)]
    history = controlled(recorded, tmp_path, [entry, gone, *snapshots, *rest])
    _, said, _ = triaged(history)
    assert said["stopped_at"] == stopped


def test_a_median_is_exact_and_what_was_not_granted_is_slowest() -> None:
    assert median_us([]) is None
    assert median_us([3, 1]) == 2
    assert median_us([1, 2]) == Fraction(3, 2)
    assert median_us([None, 1, 2]) == 2
    assert median_us([None, 1]) is None


# -- P2 --------------------------------------------------------------------------------------------


def test_p2_stops_at_a_chain_that_rebinds_identity(tmp_path: Path) -> None:
    calls = [*chain(1, 250_000, {}), *chain(21, 250_000, {"tenant_id": "executor"})]
    status, said, printed = triaged(meter_day(tmp_path, calls))
    assert (status, said["stopped_at"], said["not_reached"]) == (1, "P2", ["P3"]), printed
    (found,) = failed(said)
    assert (found["reason"], found["number"]) == ("identity_rebound", "1 of 2")
    assert f"trace {trace_id(21)} span {span_id(22)}" in found["detail"]
    assert "stops at P2: 1 of 2 chains do not keep" in printed
    assert "tenant_id executor, where the chain began with acme" in found["detail"]
    assert [row["tenant_id"] for row in found["rows"]["shown"]] == ["acme", "executor"]


@pytest.mark.parametrize("field", ["originator_id", "workflow_id", "operation_id"])
def test_p2_finds_a_change_of_any_stamped_field_across_traces(tmp_path: Path, field: str) -> None:
    """A retry through a queue: a trace of its own, that links to the first attempt."""
    again = Call(32, 1_000, {**STAMPED, field: "other"}, attempt=2, links=[(31, 31)])
    _, said, _ = triaged(meter_day(tmp_path, [Call(31, 999_000, attempt=1), again]))
    (found,) = failed(said)
    assert (said["stopped_at"], found["reason"]) == ("P2", "identity_rebound")
    assert f"trace {trace_id(32)}" in found["detail"]
    assert f"{field} other" in found["detail"]


def test_p2_names_what_was_never_stamped(tmp_path: Path) -> None:
    bare = {name: value for name, value in STAMPED.items() if name != "operation_id"}
    calls = [Call(1 + n, 500_000, bare, trace=1, attempt=n + 1) for n in range(2)]
    _, said, _ = triaged(meter_day(tmp_path, calls))
    (found,) = failed(said)
    assert (said["stopped_at"], found["reason"]) == ("P2", "not_stamped")
    assert "says no operation_id" in found["detail"]


def test_p2_without_any_chain_is_no_evidence(tmp_path: Path) -> None:
    _, said, _ = triaged(meter_day(tmp_path, [Call(1, 1_000_000)]))
    (found,) = failed(said)
    assert (said["stopped_at"], found["reason"], found["number"]) == ("P2", "no_evidence", "0 of 0")


def test_p2_looks_at_a_chain_that_contradicts_itself_before_any_sample(tmp_path: Path) -> None:
    calls = [one for n in range(1, 8) for one in chain(100 * n, 50_000, {})]
    calls += chain(900, 1_000, {"workflow_id": "other"})
    history = meter_day(tmp_path, calls, policy="slo: {retry_chain_sample: 1}\n")
    _, said, _ = triaged(history)
    (found,) = failed(said)
    assert found["number"] == "0 of 1"
    assert "there are 8 chains" in found["threshold"]
    assert trace_id(900) in found["detail"]


def test_p2_reads_the_envelope_and_finds_an_executor_that_writes_its_own_tenant(
    tmp_path: Path,
) -> None:
    """The envelope wins, so nobody is charged wrongly; P2 says so nevertheless."""
    token = signed_token(tmp_path)
    kept = [Call(n, 500_000, {}, trace=n, envelope=token, links=[(1, 1)] * (n > 1), attempt=n)
            for n in (1, 2)]  # fmt: skip
    status, said, printed = triaged(meter_day(tmp_path, kept, deployment=KEYED))
    assert (status, said["verdict"]) == (0, "PASS"), printed
    (found,) = [verdict for verdict in said["verdicts"] if verdict["question"] == "P2"]
    assert "all 1 chains that were looked at, 1 of them with a retry" in found["detail"]
    assert [row["operation_id"] for row in found["rows"]["shown"]] == ["op-1", "op-1"]

    rebound = [kept[0], replace(kept[1], who={"tenant_id": "executor"})]
    other = tmp_path / "rebound"
    other.mkdir()
    shutil.copy(tmp_path / "keys.yaml", other)
    history = meter_day(other, rebound, deployment=KEYED)
    rows = history.house().lake.read("ledger", DAY, DAY, ["tenant_id"])["tenant_id"].to_pylist()
    assert set(rows) == {"acme"}
    _, said, _ = triaged(history)
    (found,) = failed(said)
    assert (said["stopped_at"], found["reason"]) == ("P2", "identity_rebound")
    assert f"trace {trace_id(2)}" in found["detail"]


def test_p2_does_not_believe_a_retry_that_lost_the_signature_it_must_have(tmp_path: Path) -> None:
    """What it says of itself is right, and worth nothing: its service must sign."""
    calls = [Call(1, 500_000, attempt=1), Call(2, 500_000, attempt=2, trace=1, service="gateway")]
    issuers = 'issuers: [{services: ["gateway"], keys: ["gw-*"]}]\n'
    calls[0] = replace(calls[0], trace=1)
    _, said, _ = triaged(meter_day(tmp_path, calls, policy=issuers))
    (found,) = failed(said)
    assert (said["stopped_at"], found["reason"]) == ("P2", "not_verified")
    assert f"span {span_id(2)} (gateway, attempt 2) is not believed" in found["detail"]
    assert "its envelope is unsigned" in found["detail"]


def test_parts_are_joined_over_any_number_of_pairs() -> None:
    assert rooted([("b", "c"), ("a", "b"), ("x", "y")]) == {
        "a": "a", "b": "a", "c": "a", "x": "x", "y": "x",
    }  # fmt: skip


# -- P3 --------------------------------------------------------------------------------------------


def test_p3_stops_at_the_slice_below_its_slo(tmp_path: Path) -> None:
    """989,000 of 1,000,000 tokens on a tenant and a workflow: 98.9 % of their cost."""
    nobody = {"tenant_id": "acme"}  # no workflow: enough to leave a row without segment
    calls = [*chain(1, 494_500, {}), Call(50, 11_000, nobody)]
    status, said, printed = triaged(meter_day(tmp_path, calls))
    assert (status, said["stopped_at"]) == (1, "P3"), printed
    assert "stops at P3: 98.90 % of the effective_cost that meters divide" in printed
    assert ROUTE in said["mend_first"]
    total, by_slice = failed(said)
    assert {total["number"], by_slice["number"]} == {"0.989"}
    assert by_slice["by_tokens"] == "0.989"
    assert (by_slice["reason"], by_slice["rows"]["count"]) == ("below_slo", 1)
    assert ROUTE in by_slice["detail"]
    assert by_slice["route"]["model"] == "anthropic.claude-sonnet"
    assert by_slice["rows"]["shown"][0]["cost"] == "0.110000000000"


def test_p3_passes_at_its_slo_exactly_and_open_rows_are_in_the_denominator(tmp_path: Path) -> None:
    seen = meter_day(tmp_path / "at", chain(1, 495_000, {}))
    status, said, printed = triaged(seen)
    assert (status, said["verdict"]) == (0, "PASS"), printed
    below = meter_day(tmp_path / "below", [*chain(1, 494_999, {})])
    _, said, _ = triaged(below)
    assert {found["number"] for found in failed(said)} == {"0.989998"}


def test_p3_counts_a_gap_that_the_policy_spreads_over_tenants(tmp_path: Path) -> None:
    """Spreading names a tenant for every dollar, and makes no join more complete."""
    from attribution_pipeline.orchestration.completeness import of_days

    history = meter_day(tmp_path, chain(1, 494_500, {}), policy="evidence_gap: spread\n")
    house = history.house()
    rows = house.lake.read("ledger", DAY, DAY, ["tenant_id", "leg"]).to_pylist()
    assert {(row["tenant_id"], row["leg"]) for row in rows} == {("acme", "own"), ("acme", "spread")}
    _, said, _ = triaged(history)
    total, by_slice = failed(said)
    assert {total["number"], by_slice["number"]} == {"0.989"}
    assert by_slice["rows"]["shown"][0]["leg"] == "spread"
    (found,) = of_days(house, [DAY], "effective_cost").slices
    shares = (found.share("tenant").text, found.segmentation().text, found.actors().text)
    assert shares == ("0.989", "0.989", "0.989")


def test_p3_fails_where_one_contract_name_stands_for_two_joins(tmp_path: Path) -> None:
    from attribution_pipeline.orchestration.triage import triage_of
    from attribution_pipeline.proof.triage import p3_joinability

    history = meter_day(tmp_path, WHOLE)
    house = history.house()
    policy = house.policies.version(1)
    other = policy.model_copy(
        update={"version": 2, "join": policy.join.model_copy(update={"route_keys": ["account"]})}
    )

    class Asked:
        policies = {1: policy, 2: other}

    verdict = p3_joinability._versioned(Asked())  # type: ignore[arg-type]
    assert (verdict.passed, verdict.reason) == (False, "contract_changed")
    assert "policy versions 1 and 2" in verdict.detail
    assert triage_of(house).stopped_at is None
