"""Who caused a call: the rungs of the ladder, the best first, each with its provenance."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution_pipeline_tests.attribution.named import (
    MUST_SIGN,
    link,
    model_call,
    named,
    span,
    token,
    who,
)


def test_a_call_that_names_its_tenant_needs_nobody_else(tmp_path: Path):
    spans = [
        span("root", 1, tenant_id="bolt"),
        model_call(1, 1, "root", tenant_id="acme", workflow_id="search"),
    ]
    row = named(tmp_path, spans)["r-1"]
    assert who(row) == ("acme", "attributes", "unsigned")
    assert row["workflow_id"] == "search"


def test_a_queue_with_traceparent_alone_finds_the_tenant_among_its_ancestors(tmp_path: Path):
    spans = [
        span("edge", 1, tenant_id="acme", workflow_id="search"),
        span("send", 1, "edge", kind=4),
        span("process", 1, "send", kind=5),
        model_call(1, 1, "process", feature="chat"),
    ]
    row = named(tmp_path, spans)["r-1"]
    assert who(row) == ("acme", "ancestor", "unsigned")
    # the tenant decides the rung: nothing is filled in from another one
    assert (row["workflow_id"], row["feature"]) == ("search", None)


def test_the_nearest_ancestor_that_names_a_tenant_answers(tmp_path: Path):
    spans = [
        span("far", 1, tenant_id="bolt"),
        span("near", 1, "far", tenant_id="acme"),
        span("nearest", 1, "near", workflow_id="of nobody"),
        model_call(1, 1, "nearest"),
    ]
    assert who(named(tmp_path, spans)["r-1"]) == ("acme", "ancestor", "unsigned")


def test_a_thread_pool_without_context_leaves_its_call_unknown(tmp_path: Path):
    spans = [span("edge", 1, tenant_id="acme"), model_call(1, 2, workflow_id="search")]
    row = named(tmp_path, spans)["r-1"]
    assert who(row) == (None, "unknown", "unsigned")
    assert row["workflow_id"] == "search"
    assert not row["unverified"]


def test_parents_in_a_ring_end_the_climb(tmp_path: Path):
    spans = [span("a", 1, "b"), span("b", 1, "a"), span("other", 1, tenant_id="acme"),
             model_call(1, 1, "a")]  # fmt: skip
    assert who(named(tmp_path, spans)["r-1"]) == (None, "unknown", "unsigned")


def test_a_consumer_in_a_trace_of_its_own_follows_its_link(tmp_path: Path):
    spans = [
        span("edge", 1, tenant_id="acme"),
        span("send", 1, "edge", kind=4),
        span("process", 2, kind=5, links=link("send", 1)),
        model_call(1, 2, "process"),
    ]
    assert who(named(tmp_path, spans)["r-1"]) == ("acme", "link", "unsigned")


def test_links_are_followed_from_queue_to_queue(tmp_path: Path):
    spans = [
        span("send", 1, tenant_id="acme"),
        span("process", 2, kind=5, links=link("send", 1)),
        span("again", 3, kind=5, links=link("process", 2)),
        model_call(1, 3, "again"),
    ]
    assert who(named(tmp_path, spans)["r-1"]) == ("acme", "link", "unsigned")


def test_a_batch_of_one_tenant_names_it_and_what_its_messages_agree_on(tmp_path: Path):
    spans = [
        span("one", 1, tenant_id="acme", workflow_id="search", feature="chat"),
        span("two", 2, tenant_id="acme", workflow_id="search", feature="mail"),
        span("batch", 3, links=f"{link('one', 1)} {link('two', 2)}"),
        model_call(1, 3, "batch"),
    ]
    row = named(tmp_path, spans)["r-1"]
    assert who(row) == ("acme", "link", "unsigned")
    assert (row["workflow_id"], row["feature"]) == ("search", None)


def test_a_batch_of_two_tenants_names_nobody(tmp_path: Path):
    spans = [
        span("one", 1, tenant_id="acme"),
        span("two", 2, tenant_id="bolt"),
        span("batch", 3, links=f"{link('one', 1)} {link('two', 2)}"),
        model_call(1, 3, "batch"),
    ]
    assert who(named(tmp_path, spans)["r-1"]) == (None, "unknown", "unsigned")


def test_spellings_of_one_tenant_are_one_tenant(tmp_path: Path):
    spans = [
        span("one", 1, tenant_id="Acme-Inc"),
        span("two", 2, tenant_id="acme"),
        span("batch", 3, links=f"{link('one', 1)} {link('two', 2)}"),
        model_call(1, 3, "batch"),
    ]
    policy = "join: {tenant_aliases: {Acme-Inc: acme}}\n"
    assert who(named(tmp_path, spans, policy)["r-1"]) == ("acme", "link", "unsigned")


@pytest.mark.parametrize(
    ("second", "answer"),
    [("acme", ("acme", "run", "unsigned")), ("bolt", (None, "unknown", "unsigned"))],
)
def test_a_run_answers_where_it_names_one_tenant(
    tmp_path: Path, second: str, answer: tuple[str | None, str, str]
):
    spans = [
        span("start", 1, tenant_id="acme", run_id="run-7"),
        span("step", 2, tenant_id=second, run_id="run-7"),
        model_call(1, 3, run_id="run-7"),
    ]
    assert who(named(tmp_path, spans)["r-1"]) == answer


def test_a_run_may_have_the_name_that_the_policy_reads(tmp_path: Path):
    spans = [
        span("start", 1, tenant_id="acme", attributes='{"job.id": "7"}'),
        model_call(1, 3, attributes='{"job.id": "7"}'),
    ]
    policy = "join: {attributes: {run_id: [job.id]}}\n"
    assert who(named(tmp_path, spans, policy)["r-1"]) == ("acme", "run", "unsigned")


def test_the_policy_orders_the_rungs(tmp_path: Path):
    spans = [
        span("edge", 1, tenant_id="acme"),
        span("send", 2, tenant_id="bolt"),
        span("process", 1, "edge", links=link("send", 2)),
        model_call(1, 1, "process"),
    ]
    for ladder, tenant in (("ancestor, link", "acme"), ("link, ancestor", "bolt"), ("run", None)):
        found = named(tmp_path, spans, f"join: {{identity: [{ladder}]}}\n")["r-1"]
        assert found["tenant_id"] == tenant


def test_principal_and_consumer_are_never_put_for_each_other(tmp_path: Path):
    spans = [
        model_call(1, 1, tenant_id="acme", principal_id="svc-gateway"),
        model_call(2, 2, tenant_id="acme", consumer_id="alice"),
        model_call(3, 3, envelope=token("acme", consumer_id="alice"), principal_id="svc-gateway",
                   consumer_id="mallory"),
    ]  # fmt: skip
    rows = named(tmp_path, spans)
    found = [(rows[f"r-{n}"]["principal_id"], rows[f"r-{n}"]["consumer_id"]) for n in (1, 2, 3)]
    assert found == [("svc-gateway", None), (None, "alice"), ("svc-gateway", "alice")]


def test_a_verified_envelope_wins_over_attributes_and_says_all_that_it_could(tmp_path: Path):
    spans = [
        model_call(1, 1, tenant_id="bolt", workflow_id="digest", feature="mail",
                   originator_id="mallory", envelope=token("acme")),
    ]  # fmt: skip
    row = named(tmp_path, spans)["r-1"]
    assert who(row) == ("acme", "envelope", "verified")
    assert (row["workflow_id"], row["feature"]) == ("search", None)
    assert (row["originator_id"], row["issuance_id"]) == ("alice", "issuance-1")


def test_an_envelope_on_a_twin_speaks_for_the_call(tmp_path: Path):
    client = model_call(1, 1, tenant_id="bolt")
    gateway = model_call(1, 1, kind=2, envelope=token("acme"), service_name="gateway")
    gateway["span_id"] = "9" * 16
    assert who(named(tmp_path, [client, gateway], MUST_SIGN)["r-1"]) == (
        "acme", "envelope", "verified",
    )  # fmt: skip


def test_retries_of_one_issuance_have_one_identity_and_their_number(tmp_path: Path):
    signed = token("acme")
    spans = [
        model_call(1, 1, envelope=signed),
        model_call(2, 1, envelope=signed, attempt=2),
        span("redelivered", 2, links=link("somewhere", 1), envelope=signed),
        model_call(3, 2, "redelivered", envelope=signed, attempt=3, tenant_id="executor"),
        # an issuance of its own, and nothing else: what it follows says who
        model_call(4, 3, attempt=4, parent_issuance_id="issuance-1"),
    ]
    rows = named(tmp_path, spans)
    assert [who(rows[f"r-{n}"]) for n in range(1, 5)] == [
        *[("acme", "envelope", "verified")] * 3, ("acme", "link", "verified"),
    ]  # fmt: skip
    assert [rows[f"r-{n}"]["attempt"] for n in range(1, 5)] == [None, 2, 3, 4]
    assert rows["r-4"]["parent_issuance_id"] == "issuance-1"
