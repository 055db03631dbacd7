"""What may be issued, and what a payload must be to be read at all, signature or not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_pipeline.envelope import Claims, EnvelopeError, Key, issue
from attribution_pipeline.envelope.claims import CLAIM_FIELDS, IDENTIFIER_FIELDS, MAX_LIFETIME
from attribution_pipeline.envelope.token import (
    MAX_TOKEN,
    Unreadable,
    join_token,
    pre_authentication_encoding,
    read_token,
)
from attribution_pipeline_tests.envelope.envelopes import (
    CLAIMS,
    HMAC,
    NOW,
    body,
    judged,
    parts,
    signed,
    with_fields,
)

LOOK_ALIKES = ["аcme", "acme\u200b", "ａcme", "acmé", "acme\u0301", "AⅭME", "acme\u00a0"]
NOT_IDENTIFIERS = [
    "", " ", "a b", "acme\n", "\nacme", "a/b", "../x", "a\\b", "a,b", "a;b", "a=b", "a%20b",
    'a"b', "a\x00b", "x" * 129, *LOOK_ALIKES,
]  # fmt: skip


@pytest.mark.parametrize("field", IDENTIFIER_FIELDS)
@pytest.mark.parametrize("value", [*NOT_IDENTIFIERS, 7, b"acme", ["acme"]], ids=ascii)
def test_what_is_no_identifier_is_refused_at_issue(field: str, value: Any) -> None:
    with pytest.raises(EnvelopeError, match=f"{field} is no identifier"):
        replace(CLAIMS, **{field: value})


@given(st.text(min_size=1).filter(lambda text: not text.isascii()))
@settings(max_examples=200, deadline=None)
def test_no_letter_outside_ascii_is_ever_issued(text: str) -> None:
    with pytest.raises(EnvelopeError):
        replace(CLAIMS, tenant_id=text)


def test_an_identifier_that_is_refused_is_not_repeated() -> None:
    with pytest.raises(EnvelopeError) as refused:
        replace(CLAIMS, tenant_id="what a person typed")
    assert "person" not in str(refused.value)


@pytest.mark.parametrize("field", ["issued_at", "expires_at"])
@pytest.mark.parametrize(
    "value", [None, "1790000000", 1.5, 1e9, True, -1, 10**12, float("nan")], ids=repr
)
def test_a_time_is_whole_seconds(field: str, value: Any) -> None:
    with pytest.raises(EnvelopeError, match=f"{field} is no time"):
        replace(CLAIMS, **{field: value})


@pytest.mark.parametrize("lifetime", [0, -1, MAX_LIFETIME + 1])
def test_an_envelope_has_an_end_that_is_near(lifetime: int) -> None:
    with pytest.raises(EnvelopeError, match="expires_at"):
        replace(CLAIMS, expires_at=CLAIMS.issued_at + lifetime)
    assert replace(CLAIMS, expires_at=CLAIMS.issued_at + MAX_LIFETIME)


def test_new_claims_begin_now_under_an_id_of_their_own() -> None:
    def new() -> Claims:
        return Claims.new(
            tenant_id="acme", originator_id="u", workflow_id="w", operation_id="o",
            audience="prod", lifetime=60, feature="f",
        )  # fmt: skip

    one, other = new(), new()
    assert one.issuance_id != other.issuance_id
    assert one.expires_at - one.issued_at == 60
    assert (one.feature, one.consumer_id) == ("f", None)


def test_the_payload_holds_key_algorithm_and_version() -> None:
    assert list(body()) == ["version", "algorithm", "signing_key_id", *CLAIM_FIELDS]
    assert (body()["version"], body()["algorithm"]) == (1, "hmac-sha256")


def test_the_signed_bytes_are_framed_with_both_lengths() -> None:
    """DSSE's own example of its encoding, with our domain as the type."""
    assert pre_authentication_encoding(b"hello world") == (
        b"DSSEv1 23 attribution-envelope/v1 11 hello world"
    )


def test_absent_fields_take_no_room_and_full_ones_fit() -> None:
    small = Claims(
        tenant_id="a", originator_id="u", workflow_id="w", operation_id="o", issuance_id="i",
        issued_at=NOW, expires_at=NOW + 1, audience="p",
    )  # fmt: skip
    assert b"consumer_id" not in parts(issue(small, HMAC))[0]
    full = replace(CLAIMS, **dict.fromkeys(IDENTIFIER_FIELDS, "x" * 128))
    longest = Key(key_id="k" * 128, algorithm="ed25519", private=bytes(32))
    assert len(issue(full, longest)) < MAX_TOKEN


