"""Nothing of an envelope can be changed: every edit of every signed byte is caught."""

from __future__ import annotations

import json
import string
from dataclasses import fields, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attribution_pipeline.envelope import Claims, issue
from attribution_pipeline.envelope.token import MAX_TOKEN
from attribution_pipeline_tests.envelope.envelopes import (
    CLAIMS,
    ED25519,
    HMAC,
    KEYS,
    NOW,
    OTHER_HMAC,
    RING,
    TOKENS,
    body,
    encoded,
    joined,
    judged,
    parts,
)

HMAC_TOKEN = TOKENS["gw-2026a"]
ED25519_TOKEN = TOKENS["partner-1"]
BOTH = pytest.mark.parametrize("token", [HMAC_TOKEN, ED25519_TOKEN], ids=["hmac", "ed25519"])

identifiers = st.text(string.ascii_letters + string.digits + "._:-", min_size=1, max_size=128)
times = st.integers(0, 4_000_000_000)


@st.composite
def any_claims(draw: st.DrawFn) -> Claims:
    """Claims of any allowed content."""
    issued_at = draw(times)
    given_fields = {
        field.name: draw(identifiers if field.default is not None else st.none() | identifiers)
        for field in fields(Claims)
        if field.name not in ("issued_at", "expires_at")
    }
    return Claims(
        issued_at=issued_at, expires_at=issued_at + draw(st.integers(1, 86_400)), **given_fields
    )


@BOTH
def test_every_bit_of_the_token_counts(token: str) -> None:
    assert judged(token)
    for place, letter in enumerate(token):
        for bit in range(8):
            changed = token[:place] + chr(ord(letter) ^ (1 << bit)) + token[place + 1 :]
            assert not judged(changed), (place, bit)


@BOTH
def test_every_bit_of_the_signed_bytes_counts(token: str) -> None:
    """The payload changed under its base64, so that only the signature can tell."""
    payload, signature = parts(token)
    for place in range(len(payload)):
        for bit in range(8):
            changed = bytearray(payload)
            changed[place] ^= 1 << bit
            found = judged(joined(bytes(changed), signature))
            assert found.verdict in ("bad_signature", "unknown_key"), (place, bit)
            assert found.claims is None
            assert found.issuance_id is None


@BOTH
@pytest.mark.parametrize("field", list(body()))
def test_every_field_counts_where_the_rest_is_well_formed(token: str, field: str) -> None:
    payload, signature = parts(token)
    changed = json.loads(payload)
    value = changed[field]
    changed[field] = value + 1 if isinstance(value, int) else f"{value}x"
    written = json.dumps(changed, separators=(",", ":")).encode()
    found = judged(joined(written, signature))
    assert found.verdict == ("unknown_key" if field == "signing_key_id" else "bad_signature")


@BOTH
def test_no_optional_field_can_be_taken_away_or_added(token: str) -> None:
    payload, signature = parts(token)
    for field in ("consumer_id", "project", "task", "feature", "environment"):
        less = {name: value for name, value in json.loads(payload).items() if name != field}
        assert not judged(joined(json.dumps(less).encode(), signature))


@given(left=identifiers, right=identifiers, data=st.data())
@settings(max_examples=200, deadline=None)
def test_letters_that_move_between_fields_are_caught(
    left: str, right: str, data: st.DataObject
) -> None:
    """ "ab" + "c" is not "a" + "bc", for any two fields that stand beside each other."""
    cut = data.draw(st.integers(1, len(left + right) - 1))
    moved = (left + right)[:cut], (left + right)[cut:]
    assume(moved != (left, right) and max(map(len, moved)) <= 128)
    first, second = data.draw(
        st.sampled_from(
            [("tenant_id", "originator_id"), ("originator_id", "workflow_id"),
             ("workflow_id", "operation_id"), ("operation_id", "issuance_id")]
        )
    )  # fmt: skip
    honest = issue(replace(CLAIMS, **{first: left, second: right}), HMAC)
    forged = issue(replace(CLAIMS, **{first: moved[0], second: moved[1]}), OTHER_HMAC)
    payload = parts(forged)[0].replace(b"gw-2026b", b"gw-2026a")
    assert judged(joined(payload, parts(honest)[1])).verdict == "bad_signature"


def test_two_fields_that_swap_their_values_are_caught() -> None:
    payload, signature = parts(HMAC_TOKEN)
    names = [name for name in body() if name not in ("version", "algorithm", "signing_key_id")]
    for first in names:
        for second in names:
            if first < second:
                changed = json.loads(payload)
                changed[first], changed[second] = changed[second], changed[first]
                assert not judged(joined(json.dumps(changed).encode(), signature))


@given(st.sampled_from(KEYS), st.sampled_from(KEYS))
@settings(deadline=None)
def test_another_keys_signature_never_fits(key, other) -> None:
    assume(key is not other)
    payload, _ = parts(TOKENS[key.key_id])
    _, signature = parts(TOKENS[other.key_id])
    assert judged(joined(payload, signature)).reason == "wrong_signature"


