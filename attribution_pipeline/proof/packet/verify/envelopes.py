"""Identity envelopes that verify themselves, and documents that have their recorded digest.

Belongs here: Ed25519 tokens with the public keys that the packet carries, manifests and policies as
they were recorded. Does not: verdicts on keyed hashes, which only who has the secret can repeat:
those are the issuer's signed word.

A token is ``attr1.<payload>.<signature>``, both base64url without padding. The signature is over
the payload as DSSE's pre-authentication encoding frames it, type ``attribution-envelope/v1``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from .failure import RECOMPUTATION, Failed
from .records import Day, Packet

DOMAIN = b"attribution-envelope/v1"
TOKEN_PARTS = 3


def envelopes(packet: Packet) -> tuple[int, int]:
    """Tokens that verified here, and verdicts that are the issuer's word."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    keys = {key["key_id"]: bytes.fromhex(key["public"]) for key in packet.document("keys.json")}
    verified = stated = 0
    for day in packet.days:
        for record in packet.lines(f"days/{day.day}/envelopes.jsonl.gz"):
            public = keys.get(record.get("key_id", ""))
            if public is None or "token" not in record:
                stated += 1
                continue
            where = f"{day.day}: the envelope of operation {record['operation_key']}"
            try:
                said, message, signature = _parts(record["token"])
                Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
            except (ValueError, InvalidSignature) as error:
                raise Failed(RECOMPUTATION, f"{where} does not verify by its key") from error
            _require_claims(day, record, said, where)
            verified += 1
    return verified, stated


def _parts(token: str) -> tuple[dict[str, Any], bytes, bytes]:
    parts = token.split(".")
    if len(parts) != TOKEN_PARTS or parts[0] != "attr1":
        raise ValueError("no token")
    payload, signature = (
        base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in parts[1:]
    )
    message = b"DSSEv1 %d %s %d %s" % (len(DOMAIN), DOMAIN, len(payload), payload)
    said = json.loads(payload)
    if not isinstance(said, dict):
        raise ValueError("no claims")
    return said, message, signature


def _require_claims(day: Day, record: Any, said: dict[str, Any], where: str) -> None:
    aliases = day.policy.get("join", {}).get("tenant_aliases", {})
    tenant = said.get("tenant_id", "")
    if aliases.get(tenant, tenant) != day.packet.tenant:
        raise Failed(RECOMPUTATION, f"{where} names another tenant")
    operation = day.operation(record["operation_key"])
    if said.get("workflow_id") != operation.get("workflow_id"):
        raise Failed(RECOMPUTATION, f"{where} names another workflow than the operation has")
    if said.get("signing_key_id") != record["key_id"]:
        raise Failed(RECOMPUTATION, f"{where} names another key")


def documents(packet: Packet) -> tuple[int, int]:
    """Manifests and policies that have their recorded digest, and copies in which names of others
    are hidden: of those the digest is the issuer's word."""
    whole = hidden = 0
    for day in packet.days:
        manifest = packet.document(f"days/{day.day}/manifest.json")
        if day.about["manifest"]["hidden"]:
            hidden += 1
        else:
            _require_digest(
                packet, f"days/{day.day}/manifest.json", day.about["manifest"]["manifest_id"]
            )
            whole += 1
            if manifest["policy"]["file"]["sha256"] != day.about["policy"]["sha256"]:
                raise Failed(RECOMPUTATION, f"{day.day}: its manifest names another policy")
    for day in packet.days:
        if day.about["policy"]["hidden"]:
            hidden += 1
        else:
            _require_digest(packet, day.about["policy"]["document"], day.about["policy"]["sha256"])
            whole += 1
        for row in day.rows:
            # rows keep the policy under which they moved last
            if (
                row["revision"] == 1
                and row["recorded_at"] == day.about["recorded_at"]
                and (row["policy_digest"] != day.about["policy"]["digest"])
            ):
                raise Failed(
                    RECOMPUTATION, f"{day.day}: row {row['attribution_id']} names another policy"
                )
    return whole, hidden


def _require_digest(packet: Packet, name: str, digest: str) -> None:
    if hashlib.sha256(packet.text(name)).hexdigest() != digest:
        raise Failed(RECOMPUTATION, f"{name} is not the document that was recorded")