def test_a_token_beyond_the_limit_is_not_made() -> None:
    with pytest.raises(EnvelopeError, match="the limit is"):
        join_token(b"x" * MAX_TOKEN, b"y")


def _rewritten(old: str, new: str) -> bytes:
    text = parts(issue(CLAIMS, HMAC))[0].decode()
    assert old in text
    return text.replace(old, new, 1).encode()


UNREADABLE: list[tuple[bytes, str]] = [
    (_rewritten('"acme"', '"acme","tenant_id":"globex"'), "duplicate_field"),
    (_rewritten('"acme"', '"acme","tenant_id":"acme"'), "duplicate_field"),
    (_rewritten('"acme"', '"acme","\\u0074enant_id":"globex"'), "duplicate_field"),
    (with_fields(admin=True), "unknown_field"),
    (with_fields(attempt=2), "unknown_field"),
    (_rewritten('"tenant_id"', '"Tenant_id"'), "unknown_field"),
    (with_fields(tenant_id=...), "missing_field"),
    (with_fields(audience=...), "missing_field"),
    (with_fields(version=...), "missing_field"),
    (with_fields(signing_key_id=...), "missing_field"),
    (with_fields(version=2), "unknown_version"),
    (with_fields(version=True), "unknown_version"),
    (with_fields(version="1"), "unknown_version"),
    (with_fields(version=1.0), "bad_field"),
    (with_fields(algorithm=None), "bad_field"),
    (with_fields(signing_key_id=1), "bad_field"),
    (with_fields(tenant_id=None), "bad_field"),
    (with_fields(tenant_id=7), "bad_field"),
    (with_fields(tenant_id=["acme"]), "bad_field"),
    (with_fields(tenant_id="a b"), "bad_field"),
    (with_fields(consumer_id=None), "bad_field"),
    (with_fields(project=""), "bad_field"),
    (with_fields(issued_at=str(NOW)), "bad_field"),
    (with_fields(issued_at=float(NOW)), "bad_field"),
    (with_fields(issued_at=True), "bad_field"),
    (_rewritten(f"{NOW - 60}", f"{NOW - 60}.0"), "bad_field"),
    (_rewritten(f"{NOW - 60}", "1e9"), "bad_field"),
    (_rewritten(f"{NOW - 60}", "NaN"), "bad_field"),
    (_rewritten(f"{NOW - 60}", "-Infinity"), "bad_field"),
    (_rewritten(f"{NOW - 60}", "9" * 1000), "bad_field"),
    (with_fields(expires_at=CLAIMS.issued_at), "bad_field"),
    (with_fields(expires_at=CLAIMS.issued_at + MAX_LIFETIME + 1), "bad_field"),
    (_rewritten("{", "{{"), "not_json"),
    (_rewritten("}", "}}"), "not_json"),
    (_rewritten("}", "} x"), "not_json"),
    (b"[]", "not_json"),
    (b"null", "not_json"),
    (b'"acme"', "not_json"),
    (b"[" * 2000, "not_json"),
    (b"\xef\xbb\xbf" + with_fields(), "not_json"),
    (_rewritten("acme", "ácme"), "not_json"),
    (with_fields().decode().encode("utf-16"), "not_json"),
    (b"\xff\xfe", "not_json"),
]


@pytest.mark.parametrize(("payload", "reason"), UNREADABLE, ids=lambda one: str(one)[:40])
def test_a_payload_is_read_strictly_even_where_the_signature_fits(
    payload: bytes, reason: str
) -> None:
    """A careless issuer with a good key gets no further than a forger."""
    found = judged(signed(payload))
    assert (found.verdict, found.reason) == ("bad_signature", reason)
    assert (found.claims, found.named, found.issuance_id) == (None, None, None)


@pytest.mark.parametrize("look_alike", LOOK_ALIKES, ids=ascii)
def test_a_look_alike_is_not_read_either(look_alike: str) -> None:
    escaped = json.dumps({**body(), "tenant_id": look_alike}).encode()  # ASCII, with \\u escapes
    assert judged(signed(escaped)).reason == "bad_field"


def test_an_issuer_may_space_and_order_its_json_as_it_likes() -> None:
    """The bytes are signed as they are, so another implementation need not write them as we do."""
    turned = dict(reversed(list(body().items())))
    assert judged(signed(json.dumps(turned, indent=2).encode())).claims == CLAIMS


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_payload_raises_anything_else(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        read_token(signed(payload))
