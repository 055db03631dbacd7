"""Envelopes, second instrumentations, retries and clocks: what each fault does, and to how many."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from attribution_pipeline.envelope import KeyRing, verify
from attribution_pipeline.simulator import Report, instrumentation, write_company
from attribution_pipeline.simulator.company import SIGNERS, TENANTS
from attribution_pipeline.simulator.envelopes import FORGED_SHARE, STRIPPED_SHARE
from attribution_pipeline.simulator.instrumentation import SHARE
from attribution_pipeline_tests.simulator import reading
from attribution_pipeline_tests.simulator.conftest import DAYS, SPANS_PER_DAY
from attribution_pipeline_tests.simulator.reading import Span

Company = tuple[Path, Report]
TENANT = ("attribution.tenant_id", "attribution.tenant.id", "app.tenant")
SIGNING = {signer.workload for signer in SIGNERS}


def played(directory: Path, *faults: str) -> Path:
    write_company(directory, days=DAYS, spans_per_day=SPANS_PER_DAY, faults=faults)
    return directory


def tenant_of(span: Span) -> str | None:
    return next((span.attributes[name] for name in TENANT if name in span.attributes), None)


def calls_of_signers(directory: Path) -> dict[tuple[str, str], Span]:
    return {
        span.id: span
        for span in reading.spans(directory)
        if span.resource["service.name"] in SIGNING and "gen_ai.request.model" in span.attributes
    }


def unverified(directory: Path) -> Decimal:
    return sum(
        (row["effective_cost"] for row in reading.truth(directory)
         if row["expected_reason"] == "identity_unverified"),
        Decimal(0),
    )  # fmt: skip


def test_every_request_of_a_service_that_must_sign_carries_an_envelope_that_holds(
    company: Company,
) -> None:
    ring = KeyRing.load(company[0] / "keys.yaml")
    calls = calls_of_signers(company[0])
    assert {span.resource["service.name"] for span in calls.values()} == SIGNING
    algorithms = set()
    for span in calls.values():
        started = int(span.span["startTimeUnixNano"]) // 10**9
        found = verify(span.attributes["attribution.envelope"], ring, at=started)
        assert found.verdict == "verified"
        assert found.claims is not None
        assert found.claims.tenant_id == tenant_of(span)
        algorithms.add(found.key_id)
    assert algorithms == {signer.key_id for signer in SIGNERS}
    others = [s for s in reading.spans(company[0]) if s.resource["service.name"] not in SIGNING]
    assert not any("attribution.envelope" in span.attributes for span in others)
    assert unverified(company[0]) == 0


def test_a_forged_envelope_names_another_tenant_and_is_bad_old_or_a_copy(
    company: Company, tmp_path: Path
) -> None:
    directory = played(tmp_path / "forged", "forged_envelopes")
    ring = KeyRing.load(directory / "keys.yaml")
    before, after = calls_of_signers(company[0]), calls_of_signers(directory)
    assert set(before) == set(after)
    traces: dict[str, set[str]] = defaultdict(set)
    verdicts: Counter[str] = Counter()
    for id_, span in after.items():
        if tenant_of(span) == tenant_of(before[id_]):
            continue
        token = span.attributes.get("attribution.envelope")
        if token is None:  # a copy that found nothing to copy
            continue
        found = verify(token, ring, at=int(span.span["startTimeUnixNano"]) // 10**9)
        verdicts[found.verdict] += 1
        if found.verdict == "verified":
            assert found.claims is not None
            assert found.claims.tenant_id == tenant_of(span)
            traces[token].add(id_[0])
    assert set(verdicts) == {
        "bad_signature", "unknown_key", "revoked_key", "expired", "verified"
    }  # fmt: skip
    assert FORGED_SHARE / 2 < verdicts.total() / len(after) < FORGED_SHARE * 2
    for token, copies in traces.items():
        carriers = {
            i[0] for i, s in after.items() if s.attributes.get("attribution.envelope") == token
        }
        assert carriers > copies, "whoever is copied from is there, too"
    assert unverified(directory) > 10


def test_a_stripped_request_carries_nothing_and_half_of_them_lie(
    company: Company, tmp_path: Path
) -> None:
    directory = played(tmp_path / "stripped", "stripped_envelopes")
    before, after = calls_of_signers(company[0]), calls_of_signers(directory)
    bare = {i: span for i, span in after.items() if "attribution.envelope" not in span.attributes}
    assert STRIPPED_SHARE / 2 < len(bare) / len(after) < STRIPPED_SHARE * 2
    lies = sum(tenant_of(span) != tenant_of(before[i]) for i, span in bare.items())
    assert 0.2 < lies / len(bare) < 0.8
    assert unverified(directory) > 10


def test_a_call_that_is_seen_twice_has_one_usage_and_stands_in_one_trace(
    company: Company, tmp_path: Path
) -> None:
    directory = played(tmp_path / "double", "double_instrumentation")
    once = {span.id: span for span in reading.spans(company[0])}
    spans = list(reading.spans(directory))
    second = [span for span in spans if span.id not in once]
    first = {span.id: span for span in spans if span.id in once}
    assert set(first) == set(once)
    assert abs(len(second) / company[1].calls - SHARE) < 0.05
    scopes = Counter(span.scope for span in second)
    assert {"litellm", "openinference.instrumentation.openai"} <= set(scopes)
    by_parent = {(span.id[0], span.span["parentSpanId"]): span for span in first.values()}
    by_response = {
        span.attributes["gen_ai.response.id"]: span
        for span in first.values()
        if "gen_ai.response.id" in span.attributes and span.span["kind"] == 3
    }
    shapes: Counter[str] = Counter()
    for span in second:
        trace, parent = span.id[0], span.span["parentSpanId"]
        if span.scope.startswith("openinference"):
            call = by_parent[trace, span.id[1]]
            shapes["wraps"] += 1
            assert "gen_ai.response.id" not in span.attributes
            asked = "llm.token_count.prompt"
        else:
            asked = "gen_ai.usage.input_tokens"
            response = span.attributes.get("gen_ai.response.id")
            call = by_response[response] if response else first[trace, parent]
            shapes["child" if parent == call.id[1] else "sibling"] += 1
        assert call.id[0] == trace
        assert span.attributes[asked] == call.attributes["gen_ai.usage.input_tokens"]
    assert min(shapes[name] for name in ("wraps", "child", "sibling")) > 10
    gateways = [span for span in second if span.scope == "litellm"]
    assert all("k8s.pod.name" not in span.resource and not tenant_of(span) for span in gateways)
    agents = [s for s in first.values() if "gen_ai.agent.name" in s.attributes]
    assert any("gen_ai.usage.input_tokens" in span.attributes for span in agents)


def test_a_retry_is_another_trace_with_a_link_the_same_envelope_and_a_strangers_name(
    company: Company, tmp_path: Path
) -> None:
    directory = played(tmp_path / "retries", "retries_across_queues")
    once = {span.id: span for span in reading.spans(company[0])}
    spans = list(reading.spans(directory))
    by_id = {span.id: span for span in spans}
    again = [s for s in spans if s.id not in once and "gen_ai.request.model" in s.attributes]
    client = [span for span in again if span.span["kind"] == 3]
    assert len(client) > 10
    silent = 0
    for span in client:
        consumer = by_id[span.id[0], span.span["parentSpanId"]]
        link = consumer.span["links"][0]
        first = by_id[link["traceId"], link["spanId"]]
        assert span.id[0] != first.id[0]
        assert span.resource["service.name"] == consumer.resource["service.name"] == "ingest-worker"
        envelope = first.attributes["attribution.envelope"]
        assert consumer.attributes["attribution.envelope"] == envelope
        assert tenant_of(consumer) in TENANTS
        assert tenant_of(consumer) != tenant_of(first)
        assert span.attributes.get("gen_ai.response.id", 1) != first.attributes.get(
            "gen_ai.response.id"
        )
        is_silent = "attribution.envelope" not in span.attributes
        assert is_silent == ("links" not in span.span)
        silent += is_silent
    assert 0 < silent < len(client)
    # both attempts are billed, and neither is the worker's
    assert sum(row["billed_cost"] for row in reading.truth(directory)) > sum(
        row["billed_cost"] for row in reading.truth(company[0])
    )


def test_a_wrong_clock_moves_whole_nodes_and_only_what_crosses_midnight_has_a_bound(
    company: Company, tmp_path: Path
) -> None:
    directory = played(tmp_path / "skew", "clock_skew")
    right = {span.id: span for span in reading.spans(company[0])}
    minutes: dict[str, set[int]] = defaultdict(set)
    for span in reading.spans(directory):
        late = span.end_ms - right[span.id].end_ms
        minutes[span.resource["k8s.node.name"]].add(late)
    assert all(len(found) == 1 for found in minutes.values()), "a clock is a machine's"
    assert {found.pop() for found in minutes.values()} == {0, 4 * 60_000, 23 * 60_000}
    meters = [row for row in reading.truth(directory, "bounds") if row["token_kind"]]
    assert 0 < len(meters) < len([r for r in reading.truth(directory) if r["token_kind"]]) / 2
    assert not [row for row in reading.truth(company[0], "bounds") if row["token_kind"]]


@pytest.mark.parametrize(
    "fault", ["double_instrumentation", "forged_envelopes", "stripped_envelopes", "clock_skew"]
)
def test_what_spans_say_changes_neither_the_bill_nor_who_caused_it(
    company: Company, tmp_path: Path, fault: str
) -> None:
    directory = played(tmp_path / fault, fault)
    before, after = reading.digest(company[0]), reading.digest(directory)
    unchanged = [p for p in before if p.startswith(("bill-", "opencost", "usage", "polic", "keys"))]
    assert {p: after.get(p) for p in unchanged} == {p: before[p] for p in unchanged}

    def by_cause(root: Path) -> dict[tuple[object, ...], Decimal]:
        sums: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
        for row in reading.truth(root):
            key = ("charge_date", "service", "resource_id", "model", "tenant_id", "workflow_id")
            sums[tuple(row[name] for name in key)] += row["effective_cost"]
        return sums

    assert by_cause(directory) == by_cause(company[0])


def test_a_silent_call_is_known_only_while_a_span_leads_up_to_its_root():
    """A first span under a lost wrapping one hangs in the air; so does a second one under a lost
    first. A sibling, or the wrapping span itself, needs nobody."""
    kinds = [
        instrumentation.CHILD, instrumentation.CHILD, instrumentation.GATEWAY,
        instrumentation.SIBLING, instrumentation.WRAPPING, instrumentation.WRAPPING,
    ]  # fmt: skip
    first = np.array([True, False, False, False, True, False, True])
    kept = np.array([False, True, True, True, False, True])
    found = instrumentation.Second(np.arange(6), np.array(kinds), np.append(np.arange(6), -1), [])
    reached = instrumentation.reaches_root(found, first, kept)
    assert reached.tolist() == [True, False, False, True, False, True, True]
