"""Sorted rows leave DuckDB in one stream: into their files, in their order, under one digest."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.attribution import parts
from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import Session, session
from attribution_pipeline.attribution.parts import changed_hashes
from attribution_pipeline.attribution.set_digests import add_digests
from attribution_pipeline.model.row_hashes import digest_of_hashes

ROWS = 45_000
"""Two batches and a bit: rows of one part come in several."""

MANY = (
    "create table calls as select 'key ' || cast(n * 7919 % 45000 as varchar) as id, n, "
    "case when n % 3 > 0 then 'tenant ' || cast(n % 5 as varchar) end as tenant, n % 2 = 0 as even, "
    f"case n % 4 when 0 then 0 when 1 then 1 else 3 end as part from range({ROWS}) t(n)"
)


@pytest.fixture
def db():
    with session(Compute()) as found:
        found.execute(MANY)
        yield found


def written(db: Session, folder, table="calls", files=5):
    paths = [folder / f"{number}.parquet" for number in range(files)]
    digest = db.write_parts(table, paths, part="part", order="id")
    return digest, [pq.read_table(path).to_pylist() for path in paths]


def test_every_row_is_in_the_file_of_its_part_in_order(db, tmp_path):
    _, files = written(db, tmp_path)
    assert [len(rows) for rows in files] == [11250, 11250, 0, 22500, 0]
    columns = [row[0] for row in db.rows("select column_name from (describe calls)")]
    for number, rows in enumerate(files):
        found = db.rows(f"select * from calls where part = {number} order by id")
        assert [tuple(row[name] for name in columns) for row in rows] == found


def test_parts_are_digested_as_the_whole_and_as_the_definition_says(db, tmp_path):
    digest, files = written(db, tmp_path)
    columns = ["id", "n", "tenant", "even", "part"]
    assert digest == db.set_digest("calls", columns)
    cut = [db.set_digest("calls", columns, f"part {is_it} 3") for is_it in ("=", "<>")]
    assert digest == add_digests(*cut)
    texts = (
        "\x1f".join("\x1e" if row[name] is None else str(row[name]) for name in columns)
        .replace("True", "true").replace("False", "false")
        for rows in files for row in rows
    )  # fmt: skip
    hashes = [hashlib.sha256(text.encode()).digest() for text in texts]
    lanes = (sum(int.from_bytes(h[at : at + 8], "big") for h in hashes) for at in range(0, 32, 8))
    assert digest == "".join(f"{lane % 2**64:016x}" for lane in lanes)


def test_parts_say_the_same_as_any_engine_writes_them(db, tmp_path):
    """What an engine without a stream does: a file and a digest at a time."""
    (tmp_path / "slow").mkdir()
    digest, files = written(db, tmp_path)
    paths = [tmp_path / "slow" / f"{number}.parquet" for number in range(5)]
    assert Session.write_parts(db, "calls", paths, part="part", order="id") == digest
    assert [pq.read_table(path).to_pylist() for path in paths] == files


def test_hashes_are_sorted_as_bytes_are_whatever_they_end_with():
    """Zeros at the end, which numpy fills up with; bytes over 127; one that is there twice."""
    hashes = [
        b"a" * 31 + b"\0", b"a" * 32, b"a" * 30 + b"\0\1", b"\0" * 32, b"\xff" * 32,
        b"\x80" + b"\0" * 31, b"\x7f" * 32, b"a" * 32, b"a" + b"\0" * 31,
    ]  # fmt: skip
    digest = parts.SortedDigest()
    digest.hashes += b"".join(hashes)
    expected = "".join(one.hex() for one in sorted(hashes))
    assert digest_of_hashes(digest.sorted()) == hashlib.sha256(expected.encode()).hexdigest()
    assert digest_of_hashes(parts.SortedDigest().sorted()) == hashlib.sha256().hexdigest()


def test_a_row_group_has_as_many_rows_as_it_should(db, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "ROWS_A_GROUP", 9_000)
    written(db, tmp_path)
    found = pq.ParquetFile(tmp_path / "3.parquet").metadata
    groups = [found.row_group(number).num_rows for number in range(found.num_row_groups)]
    assert groups == [9_000, 9_000, 4_500]


def test_no_rows_are_files_without_rows(db, tmp_path):
    db.execute("create view none_at_all as select * from calls where n < 0")
    digest, files = written(db, tmp_path, "none_at_all", files=2)
    assert files == [[], []]
    assert digest == "0" * 64
    assert pq.read_schema(tmp_path / "1.parquet").names == ["id", "n", "tenant", "even", "part"]


def test_hashes_of_several_relations_are_those_of_each(db):
    db.execute("create view none_at_all as select * from calls where n < 0")
    db.execute("create view few as select * from calls where n < 300")
    asked = ["n", "id"], "n % 2 = 0"
    found = db.hashes_of(("few", "none_at_all", "calls"), *asked)
    assert found == [db.hashes(name, *asked) for name in ("few", "none_at_all", "calls")]
    assert [len(one) // 32 for one in found] == [150, 0, ROWS // 2]
    assert digest_of_hashes(found[0]) == db.digest("few", *asked)


def test_hashes_are_what_a_digest_is_of_and_change_with_rows(db):
    db.execute("create view early as select * from calls where n < 400 or n > 40000")
    db.execute("create view gone as select * from calls where n < 400 and n % 3 = 0")
    db.execute("create view come as select n + 50000 as n, id from calls where n < 300")
    db.execute("create view none_at_all as select * from calls where n < 0")
    db.execute(
        "create view now as select n, id from come union all "
        "select n, id from early where n not in (select n from gone)"
    )
    early, gone, come, now, nothing = (
        db.hashes(rows, ["n", "id"]) for rows in ("early", "gone", "come", "now", "none_at_all")
    )
    assert digest_of_hashes(now) == db.digest("now", ["n", "id"])
    assert digest_of_hashes(nothing) == db.digest("none_at_all", ["n", "id"])
    assert changed_hashes(early, gone, come) == now
    assert changed_hashes(early, nothing, nothing) == early
    assert changed_hashes(early, early, come) == come
    assert changed_hashes(early, come, gone) is None
    assert changed_hashes(nothing, gone, come) is None


def test_one_changed_value_is_another_digest(db, tmp_path):
    digest, _ = written(db, tmp_path)
    db.execute("update calls set tenant = '' where n = 44997 and tenant is null")
    (tmp_path / "again").mkdir()
    assert written(db, tmp_path / "again")[0] != digest, "empty is not null"


def test_a_disk_that_is_full_ends_the_stream_and_names_the_file(db):
    with pytest.raises(OSError, match="No space left on device") as full:
        db.write_parts("calls", [Path("/dev/full")], part="0", order="id")
    assert (full.value.errno, full.value.filename) == (errno.ENOSPC, "/dev/full")
    assert db.one("select count(*) from calls") == ROWS
