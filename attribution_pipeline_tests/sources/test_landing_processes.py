"""With any number of processes the same lands, and a reader that dies takes one object with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.sources import landing_run, landing_workers
from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.isolation import BOUNDED
from attribution_pipeline.sources.landing import LandingReport, Source, land
from attribution_pipeline.sources.landing_worker import Job
from attribution_pipeline.sources.objects import SourceObject, list_objects
from attribution_pipeline.sources.otlp import read, scanning
from attribution_pipeline_tests.sources.otlp_documents import lines, request, span

OBJECTS = 7


def write_objects(folder: Path) -> Source:
    """Readable ones of several lines, one damaged, one of another format, one said twice, one empty."""
    folder.mkdir()
    for number in range(OBJECTS):
        data = lines(*[request(span(spanId=f"{number + 1:016x}"))] * 3)
        (folder / f"{number}.json").write_bytes(data[:-40] if number == 2 else data)
    (folder / "4.json").write_bytes(b"\xff\xff no spans at all")
    (folder / "5.json").write_bytes((folder / "1.json").read_bytes())
    (folder / "6.json").write_bytes(b"")
    return Source("spans", "apps", folder)


def landed_by(processes: int, source: Source, lake: Path) -> tuple[LandingReport, list[Any]]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(landing_run, "processes_for", lambda _: processes)
        store = LandedStore(lake)
        report = land([source], store)
    files = sorted((file.table, file.sha256, file.rows) for file in store.files("spans"))
    return report, [files, [record.as_dict() for record in store.objects()]]


def test_any_number_of_processes_lands_the_same_bytes(tmp_path: Path) -> None:
    source = write_objects(tmp_path / "in")
    alone, there_alone = landed_by(1, source, tmp_path / "alone")
    several, there = landed_by(3, source, tmp_path / "several")
    assert there == there_alone
    assert there[0]
    assert several.lines() == alone.lines()
    assert (several.refused, several.sources[0].same_content) == (1, 1)


def dies_on_three(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    if obj.path == "3.json":
        os._exit(9)
    return read(data, obj, object_id)


def is_wrong_on_three(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    if obj.path == "3.json":
        raise KeyError("a fault of ours")
    return read(data, obj, object_id)


def run_of(reader: landing_run.Reader, source: Source, lake: Path) -> LandingReport:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(landing_run, "processes_for", lambda _: 2)
        patched.setattr("attribution_pipeline.sources.landing._reader", lambda *_, **__: reader)
        return land([source], LandedStore(lake))


def test_object_whose_reader_dies_is_refused_and_the_others_land(tmp_path: Path) -> None:
    source = write_objects(tmp_path / "in")
    usual, _ = landed_by(1, source, tmp_path / "usual")
    report = run_of(dies_on_three, source, tmp_path / "lake")
    assert report.rejected == {**usual.rejected, landing_workers.CRASHED: 1}
    assert (report.new, report.refused, report.awaiting) == (usual.new - 1, usual.refused + 1, 0)
    assert "the process that read it died with status 9" in "\n".join(report.lines())
    store = LandedStore(tmp_path / "lake")
    records = {record.path: record.object_id for record in store.objects()}
    content = (tmp_path / "in" / "3.json").read_bytes()
    assert records["3.json"] == hashlib.sha256(content).hexdigest()
    again = run_of(dies_on_three, source, tmp_path / "lake")
    assert (again.new, again.refused, again.awaiting) == (0, 0, 0), "it crashes no later run"


def test_processes_that_read_several_at_once_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, ...]] = []
    usual = landing_workers.Worker.__init__

    def noted(worker: landing_workers.Worker, *options: str) -> None:
        given.append(options)
        usual(worker, *options)

    monkeypatch.setattr(landing_workers.Worker, "__init__", noted)
    run_of(dies_on_three, write_objects(tmp_path / "in"), tmp_path / "lake")
    assert given == [(BOUNDED,)] * 2


def dies_after_another(
    data: bytes | BinaryIO, obj: SourceObject, object_id: str
) -> Iterator[Batch]:
    """As at the end of a limit that the objects before have used up."""
    if obj.path == "1.json" and os.environ.get("READ_BEFORE"):
        os._exit(9)
    os.environ["READ_BEFORE"] = "1"  # of that process alone
    return read(data, obj, object_id)


def test_object_is_read_anew_where_the_process_had_read_others_before(tmp_path: Path) -> None:
    write_objects(tmp_path / "in")
    first, second = list_objects("apps", tmp_path / "in").objects[:2]
    worker = landing_workers.Worker(BOUNDED)
    try:
        for obj in (first, second):
            told = worker.read(Job(dies_after_another, obj, "spans", tmp_path / "batches"))
            assert told is not None
            assert (told.left, told.refused, told.failed) == (None, None, "")
    finally:
        worker.stop()


def test_a_fault_of_ours_in_another_process_is_raised_here(tmp_path: Path) -> None:
    source = write_objects(tmp_path / "in")
    with pytest.raises(RuntimeError, match=r"3\.json(.|\n)*a fault of ours"):
        run_of(is_wrong_on_three, source, tmp_path / "lake")
    assert LandedStore(tmp_path / "lake").objects() == []


def test_without_processes_this_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_objects(tmp_path / "in")
    monkeypatch.setattr(landing_workers.Worker, "_started", lambda _: None)
    report, _ = landed_by(3, source, tmp_path / "lake")
    assert report.new == OBJECTS - 2


def test_processes_are_started_where_they_are_worth_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_objects(tmp_path / "in")
    objects = list_objects("apps", tmp_path / "in").objects
    assert landing_workers.processes_for(objects) == 1
    monkeypatch.setattr(landing_workers, "WORTHWHILE_BYTES", 100)
    assert landing_workers.processes_for(objects) == 1, "objects are too small, each"
    monkeypatch.setattr(landing_workers, "WORTHWHILE_OBJECT_BYTES", 10)
    assert landing_workers.processes_for(objects) == min(landing_workers.cores(), len(objects))
    assert landing_workers.processes_for(objects[:1]) == 1


def test_landing_without_the_compiled_scanner_says_that_it_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_objects(tmp_path / "in")
    usual, _ = landed_by(1, source, tmp_path / "usual")
    monkeypatch.setattr(scanning, "native", None)
    slow, _ = landed_by(1, source, tmp_path / "slow")
    assert landing_run.SLOW in slow.sources[0].notes
    assert landing_run.SLOW not in usual.sources[0].notes
