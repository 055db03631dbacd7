"""Hashes that a day's content digest is of are believed where they give it, and missed nowhere."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from attribution_pipeline.lake import Lake

DAY, OTHER = date(2026, 10, 5), date(2026, 10, 6)
HASHES = b"".join(sorted(hashlib.sha256(b"%d" % n).digest() for n in range(40_000)))
DIGEST = hashlib.sha256(HASHES.hex().encode()).hexdigest()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    lake.content.keep(DAY, HASHES)
    return lake


def test_hashes_of_the_day_and_state_asked_for_are_found(lake: Lake) -> None:
    assert lake.content.of(DAY, DIGEST) == HASHES
    assert lake.content.of(OTHER, DIGEST) == b""
    assert lake.content.of(DAY, "0" * 64) == b""


def test_those_of_another_state_stand_in_their_place(lake: Lake) -> None:
    lake.content.keep(DAY, HASHES[:-32])
    assert lake.content.of(DAY, DIGEST) == b""
    assert lake.content.of(DAY, hashlib.sha256(HASHES[:-32].hex().encode()).hexdigest())
    assert len(list(lake.storage.rglob("newest.hashes"))) == 1


@pytest.mark.parametrize("cut", [slice(0, -1), slice(1, None), slice(0, 0)])
def test_damaged_ones_are_as_good_as_lost(lake: Lake, cut: slice) -> None:
    (path,) = lake.storage.rglob("newest.hashes")
    path.write_bytes(path.read_bytes()[cut])
    assert lake.content.of(DAY, DIGEST) == b""
    path.write_bytes(HASHES[:99] + bytes([HASHES[99] ^ 4]) + HASHES[100:])
    assert lake.content.of(DAY, DIGEST) == b""
    path.unlink()
    assert lake.content.of(DAY, DIGEST) == b""
