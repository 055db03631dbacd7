"""S3 that answers wrongly, late, by half or not at all: the old state or the new one, never another.

Without tries of its own (``attempts=1``) every fault reaches the lake; with tries it mostly does not.
In CI one place of each kind; with ``S3=all`` (`make s3`) every fifth request.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from attribution_pipeline.lake import bucket_store
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.buckets import server
from attribution_pipeline_tests.buckets.paths import BucketPath
from attribution_pipeline_tests.buckets.proxy import KINDS, FaultyProxy
from attribution_pipeline_tests.reliability import inspection, synthetic

ALL = os.environ.get("S3") == "all"
STORY = (("land", 0, 2), ("keep", 0, 2), ("record", 0, 2))
"""What is interfered with: the second state of a day."""
IN_CI = {"500": 0.05, "503": 0.3, "silent": 0.5, "truncated": 0.62, "lost": 0.85, "reset": 0.9}
"""One place in the story for each kind, from its first request to its last."""
STRIDE = 5
"""With ``S3=all``, every so manieth request of the story; each kind begins at another."""
SURVIVED_IN_CI = ("503", "lost")
SILENCE_S = 0.5

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultyProxy]:
    """Before this session's S3."""
    target = int(server.access().endpoint.rpartition(":")[2])
    with FaultyProxy(target).running() as running:
        yield running


def through(proxy: FaultyProxy, place: BucketPath, attempts: int = 1) -> BucketPath:
    """The same place, reached through the proxy."""
    access = replace(place.access, endpoint=f"http://127.0.0.1:{proxy.port}", attempts=attempts,
                     timeout_s=SILENCE_S if attempts == 1 else 60.0)  # fmt: skip
    return replace(place, access=access)


def play(place: BucketPath) -> None:
    for task, day, step in STORY:
        synthetic.perform(place, task, day, step)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BucketPath:
    """A day with one state."""
    place = server.new_place(tmp_path_factory.mktemp("base"))
    for task in synthetic.TASKS:
        synthetic.perform(place, task, 0, 1)
    return place


@pytest.fixture(scope="module")
def golden(
    base: BucketPath, proxy: FaultyProxy, tmp_path_factory: pytest.TempPathFactory
) -> tuple[inspection.Standing, inspection.Standing, int]:
    """What stands before and after the story, and the requests that it takes."""
    place = base.copy_to(server.new_place(tmp_path_factory.mktemp("golden")))
    old = inspection.standing(place)
    proxy.disarm()
    play(through(proxy, place))
    requests = proxy.seen
    assert requests > 40
    return old, inspection.standing(place), requests


def places(requests: int, kind: str) -> list[int]:
    if ALL:
        return list(range(1 + KINDS.index(kind) % STRIDE, requests + 1, STRIDE))
    return [max(1, int(IN_CI[kind] * requests))]


@pytest.mark.parametrize("kind", KINDS)
def test_after_any_fault_the_old_state_or_the_new_one_stands_and_a_rerun_ends_well(
    kind: str,
    base: BucketPath,
    golden: tuple[inspection.Standing, inspection.Standing, int],
    proxy: FaultyProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bucket_store, "RECENT_S", 0.0)
    old, new, requests = golden
    refused = 0
    for nth in places(requests, kind):
        place = base.copy_to(server.new_place(tmp_path / str(nth)))
        proxy.arm(kind, nth)
        error = None
        try:
            play(through(proxy, place))
        except (OSError, Refusal) as caught:
            error = caught
        if not proxy.hit:  # a run takes a request more or less
            assert nth > requests * 0.9, f"{kind} at {nth} was never met"
            continue
        label = f"{kind} at {nth} ({proxy.hit})"
        proxy.disarm()
        found = inspection.standing(place)
        assert list(inspection.old_or_new(found, old, new)) == [], label
        assert list(inspection.verifies(place)) == [], label
        if error is None:
            assert found == new, f"{label}: wrong success"
        else:
            refused += 1
            line = error.line() if isinstance(error, Refusal) else str(error)
            assert "s3://" in line, (label, line)
            assert "canary" not in line, (label, line)
            assert "\n" not in line, (label, line)
        play(place)
        assert inspection.standing(place) == new, label
        assert list(inspection.whole(place)) == [], label
        place.empty()
    assert refused > 0 or not ALL, "no fault reached anybody: nothing was tested"


@pytest.mark.parametrize(
    "kind", ["500", "503", "truncated", "lost", "reset"] if ALL else SURVIVED_IN_CI
)
def test_a_single_fault_is_survived_with_tries(
    kind: str,
    base: BucketPath,
    golden: tuple[inspection.Standing, inspection.Standing, int],
    proxy: FaultyProxy,
    tmp_path: Path,
) -> None:
    _, new, requests = golden
    for nth in places(requests, kind):
        place = base.copy_to(server.new_place(tmp_path / str(nth)))
        proxy.arm(kind, nth)
        play(through(proxy, place, attempts=4))
        assert proxy.hit or nth > requests * 0.9
        assert inspection.standing(place) == new
        place.empty()


@pytest.mark.parametrize("kind", ["503", "reset"] if ALL else ["503"])
def test_a_store_that_stays_down_is_one_line_and_nothing_is_half_done(
    kind: str,
    base: BucketPath,
    golden: tuple[inspection.Standing, inspection.Standing, int],
    proxy: FaultyProxy,
    tmp_path: Path,
) -> None:
    old, new, requests = golden
    place = base.copy_to(server.new_place(tmp_path))
    proxy.arm(kind, requests // 2, for_ever=True)
    with pytest.raises(OSError, match="s3://") as caught:
        play(through(proxy, place, attempts=2))
    assert "\n" not in str(caught.value)
    proxy.disarm()
    assert list(inspection.old_or_new(inspection.standing(place), old, new)) == []
    play(place)
    assert inspection.standing(place) == new
