"""A flipped bit is refused by the file's name, by everyone who reads the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution_pipeline_tests.reliability import flips, measure
from attribution_pipeline_tests.reliability.flips import Flipper, FlipTally
from attribution_pipeline_tests.reliability.measure import SHORT


@pytest.fixture(scope="module")
def flipper(tmp_path_factory: pytest.TempPathFactory) -> Flipper:
    """The real day, recorded twice, with checkpoints."""
    return Flipper(measure.recorded_twice(tmp_path_factory.mktemp("flips")))


def test_random_flips_in_every_kind_of_file_are_refused_by_name(flipper: Flipper) -> None:
    tally = FlipTally()
    flips.flip_at_random(flipper, SHORT.flips, 1, tally)
    assert tally.violations == []
    assert tally.flips.total() == SHORT.flips
    assert set(tally.flips) == set(flipper.files.values())
    by_lake = sum(
        count
        for kind, count in tally.flips.items()
        if kind != flips.HINT and not kind.startswith("landed")
    )
    assert tally.verify == by_lake > SHORT.flips // 2
    # what other kinds a reader opens (a log's newest entry has no seal yet) may be refused as well
    assert tally.readers >= sum(tally.flips[kind] for kind in flips.BY_READERS) > 0
    assert tally.replays == sum(tally.flips[kind] for kind in flips.BY_REPLAY) > 0


def test_every_kind_of_file_is_there_to_be_flipped(flipper: Flipper) -> None:
    assert set(flipper.files.values()) >= flips.BY_READERS | {
        "side table's log", "checkpoint", "seal", "landed rows", "landed index", flips.HINT,
    }  # fmt: skip


def test_a_file_of_an_unknown_kind_is_noticed() -> None:
    with pytest.raises(AssertionError, match="nobody says who would notice"):
        flips.kind_of("ledger/notes.txt")


def test_the_flipper_puts_the_bit_back(flipper: Flipper) -> None:
    path = next(path for path, kind in flipper.files.items() if kind == "ledger")
    before = (flipper.storage / path).read_bytes()
    tally = FlipTally()
    flipper.flip(path, 8 * 17 + 3, tally)
    assert tally.violations == []
    assert (flipper.storage / path).read_bytes() == before


@pytest.mark.parametrize("table", ["ledger", "operations"])
def test_a_flip_in_an_entry_that_nobody_sealed_yet_is_refused_or_changes_nothing(
    tmp_path: Path, table: str
) -> None:
    tally = FlipTally()
    flips.flip_unsealed(tmp_path, table, 60, 1, tally)
    assert tally.violations == []
    assert tally.verify + tally.harmless == 60
    assert tally.verify > 30
