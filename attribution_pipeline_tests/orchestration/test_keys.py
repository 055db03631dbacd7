"""A new key moves the days on which it changes a verdict, and no other."""

from __future__ import annotations

import base64
import json
from decimal import Decimal

from attribution_pipeline.envelope import Claims, Key, issue
from attribution_pipeline.orchestration.arrivals import arrivals
from attribution_pipeline.orchestration.digests import bring_up_to_date
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.orchestration.staleness import stale_days
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.orchestration.ticks import Driven

SIGNING = Key(key_id="gw-1", algorithm="hmac-sha256", secret=b"g" * 32)
ANOTHER = Key(key_id="hr-1", algorithm="hmac-sha256", secret=b"h" * 32)
STARTS = 1791162000
"""When the first call of the worked day starts."""


def publish(driven: Driven, *keys: Key) -> None:
    """The key file that the deployment names."""
    said = [
        {"key_id": key.key_id, "algorithm": key.algorithm,
         "secret": base64.b64encode(key.secret.reveal()).decode()}
        for key in keys
    ]  # fmt: skip
    (driven.folder / "keys.json").write_text(json.dumps({"keys": said}))


def signed_call(driven: Driven) -> None:
    """A call of the worked day comes late, once more, under an issuance for ``tenant-signed``."""
    claims = Claims(
        tenant_id="tenant-signed", originator_id="alice", workflow_id="search",
        operation_id="op", issuance_id="issuance-1", issued_at=STARTS, expires_at=STARTS + 3600,
        audience="here",
    )  # fmt: skip
    text = (driven.folder / "spans" / "traces.jsonl").read_text().splitlines()[0]
    document = json.loads(text)
    (span,) = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    span |= {"traceId": "ab" * 16, "spanId": "cd" * 8}
    span["attributes"] = [
        {"key": item["key"], "value": {"stringValue": "msg-signed"}}
        if item["key"] == "gen_ai.response.id" else item
        for item in span["attributes"] if not item["key"].startswith("attribution.")
    ] + [{"key": "attribution.envelope", "value": {"stringValue": issue(claims, SIGNING)}}]  # fmt: skip
    driven.deliver("spans/signed.jsonl", json.dumps(document) + "\n")


def unverified(driven: Driven) -> Decimal:
    rows = driven.house.lake.read("ledger", DAY, DAY).to_pylist()
    return sum(
        (row["billed_cost"] for row in rows if row["unallocated_reason"] == "identity_unverified"),
        Decimal(0),
    )


def revisions(driven: Driven) -> dict[tuple[str, int, str], str]:
    """Row, revision and whose it is, to the cause."""
    return {
        (row["attribution_id"], row["revision"], row["tenant_id"] or row["unallocated_reason"]):
        row["cause"]
        for row in driven.house.lake.read("ledger_revisions", DAY, DAY).to_pylist()
    }  # fmt: skip


def test_a_key_moves_only_days_on_which_it_changes_a_verdict(driven_days: Driven) -> None:
    driven = driven_days
    file = driven.file
    file.write_text(file.read_text() + "keys: ./keys.json\n")
    publish(driven)
    signed_call(driven)
    driven.look()
    record_day(driven.house, DAY)
    assert unverified(driven) > 0
    bring_up_to_date(driven.house)

    # a key that no verdict hangs on: it is noticed, evidence is looked at, and nothing is stale
    publish(driven, ANOTHER)
    assert arrivals(driven.house).behind == ("the keys of identity envelopes were changed",)
    assert bring_up_to_date(driven.house).computed == {"span_partitions": 3}
    assert stale_days(driven.house) == []
    assert arrivals(driven.house).behind == ()
    before = revisions(driven)
    state = driven.house.lake.head(DAY)
    record_day(driven.house, DAY)
    assert driven.house.lake.head(DAY) == state

    # the key that signed: the day with its call, and of the row that had no tenant
    publish(driven, ANOTHER, SIGNING)
    bring_up_to_date(driven.house)
    (stale,) = stale_days(driven.house)
    assert (stale.day, stale.moved) == (DAY, ("span_partitions",))
    record_day(driven.house, DAY)
    assert unverified(driven) == 0
    changed = {key: cause for key, cause in revisions(driven).items() if key not in before}
    assert set(changed.values()) == {"identity"}
    assert {who for _, _, who in changed} >= {"tenant-signed", "identity_unverified"}
    # the key is named nowhere that we write, and its secret nowhere at all
    for path in driven.house.lake.storage.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"g" * 32 not in data
            assert base64.b64encode(b"g" * 32) not in data
