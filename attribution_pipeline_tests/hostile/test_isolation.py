"""A file that crashes its parser is one rejected record, and the run goes on."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.sources import isolation, landing
from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.landing import land
from attribution_pipeline.sources.landing_worker import DATA_BYTES_MAX
from attribution_pipeline.sources.objects import SourceObject, list_objects
from attribution_pipeline.sources.tables import read_usage
from attribution_pipeline_tests.sources.landings import quantities, report, usage


def reads_and_crashes(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    """A parser that some file makes run wild."""
    if obj.path.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if obj.path.startswith("memory"):
        bytearray(DATA_BYTES_MAX)
    yield from read_usage(data, obj, object_id)


def _parquet(folder: Path, name: str, quantity: str) -> None:
    folder.mkdir(exist_ok=True)
    said = {
        "date": "2026-10-05",
        "service": "S",
        "resource_id": "r",
        "metric": "m",
        "quantity": quantity,
    }
    pq.write_table(pa.table({key: [value] for key, value in said.items()}), folder / name)


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "_reader", lambda *_, **__: reads_and_crashes)


@pytest.mark.usefixtures("crashing")
def test_parser_that_dies_takes_one_object_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name, quantity in (
        ("a.parquet", "1"),
        ("crash.parquet", "2"),
        ("memory.parquet", "4"),
        ("z.parquet", "8"),
    ):
        _parquet(folder, name, quantity)
    report(folder, "plain.csv", "16")
    store = LandedStore(tmp_path / "lake")
    found = land([usage(folder)], store)
    assert (found.new, found.refused, found.awaiting) == (3, 2, 0)
    assert found.rejected == {"reader_crashed": 1, "parser_memory": 1}
    assert sorted(quantities(store)) == ["1", "16", "8"]
    again = land([usage(folder)], store)
    assert (again.new, again.known, again.refused) == (0, 5, 0), "it is not tried again as it is"
    _parquet(folder, "crash.parquet", "32")
    (folder / "crash.parquet").rename(folder / "mended.parquet")
    assert land([usage(folder)], store).new == 1


def test_parquet_is_read_in_another_process_and_all_else_here(tmp_path: Path) -> None:
    _parquet(tmp_path, "a.parquet", "1")
    assert isolation.is_read_apart((tmp_path / "a.parquet").read_bytes())
    with (tmp_path / "a.parquet").open("rb") as stream:
        assert isolation.is_read_apart(stream)
        assert stream.tell() == 0
    assert not isolation.is_read_apart(b"date,service")
    assert not isolation.is_read_apart(b"")


def test_process_that_parses_has_limits_which_it_cannot_lift(tmp_path: Path) -> None:
    _parquet(tmp_path, "limits.parquet", "1")
    (obj,) = list_objects("s", tmp_path).objects
    with isolation.told_of(reads_and_limits, obj, "usage") as told:
        (batch,) = isolation_batches(told.file)
    pid, data, cpu, core = (int(text) for text in batch.rejected[0].detail.split())
    assert pid != os.getpid()
    assert (data, core) == (DATA_BYTES_MAX, 0)
    assert 0 < cpu <= 3_600


def reads_and_limits(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    """Tells the limits of the process that it runs in."""
    from attribution_pipeline.model.evidence import SCHEMAS
    from attribution_pipeline.sources.batch import Rejected

    kinds = (resource.RLIMIT_DATA, resource.RLIMIT_CPU, resource.RLIMIT_CORE)
    said = " ".join(
        str(one) for one in (os.getpid(), *(resource.getrlimit(kind)[1] for kind in kinds))
    )
    yield Batch("usage", SCHEMAS["usage"].empty_table(), [Rejected(1, "told", said)])


def isolation_batches(file: Path) -> list[Batch]:
    from attribution_pipeline.sources.landing_worker import batches_in

    return list(batches_in(file))


def test_reader_of_every_kind_can_be_handed_to_another_process(tmp_path: Path) -> None:
    """Parquet may lie in any source's folder, also where nothing reads it."""
    _parquet(tmp_path / "in", "odd.parquet", "1")
    for kind in landing.KINDS:
        for format in ("focus", "openai") if kind == "billing" else ("",):
            source = landing.Source(kind, "s", tmp_path / "in", format=format, account="a")
            (found,) = land([source], LandedStore(tmp_path / f"lake-{kind}-{format}")).sources
            assert found.rows.total() == (kind == "usage")
            told = found.rejected or found.awaiting
            assert kind == "usage" or sum(told.values()) == 1, found.lines()


def test_abort_inside_the_parquet_library_is_a_refusal(tmp_path: Path) -> None:
    """Found by ``make fuzz``: a column of another type than its statistics ends the process (pyarrow 26:
    "Unencoded byte array data bytes does not support FLOAT"), by one bit of the footer."""
    _parquet(tmp_path, "flipped.parquet", "1")
    file = tmp_path / "flipped.parquet"
    content = file.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    became = set()
    for at in range(footer, footer + 60):
        damaged = bytearray(content)
        damaged[at] ^= 2
        file.write_bytes(damaged)
        (obj,) = list_objects("s", file).objects
        with isolation.told_of(read_usage, obj, "usage") as told:
            assert not told.failed
            assert not told.left
            became.add(told.refused.reason if told.refused else "landed")
    assert "broken_parquet" in became
