"""Verifying days: every file that they stand on, one by one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.lake import Lake, checkpoints
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline_tests.buckets.paths import Root, standing
from attribution_pipeline_tests.lake.days import DAY, record

NEXT = DAY + timedelta(days=1)
POLICY = "policy: p\nversion: 1\neffective_from: 2026-01-01\n"


@pytest.fixture
def lake(root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Two days, the first with two states, evidence of two files, its policy and checkpoints."""
    monkeypatch.setattr(checkpoints, "EVERY", 2)
    lake = Lake(root / "storage")
    parts = []
    for name in ("base", "late"):
        parts.append(tmp_path / f"{name}.parquet")
        pq.write_table(pa.table({"charge_id": [name]}), parts[-1])
    kept = lake.evidence.keep(
        "billing", DAY, basis="b", digest="x", files={"charges": parts}, rows={"charges": 2}
    )
    policy: dict[str, Any] = {"policy": "p", "version": 1, "digest": "d" * 64}
    policy["file"] = lake.policies.keep(parse_policy(POLICY)).as_dict()
    for text in ("1", "2"):
        inputs = {"billing": kept.as_input()}
        record(lake, DAY, [text], revisions=[text], variances=[text], inputs=inputs, policy=policy)
    record(lake, NEXT, ["7"])
    return lake


def test_each_file_of_a_day_is_named_when_a_bit_of_it_is_flipped(lake: Lake) -> None:
    lake.verify(DAY, NEXT)
    older = set(_data_of_first_states(lake))
    checked = 0
    for path in sorted(lake.storage.rglob("*")):
        inside = path.relative_to(lake.storage).as_posix()
        if not path.is_file() or inside.startswith(".") or inside.endswith("newest.json"):
            continue
        if path in older:
            continue
        whole = path.read_bytes()
        content = bytearray(whole)
        content[len(whole) // 2] ^= 4
        path.write_bytes(content)
        with pytest.raises(Refusal) as refused:
            Lake(lake.storage).verify(DAY, NEXT)
        assert refused.value.line().startswith(f"{path}:"), inside
        path.unlink()
        if not inside.startswith("seals/") or not _is_newest_seal(path):
            with pytest.raises(Refusal) as refused:
                Lake(lake.storage).verify(DAY, NEXT)
            assert str(path) in refused.value.line(), inside
        path.write_bytes(whole)
        checked += 1
    assert checked > 40
    lake.verify(DAY, NEXT)


def _data_of_first_states(lake: Lake) -> list[Root]:
    """Files that only the first state of the day names."""
    first, second = (lake.document(state)["files"] for state in lake.states(DAY))
    newer = {entry["path"] for entries in second.values() for entry in entries}
    older = [entry["path"] for entries in first.values() for entry in entries]
    manifest = lake.states(DAY)[0].manifest_file.path
    return [lake.storage / path for path in (*older, manifest) if path not in newer]


def _is_newest_seal(path: Root) -> bool:
    """As if its writer had died before it: made up for, not refused. A checkpoint's, too."""
    return path.name.endswith(".checkpoint.json") or not any(
        other.name > path.name for other in path.parent.glob("?" * 20 + ".json")
    )


def test_only_the_days_asked_for_are_hashed_and_of_them_the_state_asked_for(lake: Lake) -> None:
    ((_, path),) = lake.file_paths("ledger", NEXT, NEXT)
    standing(lake.storage, path).write_bytes(b"")
    lake.verify(DAY, DAY)
    with pytest.raises(Refusal, match="was changed"):
        lake.verify(DAY, NEXT)
    first, second = lake.states(DAY)
    ((_, path),) = lake.file_paths("ledger", DAY, DAY, as_of=first.published_at)
    standing(lake.storage, path).unlink()
    lake.verify(DAY, DAY)
    with pytest.raises(Refusal, match="is missing"):
        lake.verify(DAY, DAY, as_of=first.published_at)
    lake.verify(DAY, DAY, as_of=second.published_at)


def test_differences_tell_them_all_at_once(lake: Lake) -> None:
    document = lake.manifest(DAY)
    (evidence, late) = document["inputs"]["billing"]["files"]["charges"]
    (lake.storage / evidence["path"]).unlink()
    (lake.storage / late["path"]).write_bytes(b"")
    (lake.storage / document["policy"]["file"]["path"]).write_bytes(b"{}")
    assert lake.differences(DAY) == [
        f"billing.charges: {evidence['path']} is missing",
        f"billing.charges: {late['path']} was changed: its sha256 is not the recorded one",
        f"policy: {document['policy']['file']['path']} was changed: its sha256 is not the recorded "
        "one",
    ]
