"""Small files that would be large: what somebody who may write into a source's folder could put there."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

MEBIBYTE = 1 << 20


def gzip_bomb(plain: int = 1024 * MEBIBYTE) -> bytes:
    """One gzip member of zeros, about 1000 : 1, without the work of compressing all of them."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = compressor.compress(bytes(MEBIBYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return header + block * (plain // MEBIBYTE) + b"\x03\x00" + bytes(8)


def gzip_members(plain: int = 1024 * MEBIBYTE) -> bytes:
    """The same as thousands of members one after another."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    member = compressor.compress(bytes(MEBIBYTE)) + compressor.flush()
    return member * (plain // MEBIBYTE)


def zstd_bomb(plain: int = 256 * MEBIBYTE, window_log: int = 22) -> bytes:
    """One zstd frame of zeros, some 30,000 : 1."""
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log, compression_level=1)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    zeros = bytes(MEBIBYTE)
    parts = [compressor.compress(zeros) for _ in range(plain // MEBIBYTE)]
    return b"".join([*parts, compressor.flush()])


def zstd_wide() -> bytes:
    """A zstd frame that asks for a window of 128 MiB."""
    return zstd_bomb(256 * MEBIBYTE, window_log=27)


def parquet_runs(rows: int = 9_000_000) -> bytes:
    """Rows without end, in runs of one value: hundreds for each byte of the file."""
    return _parquet(pa.table({"date": pa.array(memoryview(bytes(rows)), pa.uint8())}))


def parquet_dictionary(rows: int = 200_000) -> bytes:
    """One text of 1 MiB that every row repeats: a terabyte in five columns, when it is spread out."""
    indices = pa.array(memoryview(bytes(4 * rows)).cast("i"), pa.int32())
    text = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * MEBIBYTE]))
    columns = ("date", "service", "resource_id", "metric", "quantity")
    return _parquet(pa.table(dict.fromkeys(columns, text)))


def parquet_page(rows: int = 7_000_000) -> bytes:
    """One page of 56 MB that lies in some kB."""
    zeros = pa.array(memoryview(bytes(8 * rows)).cast("q"), pa.int64())
    return _parquet(
        pa.table({"date": zeros}), use_dictionary=False, compression="zstd",
        data_page_size=1 << 30, row_group_size=rows,
    )  # fmt: skip


def parquet_footer() -> bytes:
    """A footer that says it is a gigabyte."""
    return b"PAR1" + bytes(64) + struct.pack("<I", 1 << 30) + b"PAR1"


def parquet_columns() -> bytes:
    """Five thousand columns of nothing."""
    return _parquet(pa.table({f"c{n}": pa.array([1], pa.int8()) for n in range(5_000)}))


def frames_bomb() -> bytes:
    """A collector's file whose one frame is a zstd bomb."""
    payload = zstd_bomb()
    return struct.pack(">I", len(payload)) + payload


def deep_json() -> bytes:
    """A document of a million brackets."""
    return b'{"code":200,"status":"success","data":' + b"[" * 1_000_000


def long_number() -> bytes:
    """A number of a million digits, which takes quadratic time to read."""
    return b'{"code":200,"status":"success","data":[{"a":{"totalCost":' + b"9" * 1_000_000 + b"}}]}"


def zip_of_gzip() -> bytes:
    """Compression inside compression."""
    return _gzip(_gzip(bytes(MEBIBYTE)))


def _gzip(content: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


def _parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": gzip_bomb,
    "gzip members": gzip_members,
    "zstd": zstd_bomb,
    "zstd window": zstd_wide,
    "nested": zip_of_gzip,
    "parquet runs": parquet_runs,
    "parquet dictionary": parquet_dictionary,
    "parquet page": parquet_page,
    "parquet footer": parquet_footer,
    "parquet columns": parquet_columns,
    "frames": frames_bomb,
    "deep json": deep_json,
    "long number": long_number,
}
