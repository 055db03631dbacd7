"""What each verdict means: keys that are unknown, over, revoked or another's; time; audience."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from attribution_pipeline.envelope import (
    REASONS,
    VERDICTS,
    EnvelopeError,
    Key,
    KeyRing,
    Verification,
    issue,
    verify,
    verify_issuance,
)
from attribution_pipeline_tests.envelope.envelopes import (
    CLAIMS,
    HMAC,
    KEYS,
    NOW,
    OTHER_HMAC,
    RING,
    TOKENS,
    judged,
)

TOKEN = TOKENS["gw-2026a"]
HOUR, DAY = 3_600, 86_400


def key(key_id: str = "k", seed: int = 1, **options: object) -> Key:
    return Key(key_id=key_id, algorithm="hmac-sha256", secret=bytes([seed]) * 32, **options)  # type: ignore[arg-type]


def said(found: Verification) -> tuple[str, str]:
    return found.verdict, found.reason


def test_the_words_are_those_of_the_design() -> None:
    assert VERDICTS == (
        "verified", "unsigned", "bad_signature", "unknown_key", "revoked_key", "expired",
        "conflict", "replayed",
    )  # fmt: skip


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_token_is_unsigned(nothing: str | None) -> None:
    assert said(judged(nothing)) == ("unsigned", "no_token")


def test_an_unknown_key_id_falls_back_on_no_other_key() -> None:
    """The signature would fit a key of the ring; the name does not, and that decides."""
    renamed = key("gw-renamed")
    token = issue(CLAIMS, key("k"))
    assert said(judged(token, KeyRing([renamed]))) == ("unknown_key", "no_such_key")
    assert judged(token, KeyRing([key("k")]))


@pytest.mark.parametrize("key_id", ["../../etc", "x' or 1=1", "gw-2026a ", "gw-2026а"])
def test_a_key_id_that_is_no_identifier_is_refused(key_id: str) -> None:
    from attribution_pipeline_tests.envelope.envelopes import signed, with_fields

    assert judged(signed(with_fields(signing_key_id=key_id))).reason in ("bad_field", "not_json")


def test_only_verified_gives_claims_and_truth() -> None:
    good, bad = judged(TOKEN), judged(TOKEN, KeyRing())
    assert good
    assert not bad
    assert good.claims == CLAIMS
    assert bad.claims is None
    assert bad.issuance_id is None
    assert bad.named == CLAIMS  # so that the tenant that it names can be kept from being charged


def test_a_token_is_good_up_to_and_with_the_second_in_which_it_expires() -> None:
    assert judged(TOKEN, at=CLAIMS.expires_at)
    late = judged(TOKEN, at=CLAIMS.expires_at + 1)
    assert said(late) == ("expired", "expired")
    assert late.claims is None
    assert late.issuance_id == CLAIMS.issuance_id
    assert judged(TOKEN, at=CLAIMS.expires_at + 0.001).verdict == "expired"


def test_without_a_time_it_is_judged_now() -> None:
    assert verify(TOKEN, RING, at=None).verdict == (
        "expired" if _now() > NOW + HOUR else "verified"
    )
    fresh = replace(CLAIMS, issued_at=_now() - 10, expires_at=_now() + HOUR)
    assert verify(issue(fresh, HMAC), RING)
    over = replace(CLAIMS, issued_at=_now() - 20, expires_at=_now() - 10)
    assert verify(issue(over, HMAC), RING).verdict == "expired"


def _now() -> int:
    return int(datetime.now(UTC).timestamp())


def test_a_time_may_be_a_datetime_with_its_zone() -> None:
    at = datetime.fromtimestamp(CLAIMS.expires_at, UTC)
    assert judged(TOKEN, at=at)
    with pytest.raises(EnvelopeError, match="time zone"):
        judged(TOKEN, at=at.replace(tzinfo=None))


def test_the_issuance_alone_is_judged_without_a_time_of_use() -> None:
    assert verify_issuance(TOKEN, RING).claims == CLAIMS


def test_audience_is_any_unless_one_is_expected() -> None:
    assert judged(TOKEN)
    assert judged(TOKEN, audience="prod")
    assert said(judged(TOKEN, audience="staging")) == ("bad_signature", "wrong_audience")


def test_a_ring_may_know_its_own_audience() -> None:
    here, elsewhere = KeyRing(KEYS, audience="prod"), KeyRing(KEYS, audience="staging")
    assert judged(TOKEN, here)
    assert judged(TOKEN, elsewhere).reason == "wrong_audience"
    assert verify_issuance(TOKEN, elsewhere).reason == "wrong_audience"
    assert judged(TOKEN, elsewhere, audience="prod")  # the call says it more closely
    with pytest.raises(EnvelopeError, match="the audience is no identifier"):
        KeyRing(audience="a b")


def test_a_key_signs_for_its_tenants_alone() -> None:
    scoped = key("scoped", tenants=("acme-*", "globex"))
    ring = KeyRing([scoped])
    anyone = replace(scoped, tenants=("*",))
    assert judged(issue(replace(CLAIMS, tenant_id="acme-eu"), scoped), ring)
    for tenant in ("acme", "initech", "Acme-eu"):
        with pytest.raises(EnvelopeError, match="not for tenant"):
            issue(replace(CLAIMS, tenant_id=tenant), scoped)
        token = issue(replace(CLAIMS, tenant_id=tenant), anyone)
        assert said(judged(token, ring)) == ("unknown_key", "key_not_for_tenant")


def test_a_key_is_good_for_what_was_issued_within_its_dates() -> None:
    anyone = key()
    dated = key(not_before=CLAIMS.issued_at - DAY, not_after=CLAIMS.issued_at + DAY)
    ring = KeyRing([dated])
    for shift, verdict in (
        (-DAY - 1, "unknown_key"), (-DAY, "verified"), (DAY, "verified"), (DAY + 1, "unknown_key"),
    ):  # fmt: skip
        moved = replace(
            CLAIMS, issued_at=CLAIMS.issued_at + shift, expires_at=CLAIMS.issued_at + shift + HOUR
        )
        found = judged(issue(moved, anyone), ring, at=moved.issued_at)
        assert found.verdict == verdict
        assert found.reason == ("" if found else "outside_key_validity")
        if not found:
            with pytest.raises(EnvelopeError, match="not valid"):
                issue(moved, dated)


def test_three_rotations_change_no_verdict_of_an_old_token() -> None:
    """Each new key retires the one before; what was signed goes on verifying as it did."""
    begin, ring, kept = CLAIMS.issued_at, KeyRing(), []
    for number in range(4):
        starts = begin + number * 10 * DAY
        new = key(f"gw-{number}", seed=number + 1, not_before=starts)
        retired = [
            replace(old, not_after=starts - 1) if old.not_after is None else old for old in ring
        ]
        ring = KeyRing([*retired, new])
        claims = replace(CLAIMS, issued_at=starts + HOUR, expires_at=starts + 2 * HOUR)
        kept.append((claims, issue(claims, new)))
        for earlier, token in kept:
            found = judged(token, ring, at=earlier.issued_at)
            assert (found.verdict, found.claims) == ("verified", earlier)
    last = kept[-1][0]
    for old in list(ring)[:-1]:
        with pytest.raises(EnvelopeError):
            issue(last, old)


def test_what_a_revoked_key_issued_before_stays_and_nothing_after_is_believed() -> None:
    good = key()
    revoked = replace(good, revoked_from=CLAIMS.issued_at + HOUR)
    ring = KeyRing([revoked])
    for shift, verdict in (
        (0, "verified"), (HOUR - 1, "verified"), (HOUR, "revoked_key"), (2 * HOUR, "revoked_key"),
    ):  # fmt: skip
        at = CLAIMS.issued_at + shift
        token = issue(replace(CLAIMS, issued_at=at, expires_at=at + HOUR), good)
        found = judged(token, ring, at=at)
        assert found.verdict == verdict
        assert (found.claims is None) == (verdict == "revoked_key")
        assert (found.issuance_id is None) == (verdict == "revoked_key")
    with pytest.raises(EnvelopeError, match="revoked"):
        issue(CLAIMS, revoked)


def test_a_forged_token_of_a_revoked_key_is_a_bad_signature() -> None:
    ring = KeyRing([replace(HMAC, revoked_from=0)])
    assert judged(TOKEN, ring).verdict == "revoked_key"
    assert judged(TOKEN[:-4] + "AAAA", ring).verdict == "bad_signature"


def test_a_public_key_verifies_and_does_not_sign() -> None:
    public = next(one for one in KEYS if one.algorithm == "ed25519").public_part()
    assert judged(TOKENS["partner-1"], KeyRing([public]))
    assert not public.can_sign
    with pytest.raises(EnvelopeError, match="only verifies"):
        issue(CLAIMS, public)
    with pytest.raises(EnvelopeError, match="no public part"):
        HMAC.public_part()


def test_two_keys_may_not_share_a_name() -> None:
    with pytest.raises(EnvelopeError, match="two keys are named gw-2026a"):
        KeyRing([HMAC, replace(OTHER_HMAC, key_id="gw-2026a")])


def test_a_fingerprint_changes_with_whatever_can_change_a_verdict() -> None:
    base = key()
    variants = [
        base, key(seed=2), key("other"), replace(base, tenants=("acme",)),
        replace(base, not_before=1), replace(base, not_after=NOW), replace(base, revoked_from=NOW),
    ]  # fmt: skip
    prints = [KeyRing([one]).fingerprint() for one in variants]
    assert len(set(prints)) == len(variants)
    assert prints[0] == KeyRing([key()]).fingerprint()
    assert KeyRing([base], audience="prod").fingerprint() not in prints
    assert KeyRing(KEYS).fingerprint() == KeyRing(reversed(KEYS)).fingerprint()


def test_every_reason_has_its_sentence() -> None:
    import inspect

    from attribution_pipeline.envelope import token, verification

    source = inspect.getsource(verification) + inspect.getsource(token)
    for word in REASONS:
        assert f'"{word}"' in source
    assert all(REASONS[word] for word in REASONS)


def test_a_signature_is_never_compared_with_equals() -> None:
    """``==`` ends at the first byte that differs, and its time tells which."""
    import ast
    import inspect
    import textwrap

    tree = ast.parse(textwrap.dedent(inspect.getsource(Key.fits)))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Eq | ast.NotEq)]
    assert "hmac.compare_digest(expected, signature)" in inspect.getsource(Key.fits)
