"""What one landed object of spans holds alone: told by rows alike, file by file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.model.evidence import SPANS

DAY = date(2026, 10, 5)
NOON = 1_791_201_600 * 10**9


class Never(frozenset[str]):
    """Ids of a source that has many: asked for one, never gone through."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("all ids of a source are gone through")


@pytest.fixture
def landed(tmp_path: Path) -> LandedStore:
    """Two objects with spans 1 and 2, and 2 and 3; of 2 they say the same, but for its attributes."""
    store = LandedStore(tmp_path / "lake")
    for one, spans in (("a" * 64, (1, 2)), ("b" * 64, (2, 3, 3))):
        with store.open_batch() as writer:
            writer.add("spans", "traces", rows(one, *spans))
            writer.add_object(
                kind="spans", source="traces", uri="u", path=one, fingerprint="f", size=1,
                object_id=one,
            )  # fmt: skip
            writer.commit()
    return store


def rows(object_id: str, *spans: int) -> pa.Table:
    said = {
        "object_id": [object_id] * len(spans),
        "trace_id": [f"{one:032x}" for one in spans],
        "span_id": [f"{one:016x}" for one in spans],
        "start_unix_nano": [NOON] * len(spans),
        "end_unix_nano": [NOON + 1] * len(spans),
        "attributes": [object_id] * len(spans),
    }
    nulls = [None] * len(spans)
    return pa.table({of.name: pa.array(said.get(of.name, nulls), of.type) for of in SPANS}, SPANS)


def test_a_span_that_another_object_has_alike_is_not_its_own(landed: LandedStore) -> None:
    for mine, other in (("a", "b"), ("b", "a")):
        found = landed.spans_alone({"traces": {mine * 64}}, {"traces": {other * 64}}, DAY)
        assert found == {("traces", mine * 64): 1}
    assert landed.spans_alone({"traces": {"a" * 64}}, {}, DAY) == {("traces", "a" * 64): 2}
    assert landed.spans_alone({"traces": {"a" * 64}}, {}, date(2026, 10, 6)) == {
        ("traces", "a" * 64): 0
    }


def test_a_file_is_asked_for_its_own_objects_and_not_for_all_of_its_source(
    landed: LandedStore,
) -> None:
    mine = {"traces": {"a" * 64}}
    assert landed.spans_alone(mine, {"traces": Never(["b" * 64])}, DAY) == {("traces", "a" * 64): 1}
    assert landed.objects_sharing({"traces": Never(["a" * 64])}, {"traces": {"b" * 64}}, DAY) == {
        ("traces", "a" * 64)
    }
