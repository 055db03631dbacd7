"""Decompression that cannot be used against us: gzip and zstd by magic, bounded, whole or refused.

Belongs here: recognising compressed bytes, reading them as a stream within limits, noticing that
they end too early. Does not: listing or hashing objects (``objects``), any record format. Frames
that are compressed one by one inside a file are the business of the reader that knows them.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import BinaryIO, cast

import zstandard

from attribution_pipeline.sources.rejection import ObjectRefused

__all__ = ["LIMITS", "Limits", "ObjectRefused", "compression_of", "plain_stream"]

MEBIBYTE = 1 << 20

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_SKIPPABLE_MAGICS = tuple(bytes((0x50 + n, 0x2A, 0x4D, 0x18)) for n in range(16))
"""RFC 8878 section 3.1.2: 0x184D2A50 to 0x184D2A5F, little endian."""

MAGIC_BYTES = 4
_CHUNK_BYTES = 256 * 1024
_SIP_BYTES = 16 * 1024
"""Compressed bytes at a time: what has been read is what ratios are of."""
_STEP_BYTES = MEBIBYTE
"""Plain bytes at a time, however many were asked for: the limits are looked at between two steps."""
_GZIP_WBITS = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Limits:
    """What an object may cost before anything in it is believed."""

    object_bytes: int = 64 * 1024 * MEBIBYTE
    """Raw size: beyond any single object that an exporter writes."""
    plain_bytes: int = 512 * 1024 * MEBIBYTE
    """Decompressed size."""
    ratio: int = 200
    """Plain over raw, of what has been read so far. Span JSON is about 12:1 (facts/landing.md); a gzip
    bomb is 1028:1, a zstd bomb 32750:1 (facts/reliability.md, threat 7)."""
    ratio_floor_bytes: int = 16 * MEBIBYTE
    """Plain bytes below which no ratio is too high: a small file of one repeated line is fine."""
    zstd_window_bytes: int = 128 * MEBIBYTE
    """What ``zstd --long=27`` needs, the most that decoders accept without being asked."""
    in_memory_bytes: int = 64 * MEBIBYTE
    """Objects up to this plain size are handed to readers as bytes, larger ones as a stream."""


LIMITS = Limits()


def compression_of(head: bytes) -> str | None:
    """``gzip``, ``zstd`` or None, by the first bytes. Names and suffixes are not asked."""
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    if head.startswith(ZSTD_MAGIC) or head[:MAGIC_BYTES] in ZSTD_SKIPPABLE_MAGICS:
        return "zstd"
    return None


def plain_stream(
    raw: BinaryIO, raw_bytes: int, compression: str, limits: Limits, where: str
) -> io.BufferedReader:
    """The decompressed stream of ``raw``, from its first byte.

    Every read raises ObjectRefused when the data is damaged, ends inside a member or frame, or
    grows past the limits; nothing is handed out beyond them.
    """
    stream: io.RawIOBase
    if compression == "gzip":
        stream = _Gzip(raw)
    else:
        require_whole_zstd_frames(raw, where)
        raw.seek(0)
        decoder = zstandard.ZstdDecompressor(max_window_size=limits.zstd_window_bytes)
        stream = cast(
            io.RawIOBase, decoder.stream_reader(raw, read_across_frames=True, closefd=False)
        )
    return io.BufferedReader(_Bounded(stream, raw, raw_bytes, limits, where), _CHUNK_BYTES)


class _Gzip(io.RawIOBase):
    """Gzip members one after another, as RFC 1952 allows and log shippers write."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._pending = b""
        self._member: zlib._Decompress | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            if not self._pending:
                self._pending = self._raw.read(_SIP_BYTES)
                if not self._pending:
                    if self._member is not None:
                        raise EOFError("the data ends inside a gzip member")
                    return 0
            if self._member is None:
                # zero padding after the last member is legal (tape blocks); anything else is not
                self._pending = self._pending.lstrip(b"\0")
                if not self._pending:
                    continue
                self._member = zlib.decompressobj(_GZIP_WBITS)
            plain = self._member.decompress(self._pending, len(buffer))
            if self._member.eof:
                self._pending = self._member.unused_data
                self._member = None
            else:
                self._pending = self._member.unconsumed_tail
            if plain:
                buffer[: len(plain)] = plain
                return len(plain)


class _Bounded(io.RawIOBase):
    """Counts what comes out, and turns every way of being broken into one refusal."""

    def __init__(
        self, stream: io.RawIOBase, raw: BinaryIO, raw_bytes: int, limits: Limits, where: str
    ) -> None:
        self._stream = stream
        self._raw = raw
        self._limits = limits
        self._where = where
        self._raw_bytes = raw_bytes
        self._given = 0

    @property
    def _cap(self) -> int:
        """What may have come out by now. A megabyte of gzip may not wait for its end to be a bomb."""
        limits, read = self._limits, min(self._raw.tell(), self._raw_bytes)
        return min(limits.plain_bytes, max(limits.ratio_floor_bytes, limits.ratio * read))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            count = self._stream.readinto(memoryview(buffer)[:_STEP_BYTES]) or 0
        except (zlib.error, zstandard.ZstdError, EOFError) as error:
            raise ObjectRefused(
                "damaged_compression",
                f"cannot be decompressed: {error}",
                where=self._where,
                remedy="deliver the object again, whole",
            ) from error
        self._given += count
        if self._given > self._cap:
            raise ObjectRefused(
                "decompression_limit",
                f"decompresses to more than {self._cap} bytes "
                f"(limits: ratio {self._limits.ratio}, plain_bytes {self._limits.plain_bytes})",
                where=self._where,
                remedy="deliver it in smaller objects, or uncompressed",
            )
        return count


def require_whole_zstd_frames(raw: BinaryIO, where: str) -> None:
    """Walk frames and block headers (RFC 8878 section 3.1.1) to the last byte, or refuse.

    The streaming decoder ends a truncated frame like a whole one, without a word. A block header
    stands for up to 128 KiB of plain data, so the walk costs next to nothing.
    """
    size = raw.seek(0, io.SEEK_END)
    at: int | None = 0
    while at is not None and at < size:
        at = zstd_frame_end(raw, at)
    if at != size:
        raise ObjectRefused(
            "damaged_compression",
            "the data ends inside a zstd frame, or goes on after the last one",
            where=where,
            remedy="deliver the object again, whole",
        )


def zstd_frame_end(raw: BinaryIO, at: int) -> int | None:
    """Where the frame at ``at`` ends, beyond the data when it is cut short; None: no frame."""
    raw.seek(at)
    head = raw.read(8)
    if head[:MAGIC_BYTES] in ZSTD_SKIPPABLE_MAGICS and len(head) == 8:
        return at + 8 + int.from_bytes(head[4:8], "little")
    if not head.startswith(ZSTD_MAGIC) or len(head) < 5:
        return None
    descriptor = head[4]
    single_segment = descriptor >> 5 & 1
    content_size_bytes = (single_segment, 2, 4, 8)[descriptor >> 6]
    dictionary_id_bytes = (0, 1, 2, 4)[descriptor & 3]
    at += 5 + (1 - single_segment) + dictionary_id_bytes + content_size_bytes
    while True:
        raw.seek(at)
        header = raw.read(3)
        if len(header) < 3:
            return at + 3
        block = int.from_bytes(header, "little")
        is_run = block >> 1 & 3 == 1  # one byte, repeated
        at += 3 + (1 if is_run else block >> 3)
        if block & 1:
            return at + (4 if descriptor >> 2 & 1 else 0)
