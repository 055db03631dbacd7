"""The assertion for a destructive call site: the identity is proven and the expected one, or stop.

Belongs here: ``assert_envelope`` and its refusal. Does not: who may do what (that is the
application's own authorization, which this does not replace), verdicts (``verification``).
"""

from __future__ import annotations

import time

from attribution_pipeline.envelope.claims import Claims
from attribution_pipeline.envelope.errors import EnvelopeError
from attribution_pipeline.envelope.keys import KeyRing
from attribution_pipeline.envelope.verification import Verdict, verify

CLOCK_SKEW = 300
"""Seconds that an issuer's clock may be ahead of ours; Kerberos (RFC 4120 section 8.2) uses it."""


class EnvelopeRefused(EnvelopeError):
    """The call must not happen. ``verdict`` and ``reason`` are words; the token is not held."""

    def __init__(self, verdict: Verdict, reason: str) -> None:
        self.verdict = verdict
        self.reason = reason
        super().__init__(f"the envelope does not allow this call: {verdict} ({reason})")


def assert_envelope(
    token: str | None,
    keys: KeyRing,
    *,
    audience: str,
    tenant_id: str,
    operation_id: str | None = None,
    workflow_id: str | None = None,
    at: float | None = None,
) -> Claims:
    """The claims, if they are verified now (or ``at``), for this audience and this tenant.

    ``tenant_id`` is the owner of what is about to be changed, from the resource itself and never
    from the request. ``operation_id`` and ``workflow_id`` where they are known as well.

    Raises EnvelopeRefused otherwise; it is an exception and not an ``assert``, so that ``python -O``
    does not remove it.
    """
    now = time.time() if at is None else at
    found = verify(token, keys, audience=audience, at=now)
    if found.claims is None:
        raise EnvelopeRefused(found.verdict, found.reason)
    expected = (
        ("tenant_id", tenant_id), ("operation_id", operation_id), ("workflow_id", workflow_id),
    )  # fmt: skip
    for field, value in expected:
        if value is not None and getattr(found.claims, field) != value:
            raise EnvelopeRefused(found.verdict, f"other_{field}")
    if found.claims.issued_at > now + CLOCK_SKEW:
        raise EnvelopeRefused(found.verdict, "issued_in_the_future")
    return found.claims
