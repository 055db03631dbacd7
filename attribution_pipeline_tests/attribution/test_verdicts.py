"""What an envelope is worth on a day: a tenant that a failed one names is charged nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.envelope import KeyRing, issue
from attribution_pipeline_tests.attribution.days import METERS, Row, day, token_line
from attribution_pipeline_tests.attribution.named import (
    KEYS,
    MUST_SIGN,
    claims,
    key,
    link,
    model_call,
    named,
    span,
    token,
    who,
)

GATEWAY = {"service_name": "gateway"}
LATER = 2 * 3600 * 10**9
"""Nanoseconds: past the hour for which envelopes of these tests are good."""


def starting_later(row: Row) -> Row:
    return row | {name: row[name] + LATER for name in ("start_unix_nano", "end_unix_nano")}


def flipped(text: str) -> str:
    """The same token with another signature."""
    return text[:-4] + ("AAAA" if text[-4:] != "AAAA" else "BBBB")


OTHER_KEY = key("gw-other", b"another secret of thirty-two byte")
REVOKED = KeyRing([key(revoked_from=claims().issued_at)])

BAD: Mapping[str, tuple[Sequence[Row], KeyRing, str]] = {
    "another signature": (
        [model_call(1, 1, envelope=flipped(token()))], KEYS, "bad_signature"),
    "not an envelope": ([model_call(1, 1, envelope="attr1.acme")], KEYS, "bad_signature"),
    "a key that nobody knows": (
        [model_call(1, 1, envelope=issue(claims(), OTHER_KEY))], KEYS, "unknown_key"),
    "no key at all": ([model_call(1, 1, envelope=token())], KeyRing(), "unknown_key"),
    "a key revoked before": ([model_call(1, 1, envelope=token())], REVOKED, "revoked_key"),
    "a call after its end": (
        [starting_later(model_call(1, 1, envelope=token()))], KEYS, "expired"),
    "two claims under one issuance": (
        [model_call(1, 1, envelope=token("acme")),
         model_call(2, 1, envelope=token("bolt"))], KEYS, "conflict"),
    "a copy in a trace that nothing joins": (
        [model_call(1, 1, envelope=token()), model_call(2, 2, envelope=token())],
        KEYS, "replayed"),
    "two copies that both say they are the second attempt": (
        [model_call(1, 1, envelope=token()), model_call(2, 2, envelope=token(), attempt=2),
         model_call(3, 3, envelope=token(), attempt=2)], KEYS, "replayed"),
}  # fmt: skip


@pytest.mark.parametrize("how", BAD)
@pytest.mark.parametrize("service", ["gateway", "anybody"])
def test_a_failed_envelope_names_nobody_whoever_carries_it(tmp_path: Path, how: str, service: str):
    spans, keys, verdict = BAD[how]
    said = {"service_name": service, "tenant_id": "acme", "workflow_id": "search"}
    rows = named(tmp_path, [row | said for row in spans], MUST_SIGN, keys)
    assert {who(row) for row in rows.values()} == {(None, "envelope", verdict)}
    assert {row["workflow_id"] for row in rows.values()} == {None}
    assert all(row["unverified"] for row in rows.values())


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"tenant_id": "acme"}, "unsigned"),
        ({}, "unsigned"),
        # a tenant, and a key, that are not the gateway's
        ({"envelope": token("corvid")}, "unknown_key"),
        ({"envelope": issue(claims(), key("batch-1"))}, "unknown_key"),
    ],
)
def test_who_must_sign_and_does_not_names_nobody(
    tmp_path: Path, said: Mapping[str, Any], verdict: str
):
    keys = KeyRing([key(), key("batch-1")])
    rows = named(tmp_path, [model_call(1, 1, **GATEWAY, **said)], MUST_SIGN, keys)
    assert who(rows["r-1"]) == (None, "envelope", verdict)


def test_an_envelope_of_a_twin_must_be_one_that_the_signing_service_may_carry(tmp_path: Path):
    signed = issue(claims("acme"), key("batch-1"))
    client = model_call(1, 1, envelope=signed)
    gateway = model_call(1, 1, kind=2, span_id="9" * 16, **GATEWAY)
    keys = KeyRing([key(), key("batch-1")])
    rows = named(tmp_path, [client, gateway], MUST_SIGN, keys)
    assert who(rows["r-1"]) == (None, "envelope", "unknown_key")
    assert who(named(tmp_path, [client], MUST_SIGN, keys)["r-1"])[0] == "acme"


def test_a_signature_that_was_stripped_gains_nothing_from_anybody_around(tmp_path: Path):
    """Neither an ancestor, nor a link, nor a run answers for a service that must sign."""
    spans = [
        span("edge", 1, tenant_id="bolt", run_id="run"),
        span("far", 2, tenant_id="bolt"),
        model_call(1, 1, "edge", tenant_id="acme", run_id="run", links=link("far", 2), **GATEWAY),
    ]
    assert who(named(tmp_path, spans, MUST_SIGN)["r-1"]) == (None, "envelope", "unsigned")


@pytest.mark.parametrize(
    ("around", "rung"),
    [
        (lambda bad: [span("edge", 1, envelope=bad), model_call(1, 1, "edge")], "ancestor"),
        (lambda bad: [span("root", 1, tenant_id="bolt"), span("edge", 1, "root", envelope=bad),
                      model_call(1, 1, "edge")], "ancestor"),
        (lambda bad: [span("send", 1, envelope=bad), model_call(1, 2, links=link("send", 1))],
         "link"),
        (lambda bad: [span("start", 1, envelope=bad, run_id="run"),
                      span("more", 4, tenant_id="bolt", run_id="run"),
                      model_call(1, 2, run_id="run")], "run"),
        # the gateway's own span above the call, which it did not sign
        (lambda bad: [span("root", 1, tenant_id="bolt"), span("edge", 1, "root", **GATEWAY),
                      model_call(1, 1, "edge")], "ancestor"),
    ],
)  # fmt: skip
def test_a_rung_that_failed_ends_the_ladder(tmp_path: Path, around: Any, rung: str):
    row = named(tmp_path, around(flipped(token())), MUST_SIGN)["r-1"]
    assert (row["tenant_id"], row["identity_source"]) == (None, rung)
    assert row["unverified"]


def test_traces_joined_by_a_link_or_by_attempts_share_an_issuance(tmp_path: Path):
    spans = [
        model_call(1, 1, envelope=token()),
        span("process", 2, links=link("whatever", 1), envelope=token()),
        model_call(2, 2, "process", envelope=token()),
        model_call(3, 3, envelope=token(), attempt=2),
        model_call(4, 4, envelope=token(), attempt=3),
    ]
    rows = named(tmp_path, spans)
    assert {who(row) for row in rows.values()} == {("acme", "envelope", "verified")}


def test_a_forged_twin_of_an_issuance_takes_nothing_from_the_real_one(tmp_path: Path):
    """Only what was really signed can contradict: nobody is made nameless by a forgery."""
    spans = [
        model_call(1, 1, envelope=token()),
        model_call(2, 2, envelope=issue(claims("bolt"), OTHER_KEY)),
        model_call(3, 3, envelope=flipped(token())),
    ]
    rows = named(tmp_path, spans)
    assert [who(rows[f"r-{n}"]) for n in (1, 2, 3)] == [
        ("acme", "envelope", "verified"),
        (None, "envelope", "unknown_key"),
        (None, "envelope", "bad_signature"),
    ]


def test_the_last_second_of_an_envelope_is_inside(tmp_path: Path):
    ends = claims().expires_at * 10**9
    spans = [
        model_call(n, 1, envelope=token(), start_unix_nano=ends + more, end_unix_nano=ends + 10**9)
        for n, more in ((1, 0), (2, 1))
    ]
    rows = named(tmp_path, spans)
    assert [row["verdict"] for row in rows.values()] == ["verified", "expired"]


BILL = [token_line(1, "10.00", "m-uncached", 1000)]


def test_what_is_not_believed_is_a_row_of_its_own_without_a_tenant(tmp_path: Path):
    spans = [
        model_call(1, 1, tenant_id="acme"),
        model_call(2, 2),
        model_call(3, 3, tenant_id="acme", envelope=flipped(token())),
        model_call(4, 4, tenant_id="acme", **GATEWAY),
    ]
    found = day(tmp_path, METERS + MUST_SIGN, lines=BILL, spans=spans, keys=KEYS)
    by_reason = {
        row["unallocated_reason"] or row["tenant_id"]: row["billed_cost"] for row in found.ledger
    }
    assert by_reason == {
        "acme": Decimal(1), "identity_missing": Decimal(1), "identity_unverified": Decimal(2),
        "telemetry_gap": Decimal(6),
    }  # fmt: skip
    noticed = [
        (one.subject, one.detail.split()[0])
        for one in found.planes["operations"].findings
        if one.check == "identity_unverified"
    ]
    assert noticed == [("envelope bad_signature", "1"), ("envelope unsigned", "1")]
