"""No forgery charges the tenant that it names: every byte, every key, every way around a signature."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from attribution_pipeline.envelope import KeyRing, issue
from attribution_pipeline_tests.attribution.days import METERS, Row, day, token_line
from attribution_pipeline_tests.attribution.named import claims, key, model_call

VICTIM = "victim"
ISSUERS = 'issuers: [{services: ["gateway"], keys: ["gw-*"], tenants: ["*"]}]\n'
SIGNING = key("gw-1")
REVOKED = key("gw-revoked", b"r" * 32)
UNKNOWN = key("gw-unknown", b"u" * 32)
OF_ANOTHER_TENANT = key("gw-bolt", b"b" * 32, tenants=("bolt",))
NOT_THE_GATEWAYS = key("batch", b"n" * 32)
RING = KeyRing([
    SIGNING, key("gw-revoked", b"r" * 32, revoked_from=0), OF_ANOTHER_TENANT, NOT_THE_GATEWAYS,
])  # fmt: skip
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def genuine(issuance: str = "issuance-1", **said: str) -> str:
    return issue(claims(VICTIM, issuance, **said), SIGNING)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def with_payload(token: str, payload: bytes) -> str:
    head, _, signature = token.split(".")
    return ".".join([head, encoded(payload), signature])


def every_character(token: str) -> Iterator[str]:
    for at, character in enumerate(token):
        other = ALPHABET[(ALPHABET.index(character) + 1 + at % 60) % len(ALPHABET)]
        yield token[:at] + other + token[at + 1 :]


def every_byte(token: str) -> Iterator[str]:
    head, *parts = token.split(".")
    for number, part in enumerate(parts):
        content = decoded(part)
        for at in range(len(content)):
            changed = bytearray(content)
            changed[at] ^= 1 << at % 8
            spoilt = [*parts]
            spoilt[number] = encoded(bytes(changed))
            yield ".".join([head, *spoilt])


def rewritten(token: str) -> Iterator[str]:
    """Fields moved into each other, said twice, left out, and signed for something else."""
    payload = decoded(token.split(".")[1])
    said = json.loads(payload)
    fields = [name for name, value in said.items() if isinstance(value, str)]
    for one, other in pairwise(fields):
        yield with_payload(token, json.dumps({**said, one: said[other], other: said[one]}).encode())
        joined = {**said, one: said[one] + said[other][:1], other: said[other][1:]}
        yield with_payload(token, json.dumps(joined, separators=(",", ":")).encode())
    for name in said:
        rest = {field: value for field, value in said.items() if field != name}
        yield with_payload(token, json.dumps(rest, separators=(",", ":")).encode())
        twice = payload[:-1] + f',"{name}":{json.dumps(said[name])}}}'.encode()
        yield with_payload(token, twice)
    yield with_payload(token, payload + b" ")
    yield token + "."
    yield token + token
    other = issue(claims("bolt", "issuance-2"), SIGNING)
    yield ".".join([*token.split(".")[:2], other.split(".")[2]])


def other_keys() -> Iterator[str]:
    for signing in (REVOKED, UNKNOWN):
        yield issue(claims(VICTIM, "issuance-3"), signing)
    # another key's signature under the name of the right one, and the right one's under another's
    wrong = key("gw-1", b"w" * 32)
    yield issue(claims(VICTIM, "issuance-4"), wrong)
    payload = decoded(genuine().split(".")[1])
    for name in (b"gw-bolt", b"batch", b"gw-revoked"):
        yield with_payload(genuine(), payload.replace(b'"gw-1"', b'"' + name + b'"'))
    everybody = key("gw-bolt", b"b" * 32)
    yield issue(claims(VICTIM, "issuance-5"), everybody)  # signed by bolt's key, for the victim


def forged_calls() -> Iterator[Row]:
    """Each in a trace of its own; every other one from the service that must sign."""
    tokens = [*every_character(genuine()), *every_byte(genuine()), *rewritten(genuine()),
              *other_keys()]  # fmt: skip
    assert len(set(tokens)) > 700
    number = 0
    for token in tokens:
        number += 1
        service = "gateway" if number % 2 else "anybody"
        yield model_call(number, number, envelope=token, tenant_id=VICTIM, service_name=service)
    late = claims().expires_at * 10**9
    for more in (
        # after its end, copied, with two claims
        {"envelope": genuine("issuance-6"), "start_unix_nano": late + 1, "end_unix_nano": late + 9},
        {"envelope": genuine("issuance-7")}, {"envelope": genuine("issuance-7")},
        {"envelope": genuine("issuance-8")}, {"envelope": genuine("issuance-8", feature="x")},
        # stripped, or by a key that is not the gateway's
        {"service_name": "gateway"}, {"service_name": "gateway", "envelope": ""},
        {"service_name": "gateway",
         "envelope": issue(claims(VICTIM, "issuance-9"), NOT_THE_GATEWAYS)},
    ):  # fmt: skip
        number += 1
        yield model_call(number, number, tenant_id=VICTIM) | more


def test_no_forgery_charges_whom_it_names(tmp_path: Path):
    spans = list(forged_calls())
    honest = model_call(0, 0, tenant_id="acme")
    tokens = 100 * (len(spans) + 1)
    bill = [token_line(1, str(Decimal(tokens) / 100), "m-uncached", tokens)]
    found = day(tmp_path, METERS + ISSUERS, lines=bill, spans=[*spans, honest], keys=RING)
    assert VICTIM not in {row["tenant_id"] for row in found.ledger}
    by_reason = {
        row["unallocated_reason"] or row["tenant_id"]: row["billed_cost"] for row in found.ledger
    }
    assert by_reason == {"acme": Decimal(1), "identity_unverified": Decimal(len(spans))}
    assert {row["verdict"] for row in read_operations(found.outcome.files["operations"])} == {
        "bad_signature", "unknown_key", "revoked_key", "expired", "conflict", "replayed", "unsigned",
    }  # fmt: skip


def test_the_genuine_envelope_does(tmp_path: Path):
    """Or the test above would hold of an engine that believes nothing."""
    spans = [model_call(1, 1, envelope=genuine(), service_name="gateway")]
    bill = [token_line(1, "1", "m-uncached", 100)]
    found = day(tmp_path, METERS + ISSUERS, lines=bill, spans=spans, keys=RING)
    assert found.cost(tenant_id=VICTIM) == 1


def read_operations(files: list[str]) -> list[Row]:
    import pyarrow.parquet as pq

    return [row for path in files for row in pq.read_table(path).to_pylist()]