def test_the_same_payload_signed_by_another_key_is_caught() -> None:
    """A valid issuer of its own name who writes another's key id."""
    payload, _ = parts(HMAC_TOKEN)
    from attribution_pipeline.envelope.token import pre_authentication_encoding

    signature = OTHER_HMAC.sign(pre_authentication_encoding(payload))
    assert judged(joined(payload, signature)).reason == "wrong_signature"


@pytest.mark.parametrize("algorithm", ["ed25519", "none", "None", "HS256", "hmac-sha512", ""])
def test_the_token_cannot_choose_its_algorithm(algorithm: str) -> None:
    """The public Ed25519 key used as an HMAC secret, and "none", are the classic two."""
    import hmac

    from attribution_pipeline.envelope.token import pre_authentication_encoding

    payload = json.dumps({**body(), "algorithm": algorithm}).encode()
    message = pre_authentication_encoding(payload)
    assert judged(joined(payload, HMAC.sign(message))).reason == "wrong_algorithm"
    confused = json.dumps(
        {**body(), "algorithm": "hmac-sha256", "signing_key_id": "partner-1"}
    ).encode()
    assert ED25519.public is not None
    forged = hmac.digest(ED25519.public, pre_authentication_encoding(confused), "sha256")
    assert judged(joined(confused, forged)).reason == "wrong_algorithm"


def test_a_signature_without_the_domain_does_not_fit() -> None:
    """A signature that the same key made for something else."""
    payload, _ = parts(HMAC_TOKEN)
    for message in (payload, b"DSSEv1 4 text %d %s" % (len(payload), payload)):
        assert judged(joined(payload, HMAC.sign(message))).reason == "wrong_signature"


@BOTH
@pytest.mark.parametrize("extra", [" ", "\n", "\t", "=", "==", ".", "A", "\x00", "%3D", ";a=b"])
def test_a_token_has_one_spelling(token: str, extra: str) -> None:
    head, payload, signature = token.split(".")
    for changed in (
        token + extra, extra + token, f"{head}.{extra}{payload}.{signature}",
        f"{head}.{payload}{extra}.{signature}", f"{head}.{payload}.{extra}{signature}",
    ):  # fmt: skip
        assert judged(changed).verdict == "bad_signature"


@BOTH
def test_base64_that_decodes_to_the_same_bytes_is_another_token(token: str) -> None:
    """The unused bits of a last character, and the other alphabet."""
    assert len(token.split(".")[2]) % 4 in (2, 3)  # there are unused bits to play with
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    last = alphabet.index(token[-1])
    spare = 15 if len(token.split(".")[2]) % 4 == 2 else 3
    for bits in range(1, spare + 1):
        assert judged(token[:-1] + alphabet[last ^ bits]).verdict == "bad_signature"
    assert not judged(token.replace("-", "+").replace("_", "/") + "=")


@BOTH
def test_a_token_cut_anywhere_is_caught(token: str) -> None:
    for end in range(1, len(token)):
        assert judged(token[:end]).verdict == "bad_signature"
        assert judged(token[end:]).verdict == "bad_signature"


@pytest.mark.parametrize("length", [0, 1, 16, 31, 33, 64])
def test_a_signature_of_another_length_never_fits(length: int) -> None:
    payload, signature = parts(HMAC_TOKEN)
    assert not judged(joined(payload, (signature * 2)[:length]))


@BOTH
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_edit_of_the_text_is_caught(token: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(begin, min(len(token), begin + 8)))
    changed = token[:begin] + data.draw(st.text(max_size=8)) + token[end:]
    assume(changed not in (token, ""))
    assert judged(changed).verdict in ("bad_signature", "unknown_key")


@given(st.text() | st.binary().map(lambda data: f"attr1.{encoded(data)}.{encoded(data)}"))
@settings(max_examples=300, deadline=None)
def test_no_text_at_all_raises_or_verifies(text: str) -> None:
    assert not judged(text)


@pytest.mark.parametrize("thing", [b"attr1.a.b", 7, 0.5, [], {}, object(), True])
def test_what_is_no_text_is_no_token(thing: object) -> None:
    assert judged(thing).reason == "not_a_token"  # type: ignore[arg-type]


def test_a_token_beyond_the_limit_is_not_looked_into() -> None:
    assert judged(HMAC_TOKEN + "A" * MAX_TOKEN).reason == "too_long"


@given(any_claims(), st.sampled_from(KEYS))
@settings(max_examples=100, deadline=None)
def test_claims_come_back_as_they_were_issued(claims: Claims, key) -> None:
    found = judged(issue(claims, key), RING, at=claims.expires_at)
    assert (found.verdict, found.claims, found.key_id) == ("verified", claims, key.key_id)
    assert found.issuance_id == claims.issuance_id
    assert found.reason == ""


def test_issuing_twice_gives_the_same_token() -> None:
    assert {issue(CLAIMS, HMAC) for _ in range(3)} == {HMAC_TOKEN}
    assert CLAIMS.expires_at > NOW
