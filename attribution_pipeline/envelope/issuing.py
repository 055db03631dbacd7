"""Issuing: claims and a key in, a token out.

Belongs here: what a key may sign and when. Does not: the bytes (``token``), the fields (``claims``).
"""

from __future__ import annotations

from attribution_pipeline.envelope.claims import Claims
from attribution_pipeline.envelope.errors import EnvelopeError
from attribution_pipeline.envelope.keys import Key
from attribution_pipeline.envelope.token import (
    join_token,
    payload_bytes,
    pre_authentication_encoding,
)


def issue(claims: Claims, key: Key) -> str:
    """The signed token of ``claims``, one opaque text of ASCII without spaces.

    Raises EnvelopeError where the key cannot sign (public part alone), is outside its validity at
    ``issued_at``, is revoked from any date on, or is not for the tenant.
    """
    if not key.can_sign:
        raise EnvelopeError(f"key {key.key_id} has no secret or private part: it only verifies")
    if key.revoked_from is not None:
        raise EnvelopeError(f"key {key.key_id} is revoked: sign with another")
    if not key.valid_at(claims.issued_at):
        raise EnvelopeError(f"key {key.key_id} is not valid at issued_at: sign with another")
    if not key.may_sign_for(claims.tenant_id):
        raise EnvelopeError(f"key {key.key_id} is not for tenant {claims.tenant_id}")
    payload = payload_bytes(claims, key_id=key.key_id, algorithm=key.algorithm)
    return join_token(payload, key.sign(pre_authentication_encoding(payload)))
