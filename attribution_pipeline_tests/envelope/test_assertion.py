"""Before something that cannot be undone: proven, for here, for this tenant, or it does not happen."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from attribution_pipeline.envelope import EnvelopeRefused, KeyRing, assert_envelope, issue
from attribution_pipeline.envelope.assertion import CLOCK_SKEW
from attribution_pipeline_tests.envelope.envelopes import CLAIMS, HMAC, NOW, RING, TOKENS

TOKEN = TOKENS["gw-2026a"]
EXPECTED: dict[str, Any] = {"audience": "prod", "tenant_id": "acme", "at": NOW}


def test_the_expected_envelope_gives_its_claims() -> None:
    assert assert_envelope(TOKEN, RING, **EXPECTED) == CLAIMS
    more = {"operation_id": "op-1", "workflow_id": "support"}
    assert assert_envelope(TOKEN, RING, **EXPECTED, **more) == CLAIMS


@pytest.mark.parametrize(
    ("token", "changes", "verdict", "reason"),
    [
        (None, {}, "unsigned", "no_token"),
        ("", {}, "unsigned", "no_token"),
        (TOKEN[:-2] + "AA", {}, "bad_signature", "wrong_signature"),
        (TOKEN, {"audience": "staging"}, "bad_signature", "wrong_audience"),
        (TOKEN, {"at": CLAIMS.expires_at + 1}, "expired", "expired"),
        (TOKEN, {"tenant_id": "globex"}, "verified", "other_tenant_id"),
        (TOKEN, {"tenant_id": ""}, "verified", "other_tenant_id"),
        (TOKEN, {"operation_id": "op-2"}, "verified", "other_operation_id"),
        (TOKEN, {"workflow_id": "other"}, "verified", "other_workflow_id"),
        (TOKEN, {"at": CLAIMS.issued_at - CLOCK_SKEW - 1}, "verified", "issued_in_the_future"),
    ],
)
def test_anything_else_raises(
    token: str | None, changes: dict[str, Any], verdict: str, reason: str
) -> None:
    with pytest.raises(EnvelopeRefused) as refused:
        assert_envelope(token, RING, **{**EXPECTED, **changes})
    assert (refused.value.verdict, refused.value.reason) == (verdict, reason)
    assert verdict in str(refused.value)
    assert TOKEN[6:40] not in str(refused.value)


def test_a_clock_that_is_a_little_behind_stops_nothing() -> None:
    assert assert_envelope(TOKEN, RING, **{**EXPECTED, "at": CLAIMS.issued_at - CLOCK_SKEW})


def test_no_key_no_call() -> None:
    with pytest.raises(EnvelopeRefused, match="unknown_key"):
        assert_envelope(TOKEN, KeyRing(), **EXPECTED)
    revoked = KeyRing([replace(HMAC, revoked_from=CLAIMS.issued_at)])
    with pytest.raises(EnvelopeRefused, match="revoked_key"):
        assert_envelope(issue(CLAIMS, HMAC), revoked, **EXPECTED)


def test_it_holds_under_python_dash_o() -> None:
    code = (
        "from attribution_pipeline.envelope import *\n"
        "try: assert_envelope(None, KeyRing(), audience='a', tenant_id='t')\n"
        "except EnvelopeRefused: print('refused')"
    )
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True)
    assert done.stdout == "refused\n", done.stderr
