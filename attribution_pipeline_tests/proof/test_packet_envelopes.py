"""Signed identity in a packet: Ed25519 envelopes verify themselves, verdicts on others are stated."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from attribution_pipeline.envelope import Claims, Key, issue
from attribution_pipeline.orchestration.packet import write_packet
from attribution_pipeline.proof.packet.verify.failure import RECOMPUTATION
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY, rewrite
from attribution_pipeline_tests.proof import packets
from attribution_pipeline_tests.proof.replays import History

SEED, SECRET = bytes(range(32)), bytes(range(50, 82))
STARTED_AT = 1_791_162_000
D = f"days/{DAY}/"


def _claims(issuance: str, workflow: str) -> Claims:
    return Claims(
        tenant_id="tenant-a", originator_id="user-1", workflow_id=workflow, operation_id="op-1",
        issuance_id=issuance, issued_at=STARTED_AT - 60, expires_at=STARTED_AT + 3600,
        audience="ledger",
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked day with two signed calls of a tenant, by either algorithm, and its packet."""
    folder = tmp_path_factory.mktemp("signed")
    day = shutil.copytree(WORKED_DAY, folder / "day")
    public = Key(key_id="gw-ed", algorithm="ed25519", private=SEED)
    shared = Key(key_id="gw-mac", algorithm="hmac-sha256", secret=SECRET)
    assert public.public is not None
    (day / "keys.yaml").write_text(
        "keys:\n"
        f"  - {{key_id: gw-ed, algorithm: ed25519, public: {_base64(public.public)}}}\n"
        f"  - {{key_id: gw-mac, algorithm: hmac-sha256, secret: {_base64(SECRET)}}}\n"
    )
    deployment = day / "attribution.yaml"
    deployment.write_text(deployment.read_text() + "\nkeys: ./keys.yaml\n")
    tokens = {
        "msg-1": issue(_claims("iss-1", "search"), public),
        "msg-2": issue(_claims("iss-2", "digest"), shared),
    }
    for response, token in tokens.items():
        said = f'{{"key": "gen_ai.response.id", "value": {{"stringValue": "{response}"}}}}'
        carried = f'{{"key": "attribution.envelope", "value": {{"stringValue": "{token}"}}}}'
        spans = day / "spans" / "traces.jsonl"
        if spans.read_text().count(said) == 1:
            rewrite(spans, said, f"{said}, {carried}")
        else:  # delivered twice
            spans.write_text(spans.read_text().replace(said, f"{said}, {carried}"))
    history = History(day)
    history.record()
    private, _ = packets.keys(folder)
    write_packet(history.house(), "tenant-a", DAY, DAY, out=folder / "a.tar", key=private)
    return folder


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_an_ed25519_envelope_verifies_by_the_key_in_the_packet_and_a_mac_is_stated(made: Path):
    status, said = packets.checked(made / "a.tar", made / "issuer.pub.pem")
    assert status == 0, said
    (line,) = (line for line in said if line.startswith("envelopes"))
    assert "1 verified by their Ed25519 keys, 1 verdicts stated" in line


def test_the_packet_holds_public_keys_alone(made: Path):
    files = packets.unpacked(made / "a.tar")
    (key,) = json.loads(files["keys.json"])
    assert key["key_id"] == "gw-ed"
    everything = b"".join(files.values())
    private = (made / "issuer.pem").read_bytes()
    for secret in (SEED, SECRET, private):
        for spelled in (secret, _base64(secret).encode(), secret.hex().encode()):
            assert spelled not in everything


@pytest.mark.parametrize("field", ["tenant", "payload", "signature"])
def test_a_forged_envelope_in_a_signed_packet_is_found(made: Path, tmp_path: Path, field: str):
    files = packets.unpacked(made / "a.tar")

    def forge(record: dict[str, str]) -> dict[str, str]:
        prefix, payload, signature = record["token"].split(".")
        if field == "tenant":
            said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            said["tenant_id"] = "tenant-b"
            payload = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
        elif field == "payload":
            payload = payload[:-2] + ("AA" if payload[-2:] != "AA" else "BB")
        else:
            signature = ("A" if signature[0] != "A" else "B") + signature[1:]
        return {**record, "token": f"{prefix}.{payload}.{signature}"}

    files = packets.with_record(
        files, f"{D}envelopes.jsonl.gz", lambda r: r.get("key_id") == "gw-ed", forge
    )
    out = packets.signed_again(made / "a.tar", tmp_path / "lie.tar", files, made / "issuer.pem")
    status, said = packets.checked(out, made / "issuer.pub.pem")
    assert status == RECOMPUTATION, said
