"""Objects are listed in one order, hashed raw, and opened within limits."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.compression import Limits
from attribution_pipeline.sources.objects import StillChanging, list_objects, open_object
from attribution_pipeline.sources.rejection import ObjectRefused

LINE = b'{"a": 1}\n'


def content_of(file: Path, limits: Limits | None = None) -> bytes:
    (obj,) = list_objects("s", file).objects
    with open_object(obj, limits or Limits()) as opened:
        data = opened.data
        return data if isinstance(data, bytes) else data.read()


def refusal_of(file: Path, limits: Limits | None = None) -> str:
    with pytest.raises(ObjectRefused) as refused:
        content_of(file, limits)
    assert str(file) in refused.value.line()
    return refused.value.reason


# -- listing -----------------------------------------------------------------------------------------


def test_listing_is_sorted_by_path_whatever_the_order_of_creation(tmp_path: Path) -> None:
    for name in ("b/2.json", "a.json", "b/10.json", "c/d/e.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(LINE)
    listed = list_objects("s", tmp_path)
    assert [o.path for o in listed.objects] == ["a.json", "b/10.json", "b/2.json", "c/d/e.json"]
    assert listed.objects[0].source == "s"
    assert listed.objects[0].size == len(LINE)
    assert listed.objects[0].uri == str(tmp_path / "a.json")


def test_names_that_are_no_objects_are_passed_over_and_counted(tmp_path: Path) -> None:
    for name in (".hidden", "x.json.tmp", "x.part", "y~", "_SUCCESS", "good.json"):
        (tmp_path / name).write_bytes(LINE)
    for name in (".git/config", "_temporary/0/part-0.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(LINE)
    listed = list_objects("s", tmp_path)
    assert [o.path for o in listed.objects] == ["good.json"]
    assert listed.skipped == {"hidden": 2, "marker": 2, "temporary": 3}


def test_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "secret.json"
    outside.write_bytes(LINE)
    folder = tmp_path / "landing"
    (folder / "sub").mkdir(parents=True)
    (folder / "good.json").write_bytes(LINE)
    (folder / "out.json").symlink_to(outside)
    (folder / "in.json").symlink_to(folder / "good.json")
    (folder / "loop").symlink_to(folder)
    listed = list_objects("s", folder)
    assert [o.path for o in listed.objects] == ["good.json", "in.json"]
    assert listed.skipped["link_out_of_folder"] == 1


def test_pipe_is_no_object_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    listed = list_objects("s", tmp_path)
    assert (listed.objects, listed.skipped) == ([], {"not_a_file": 1})


def test_single_file_is_a_source_of_one_object(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_bytes(b"a\n1\n")
    (obj,) = list_objects("s", tmp_path / "one.csv").objects
    assert obj.path == "one.csv"


def test_missing_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        list_objects("bill", tmp_path / "nowhere")
    assert "source bill" in refused.value.line()
    assert "nowhere" in refused.value.line()


@pytest.mark.parametrize("uri", ["s3://bucket/prefix", "http://host:9003", "gs://b"])
def test_what_this_version_cannot_list_is_refused_by_name(uri: str) -> None:
    with pytest.raises(Refusal, match="a folder is needed here") as refused:
        list_objects("prod", uri)
    assert uri in refused.value.line()


# -- opening -----------------------------------------------------------------------------------------

COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda content: content,
    "gzip": gzip.compress,
    "gzip members": lambda content: gzip.compress(content[:5]) + gzip.compress(content[5:]),
    "gzip padded": lambda content: gzip.compress(content) + b"\0" * 512,
    "zstd": lambda content: zstandard.compress(content),
    "zstd frames": lambda content: (
        zstandard.compress(content[:5]) + zstandard.compress(content[5:])
    ),
    "zstd skippable": lambda content: (
        b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(content)
    ),
}


@pytest.mark.parametrize("how", sorted(COMPRESSED))
@pytest.mark.parametrize("in_memory_bytes", [1 << 20, 100], ids=["bytes", "stream"])
def test_object_is_decompressed_by_magic_and_hashed_raw(
    tmp_path: Path, how: str, in_memory_bytes: int
) -> None:
    raw = COMPRESSED[how](LINE * 1000)
    file = tmp_path / "named_anything.json"
    file.write_bytes(raw)
    (obj,) = list_objects("s", file).objects
    with open_object(obj, Limits(in_memory_bytes=in_memory_bytes)) as opened:
        assert opened.object_id == hashlib.sha256(raw).hexdigest()
        assert isinstance(opened.data, bytes) == (in_memory_bytes > 100)
        data = opened.data
        assert (data if isinstance(data, bytes) else data.read()) == LINE * 1000


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_truncated_compression_is_refused_at_every_length(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    first, second = compress(os.urandom(300) + LINE * 20), compress(LINE)
    raw = first + second
    file = tmp_path / "cut.json"
    for length in range(5, len(raw)):
        file.write_bytes(raw[:length])
        if length == len(first):
            assert content_of(file).endswith(LINE * 20)  # a whole first part stands alone
        else:
            assert refusal_of(file) == "damaged_compression"


def test_garbage_after_compression_is_refused(tmp_path: Path) -> None:
    for compress in (gzip.compress, zstandard.compress):
        file = tmp_path / "tail.json"
        file.write_bytes(compress(LINE) + b"garbage")
        assert refusal_of(file) == "damaged_compression"


def test_flipped_bit_in_gzip_is_refused(tmp_path: Path) -> None:
    raw = bytearray(gzip.compress(os.urandom(500)))
    raw[100] ^= 1
    file = tmp_path / "flip.gz"
    file.write_bytes(raw)
    assert refusal_of(file) == "damaged_compression"


def test_compression_inside_compression_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.gz"
    file.write_bytes(gzip.compress(zstandard.compress(LINE)))
    assert refusal_of(file) == "nested_compression"


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_bomb_is_refused_fast_and_small(tmp_path: Path, how: str) -> None:
    file = tmp_path / "bomb"
    sink = io.BytesIO()
    writer = (
        gzip.GzipFile(fileobj=sink, mode="wb")
        if how == "gzip"
        else zstandard.ZstdCompressor().stream_writer(sink, closefd=False)
    )
    with writer:
        for _ in range(512):
            writer.write(bytes(1 << 20))
    file.write_bytes(sink.getvalue())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    assert refusal_of(file) == "decompression_limit"
    assert time.monotonic() - started < 5
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 256


def test_object_beyond_the_size_limit_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    file.write_bytes(LINE * 100)
    assert refusal_of(file, Limits(object_bytes=100)) == "object_too_large"


def test_object_that_changes_while_it_is_read_is_left_for_later(tmp_path: Path) -> None:
    file = tmp_path / "growing.json"
    file.write_bytes(LINE)
    (obj,) = list_objects("s", file).objects
    with pytest.raises(StillChanging), open_object(obj):
        file.write_bytes(LINE * 2)
    with pytest.raises(StillChanging), open_object(obj):
        pytest.fail("it is not the listed object any more")


def test_object_that_changes_is_not_called_broken(tmp_path: Path) -> None:
    file = tmp_path / "growing.json"
    file.write_bytes(LINE)
    (obj,) = list_objects("s", file).objects

    def read_half() -> None:
        with open_object(obj):
            file.write_bytes(LINE * 2)
            raise ValueError("what a reader says of half a file")

    with pytest.raises(StillChanging):
        read_half()


def test_reader_may_close_the_stream_that_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    file.write_bytes(LINE * 100)
    (obj,) = list_objects("s", file).objects
    with open_object(obj, Limits(in_memory_bytes=10)) as opened:
        assert not isinstance(opened.data, bytes)
        opened.data.close()
