"""A late span that says who caused other calls moves those calls, and what it moves is `identity`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.attribution import late_plane
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline_tests.attribution.days import DAY, METERS, token_line
from attribution_pipeline_tests.attribution.lateness import Late, deliver
from attribution_pipeline_tests.attribution.named import (
    KEYS,
    MUST_SIGN,
    link,
    model_call,
    span,
    token,
)
from attribution_pipeline_tests.attribution.test_late import changed_rows
from attribution_pipeline_tests.oracle.words import Evidence
from attribution_pipeline_tests.worlds import World

BILL = [token_line(1, "10.00", "m-uncached", 1000)]
OTHERS = [model_call(n, n, tenant_id="corvid") for n in range(50, 55)]
"""Calls that nothing late touches."""


@pytest.fixture(autouse=True)
def _worlds_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_plane, "MOST_LATE", 0)


def after(tmp_path: Path, *batches: Any) -> list[Late]:
    """What late batches of spans came to, found equal to the whole day."""
    evidence = Evidence(billing=BILL, delivery={"bill": "append"})
    made = World(0, DAY, DAY, replace(evidence, keys=KEYS), parse_policy(METERS + MUST_SIGN))
    found = deliver(made, [[*OTHERS, *batches[0]], *batches[1:]], tmp_path / "world")
    assert [wrong for one in found for wrong in one.differences] == []
    return found


def test_a_parent_that_comes_late_names_the_call_below_it(tmp_path: Path):
    (late,) = after(tmp_path, [model_call(1, 1, "edge")], [span("edge", 1, tenant_id="acme")])
    assert sorted(changed_rows(late)) == [("acme", "own", 100), ("identity_missing", "own", -100)]
    assert late.outcome is not None
    assert late.outcome.causes == {"identity": 2}


def test_a_link_target_that_comes_late_names_the_call_of_another_trace(tmp_path: Path):
    consumer = [span("process", 2, links=link("send", 1)), model_call(1, 2, "process")]
    (late,) = after(tmp_path, consumer, [span("send", 1, tenant_id="acme")])
    assert sorted(changed_rows(late)) == [("acme", "own", 100), ("identity_missing", "own", -100)]


def test_a_link_that_comes_late_joins_the_traces_of_an_issuance(tmp_path: Path):
    early = [model_call(1, 1, envelope=token()), model_call(2, 2, "retry", envelope=token())]
    late = [span("retry", 2, links=link("first", 1))]
    (found,) = after(tmp_path, early, late)
    assert sorted(changed_rows(found)) == [
        ("acme", "own", 200), ("identity_unverified", "own", -200),
    ]  # fmt: skip


def test_a_second_claim_that_comes_late_takes_an_issuance_from_both(tmp_path: Path):
    early = [model_call(1, 1, envelope=token("acme"))]
    (late,) = after(tmp_path, early, [model_call(2, 2, envelope=token("bolt"))])
    assert sorted(changed_rows(late)) == [
        ("acme", "own", -100), ("identity_unverified", "own", 200), ("telemetry_gap", "open", -100),
    ]  # fmt: skip


def test_a_copy_that_comes_late_takes_the_issuance_from_its_calls(tmp_path: Path):
    early = [model_call(1, 1, envelope=token("acme"))]
    (late,) = after(tmp_path, early, [span("copy", 9, envelope=token("acme"))])
    assert sorted(changed_rows(late)) == [
        ("acme", "own", -100), ("identity_unverified", "own", 100),
    ]  # fmt: skip


def test_a_second_tenant_of_a_run_that_comes_late_leaves_its_calls_nameless(tmp_path: Path):
    early = [span("start", 1, tenant_id="acme", run_id="7"), model_call(1, 2, run_id="7")]
    later = [span("step", 3, tenant_id="acme", run_id="7")]
    last = [span("other", 4, tenant_id="bolt", run_id="7")]
    agreed, contradicted = after(tmp_path, early, later, last)
    assert not agreed.has_moved
    assert sorted(changed_rows(contradicted)) == [
        ("acme", "own", -100), ("identity_missing", "own", 100),
    ]  # fmt: skip


def test_the_parent_issuance_that_comes_late_names_the_retry(tmp_path: Path):
    early = [model_call(1, 1, parent_issuance_id="issuance-1", attempt=2)]
    (late,) = after(tmp_path, early, [span("first", 2, envelope=token("acme"))])
    assert sorted(changed_rows(late)) == [("acme", "own", 100), ("identity_missing", "own", -100)]


def test_a_day_that_hangs_together_with_what_is_late_is_done_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One run over every call: nothing is gained by looking at all of them twice."""
    early = [model_call(n, n, run_id="7") for n in range(1, 20)]
    later = [span("start", 30, tenant_id="acme", run_id="7")]
    monkeypatch.setattr(late_plane, "MOST_LATE", 8)
    with pytest.raises(AssertionError, match="too many late spans"):
        after(tmp_path, early, later)


def test_a_response_that_is_told_again_in_another_trace_is_one_call(tmp_path: Path):
    said = {"tenant_id": "acme", "response_id": "msg_01fffa9ce9d43e60f8a1b2c3"}
    (late,) = after(tmp_path, [model_call(1, 1, **said)], [model_call(2, 2, **said)])
    assert late.planes["operations"].rows["operations"] == len(OTHERS) + 1


def test_deliveries_that_differ_in_what_a_span_is_are_done_whole(tmp_path: Path):
    """Which of them stands, and so how often it came, is for a merge to say."""
    call = model_call(1, 1)
    early = [call, {**call, "is_call": False}]
    with pytest.raises(AssertionError, match="too many late spans"):
        after(tmp_path, early, [span("child", 1)])


def test_a_late_repetition_is_counted_once_more(tmp_path: Path):
    call = model_call(1, 1)
    first, second = after(tmp_path, [call], [dict(call)], [dict(call), span("child", 1)])
    counted = [found.planes["operations"].rows["repeated_deliveries"] for found in (first, second)]
    assert counted == [1, 2]
