"""The control plane's records in a packet: those of the period, or the words that there are none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from attribution_pipeline.orchestration.packet import write_packet
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.proof import packets
from attribution_pipeline_tests.proof.replays import worked_day

RECORDS = [
    {"kind": "hard_block", "rule": "no-delete", "operation": "db.drop", "reversible": "false",
     "mode": "enforce"},
    {"kind": "shadow_hit", "time": f"{DAY}T10:00:00Z", "rule": "no-delete", "would_block": "true"},
    {"kind": "shadow_hit", "time": "2026-10-01T10:00:00Z", "rule": "earlier", "would_block": "true"},
    {"kind": "override", "requested_at": f"{DAY}T11:00:00Z", "granted_at": f"{DAY}T11:02:00Z",
     "rule": "no-delete", "by": "for-tenant-b@example.com"},
]  # fmt: skip


def test_controls_of_the_period_go_along_without_names_of_others(tmp_path: Path):
    history = worked_day(tmp_path)
    (history.folder / "controls").mkdir()
    text = "".join(json.dumps(record) + "\n" for record in RECORDS)
    (history.folder / "controls" / "plane.jsonl").write_text(text)
    with (history.folder / "attribution.yaml").open("a") as file:
        file.write("  controls:\n    - {name: plane, uri: ./controls}\n")
    history.record()
    private, public = packets.keys(tmp_path)
    out = tmp_path / "a.tar"
    write_packet(history.house(), "tenant-a", DAY, DAY, out=out, key=private)
    status, said = packets.checked(out, public)
    assert status == 0, said
    lines = gzip.decompress(packets.members(out)["controls.jsonl.gz"]).splitlines()
    found = [json.loads(line) for line in lines]
    assert sorted(one["kind"] for one in found) == ["hard_block", "override", "shadow_hit"]
    assert {one["rule"] for one in found} == {"no-delete"}
    assert b"tenant-b" not in b"".join(lines)


def test_a_packet_says_that_no_controls_were_delivered(tmp_path: Path):
    history = worked_day(tmp_path)
    history.record()
    private, _ = packets.keys(tmp_path)
    write_packet(history.house(), "tenant-a", DAY, DAY, out=tmp_path / "a.tar", key=private)
    files = packets.unpacked(tmp_path / "a.tar")
    assert json.loads(files["controls.json"]) == {"records": 0, "said": "none delivered"}
