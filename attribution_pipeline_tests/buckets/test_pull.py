"""Live sources into a bucket: kept whole, asked for once, landed as from a folder."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline.sources.pull.place import EARLIER
from attribution_pipeline_tests.buckets.paths import BucketPath
from attribution_pipeline_tests.sources import api_servers
from attribution_pipeline_tests.sources.api_servers import serving
from attribution_pipeline_tests.sources.landings import quantities, standing
from attribution_pipeline_tests.sources.test_pull_runs import CANARY, FIRST_DAY, pull_of, run

pytestmark = pytest.mark.heavy


def keys(place: BucketPath) -> list[str]:
    return sorted(str(one.relative_to(place)) for one in place.rglob("*"))


def test_opencost_days_are_kept_in_a_bucket_and_land_from_there(
    place: BucketPath, tmp_path: Path
) -> None:
    with serving(api_servers.opencost) as server:
        pull = pull_of("opencost", server.url, tmp_path, uri=place)
        assert (len(run(pull).kept), run(pull).nothing) == (6, 3)
        stale = (place / "2026-10-05" / "assets.json").read_bytes() + b"\n"
        (place / "2026-10-05" / "assets.json").write_bytes(stale)
        again = run(pull, days=(FIRST_DAY, FIRST_DAY), again=True)
    assert (len(again.kept), again.failures) == (2, [])
    kept = [key for key in keys(place) if EARLIER in key and key.endswith("assets.json")]
    assert len(kept) == 1
    store = LandedStore(tmp_path / "lake")
    report = land([Source("opencost", "prod", place, cluster="prod")], store)
    assert (report.new, report.refused, report.rejected) == (6, 0, {})
    assert len(standing(store, "opencost_allocations", ["pod"])) == 3


def test_delivery_of_a_vendor_is_whole_in_a_bucket(
    place: BucketPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_ADMIN_KEY", CANARY)
    with serving(api_servers.anthropic) as server:
        pull = pull_of("anthropic", server.url, tmp_path, uri=place, key_env="TEST_ADMIN_KEY")
        first, second = run(pull), run(pull)
    assert (len(first.kept), second.kept) == (2, [])
    source = Source("billing", "b", place, format="anthropic", delivery="replace", account="org-1")
    store = LandedStore(tmp_path / "lake")
    report = land([source], store)
    assert (report.new, report.awaiting, report.rejected) == (2, 0, {})
    (place / "2026-10" / "20261008T060000Z" / "pull.json").unlink()
    held = land([source], LandedStore(tmp_path / "other"))
    assert (held.new, held.awaiting) == (0, 2)


def test_parquet_in_a_bucket_is_read_in_a_process_of_its_own(
    place: BucketPath, tmp_path: Path
) -> None:
    said = {
        "date": "2026-10-05",
        "service": "S",
        "resource_id": "r",
        "metric": "m",
        "quantity": "7",
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({key: [value] for key, value in said.items()}), sink)
    (place / "a.parquet").write_bytes(sink.getvalue().to_pybytes())
    store = LandedStore(tmp_path / "lake")
    assert land([Source("usage", "usage", place)], store).new == 1
    assert quantities(store) == ["7"]
