"""The exact bytes of an envelope: ``attr1.<payload>.<signature>``, both base64url without padding.

Belongs here: how claims become bytes, what the signature is over, and the strict way back. Does
not: keys and verdicts (``keys``, ``verification``).

The payload is JSON, but it is never written again to be verified: the signature is over the bytes
as they came, framed as DSSE frames them (PAE: type and body, each with its length), under a domain
of its own. Key id, algorithm and version stand inside, so they are signed too.

Read back strictly, so that one envelope has one spelling: a duplicate, unknown or missing field, a
wrong type, a float, base64 that is not canonical, and anything before or after are refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from attribution_pipeline.envelope.claims import CLAIM_FIELDS, IDENTIFIER, OPTIONAL_FIELDS, Claims
from attribution_pipeline.envelope.errors import EnvelopeError

PREFIX = "attr1"
DOMAIN = b"attribution-envelope/v1"
"""The PAE type: a signature made for anything else never fits an envelope, nor the other way."""
VERSION = 1

MAX_TOKEN = 3_000
"""Characters. All fields at full length need 2,480; one baggage member may hold 4,096."""

_PART = re.compile(r"[A-Za-z0-9_-]+")
_HEADER_FIELDS = ("version", "algorithm", "signing_key_id")
_REQUIRED = frozenset((*_HEADER_FIELDS, *CLAIM_FIELDS)) - frozenset(OPTIONAL_FIELDS)
_KNOWN = frozenset((*_HEADER_FIELDS, *CLAIM_FIELDS))


class Unreadable(EnvelopeError):
    """Text that is no envelope of this version; ``reason`` is a word of ``verification.REASONS``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A token taken apart. Nothing in it is proven: ``verification`` decides."""

    payload: bytes
    signature: bytes
    algorithm: str
    key_id: str
    claims: Claims

    @property
    def signed_bytes(self) -> bytes:
        """What the signature must be over."""
        return pre_authentication_encoding(self.payload)


def pre_authentication_encoding(payload: bytes) -> bytes:
    """DSSE's PAE with our domain as the type (in-toto attestation, DSSE v1 "Protocol")."""
    return b"DSSEv1 %d %s %d %s" % (len(DOMAIN), DOMAIN, len(payload), payload)


def payload_bytes(claims: Claims, *, key_id: str, algorithm: str) -> bytes:
    """The payload that an issuer signs: ASCII JSON without spaces, fields in a fixed order."""
    body = {"version": VERSION, "algorithm": algorithm, "signing_key_id": key_id}
    return json.dumps({**body, **claims.signed_fields()}, separators=(",", ":")).encode("ascii")


def join_token(payload: bytes, signature: bytes) -> str:
    """The token. Raises EnvelopeError where it is longer than ``MAX_TOKEN``."""
    token = f"{PREFIX}.{_encoded(payload)}.{_encoded(signature)}"
    if len(token) > MAX_TOKEN:
        raise EnvelopeError(f"the envelope has {len(token)} characters, the limit is {MAX_TOKEN}")
    return token


def read_token(token: object) -> Envelope:
    """A token taken apart. Raises Unreadable with the reason, and nothing else, for any object."""
    if not isinstance(token, str):
        raise Unreadable("not_a_token")
    if len(token) > MAX_TOKEN:
        raise Unreadable("too_long")
    parts = token.split(".")
    if len(parts) != 3 or parts[0] != PREFIX:
        raise Unreadable("not_a_token")
    payload, signature = _decoded(parts[1]), _decoded(parts[2])
    body = _body(payload)
    if type(body["version"]) is not int or body["version"] != VERSION:
        raise Unreadable("unknown_version")
    algorithm, key_id = body["algorithm"], body["signing_key_id"]
    if type(algorithm) is not str or type(key_id) is not str or not IDENTIFIER.fullmatch(key_id):
        raise Unreadable("bad_field")
    claims = _claims({name: body[name] for name in CLAIM_FIELDS if name in body})
    return Envelope(payload, signature, algorithm, key_id, claims)


def _body(payload: bytes) -> dict[str, Any]:
    """The payload's one JSON object, every field known and there once."""
    try:
        body = _STRICT.decode(payload.decode("ascii"))
    except Unreadable:
        raise
    except (ValueError, RecursionError):  # not ASCII, not JSON, an integer of thousands of digits
        raise Unreadable("not_json") from None
    if type(body) is not dict:
        raise Unreadable("not_json")
    if not body.keys() <= _KNOWN:
        raise Unreadable("unknown_field")
    if not body.keys() >= _REQUIRED:
        raise Unreadable("missing_field")
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("duplicate_field")
    return found


def _no_float(text: str) -> NoReturn:
    raise Unreadable("bad_field")


_STRICT = json.JSONDecoder(object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float)
"""Made once: a day may have a million tokens."""


def _claims(found: dict[str, Any]) -> Claims:
    if any(found[name] is None for name in OPTIONAL_FIELDS if name in found):
        raise Unreadable("bad_field")  # absent has one spelling: not there
    try:
        return Claims(**found)
    except EnvelopeError:
        raise Unreadable("bad_field") from None


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    """Canonical base64url without padding: what decodes must also encode to the same text."""
    if not _PART.fullmatch(text):
        raise Unreadable("not_base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise Unreadable("not_base64url") from None
    if _encoded(data) != text:
        raise Unreadable("not_base64url")
    return data
