"""Keys, claims and tokens that these tests share."""

from __future__ import annotations

import base64
import json
from typing import Any

from attribution_pipeline.envelope import Claims, Key, KeyRing, Verification, issue, verify
from attribution_pipeline.envelope.token import PREFIX, pre_authentication_encoding

NOW = 1_790_000_000
"""A time of use inside every token here, unless a test says otherwise."""

HMAC = Key(key_id="gw-2026a", algorithm="hmac-sha256", secret=bytes(range(32)))
OTHER_HMAC = Key(key_id="gw-2026b", algorithm="hmac-sha256", secret=bytes(range(32, 64)))
ED25519 = Key(key_id="partner-1", algorithm="ed25519", private=bytes(range(64, 96)))
OTHER_ED25519 = Key(key_id="partner-2", algorithm="ed25519", private=bytes(range(96, 128)))
KEYS = (HMAC, OTHER_HMAC, ED25519, OTHER_ED25519)
RING = KeyRing(KEYS)

CLAIMS = Claims(
    tenant_id="acme", originator_id="user:42", workflow_id="support", operation_id="op-1",
    issuance_id="iss-0001", issued_at=NOW - 60, expires_at=NOW + 3_600, audience="prod",
    consumer_id="team.eu", project="p1", task="t1", feature="f1", environment="live",
)  # fmt: skip
TOKENS = {key.key_id: issue(CLAIMS, key) for key in KEYS}


def judged(token: str | None, ring: KeyRing = RING, **options: Any) -> Verification:
    """The verdict at ``NOW``."""
    return verify(token, ring, **{"at": NOW, **options})


def encoded(data: bytes) -> str:
    """Base64url without padding, written here a second time."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def parts(token: str) -> tuple[bytes, bytes]:
    """Payload and signature."""
    _, payload, signature = token.split(".")
    return tuple(base64.urlsafe_b64decode(one + "==") for one in (payload, signature))  # type: ignore[return-value]


def joined(payload: bytes, signature: bytes) -> str:
    """A token of any bytes, checked by nobody."""
    return f"{PREFIX}.{encoded(payload)}.{encoded(signature)}"


def signed(payload: bytes, key: Key = HMAC) -> str:
    """A token over any payload, with a signature that fits: what a careless issuer could write."""
    return joined(payload, key.sign(pre_authentication_encoding(payload)))


def body(token: str = TOKENS["gw-2026a"]) -> dict[str, Any]:
    """The payload as a dictionary."""
    loaded: dict[str, Any] = json.loads(parts(token)[0])
    return loaded


def with_fields(**changes: Any) -> bytes:
    """The payload of ``CLAIMS`` with fields changed (``...`` removes one)."""
    changed = {**body(), **changes}
    return json.dumps(
        {name: value for name, value in changed.items() if value is not ...},
        separators=(",", ":"),
    ).encode()
