"""Verifying: a token and the known keys in, a verdict out.

Belongs here: the verdicts that one token alone can have, and their order. Does not: ``conflict`` and
``replayed``, which need the other spans and are decided where these are.

The verdict is a value, never an exception: tokens come from outside.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from attribution_pipeline.envelope.claims import Claims
from attribution_pipeline.envelope.errors import EnvelopeError
from attribution_pipeline.envelope.keys import KeyRing
from attribution_pipeline.envelope.token import Envelope, Unreadable, read_token

Verdict = Literal[
    "verified", "unsigned", "bad_signature", "unknown_key", "revoked_key", "expired",
    "conflict", "replayed",
]  # fmt: skip

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

REASONS = {
    "": "nothing to say",
    "no_token": "there is no envelope",
    "not_a_token": "it is not of the form attr1.<payload>.<signature>",
    "too_long": "it is longer than an envelope can be",
    "not_base64url": "a part is not canonical base64url without padding",
    "not_json": "the payload is not one ASCII JSON object",
    "duplicate_field": "the payload has a field twice",
    "unknown_field": "the payload has a field that this version does not know",
    "missing_field": "the payload lacks a required field",
    "bad_field": "a field is of another type or form than it must be",
    "unknown_version": "it is of a version that this release does not read",
    "wrong_algorithm": "it names another algorithm than its key has",
    "wrong_signature": "the signature does not fit the bytes",
    "wrong_audience": "it is meant for another audience",
    "no_such_key": "no known key has its key id",
    "outside_key_validity": "it was issued before its key was valid, or after",
    "key_not_for_tenant": "its key may not sign for the tenant that it names",
    "revoked": "it was issued when its key was revoked already",
    "expired": "it was used after expires_at",
}
"""Why, by word: the word is stored, the sentence is for people."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What one token is worth.

    ``claims`` is there only for ``verified``, so that code which forgets to look at the verdict
    gets nothing to believe. ``named`` is what the token *says*, proven or not, for everything that
    could be read: use it to refuse the tenant that it names, never to charge it.
    ``issuance_id`` is there for ``verified`` and ``expired`` alone: a forger must not be able to
    spoil an issuance by naming it. ``key_id`` is the key that the token names, if it could be read.
    """

    verdict: Verdict
    claims: Claims | None = None
    key_id: str | None = None
    issuance_id: str | None = None
    reason: str = ""
    named: Claims | None = None

    def __bool__(self) -> bool:
        """True for ``verified`` alone."""
        return self.verdict == "verified"


def verify(
    token: str | None,
    keys: KeyRing,
    *,
    audience: str | None = None,
    at: float | datetime | None = None,
) -> Verification:
    """The verdict on one token, used at ``at`` (seconds since 1970, or an aware datetime; now).

    ``audience``: what the token must be meant for; without it the ring's own, which may be any. The key must have been valid
    at ``issued_at`` and not revoked by then, so a retired key goes on to verify what it signed.
    """
    found = verify_issuance(token, keys, audience=audience)
    if found.claims is None or not is_expired(found.claims, at):
        return found
    return Verification(
        "expired", None, found.key_id, found.issuance_id, "expired", named=found.claims
    )


def verify_issuance(
    token: str | None, keys: KeyRing, *, audience: str | None = None
) -> Verification:
    """As ``verify`` without a time of use: for one token on many spans, each with its own start.

    Whoever calls it must compare each use with ``claims.expires_at`` (``is_expired``).
    """
    if token is None or token == "":
        return Verification("unsigned", reason="no_token")
    try:
        envelope = read_token(token)
    except Unreadable as unreadable:
        return Verification("bad_signature", reason=unreadable.reason)
    expected = keys.audience if audience is None else audience
    verdict, reason = _judged(envelope, keys, expected)
    named, key_id = envelope.claims, envelope.key_id
    if verdict == "verified":
        return Verification(verdict, named, key_id, named.issuance_id, named=named)
    return Verification(verdict, None, key_id, None, reason, named=named)


def is_expired(claims: Claims, at: float | datetime | None = None) -> bool:
    """Whether a use that starts at ``at`` (now) is after ``expires_at``; that second is inside."""
    return _seconds(at) > claims.expires_at


def _judged(envelope: Envelope, keys: KeyRing, audience: str | None) -> tuple[Verdict, str]:
    """Verdict and reason. The first thing that is wrong decides."""
    claims = envelope.claims
    key = keys.get(envelope.key_id)
    if key is None:  # the key that is named or none: the others are never tried
        return "unknown_key", "no_such_key"
    if key.algorithm != envelope.algorithm:  # the key knows its algorithm, the token only says one
        return "bad_signature", "wrong_algorithm"
    if not key.fits(envelope.signature, envelope.signed_bytes):
        return "bad_signature", "wrong_signature"
    if not key.valid_at(claims.issued_at):
        return "unknown_key", "outside_key_validity"
    if key.revoked_at(claims.issued_at):
        return "revoked_key", "revoked"
    if not key.may_sign_for(claims.tenant_id):
        return "unknown_key", "key_not_for_tenant"
    if audience is not None and claims.audience != audience:
        return "bad_signature", "wrong_audience"
    return "verified", ""


def _seconds(at: float | datetime | None) -> float:
    if at is None:
        return time.time()
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise EnvelopeError("`at` has no time zone")
        return at.timestamp()
    return at
