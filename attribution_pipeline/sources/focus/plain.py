"""A file's plain bytes as something that can be read twice: once to know it is whole, once to land.

Belongs here: seekability, gzip where nobody opened it before us. Does not: limits on what
decompression may cost (``sources.compression``, through ``sources.objects.open_object``).
"""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
import zlib
from typing import IO, BinaryIO, cast

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.compression import GZIP_MAGIC

SPOOL_BYTES = 64 * 1024 * 1024
"""Streams up to this size are held in memory, larger ones in a temporary file."""

HALF_WRITTEN = "deliver the file again, whole"


def seekable(data: bytes | BinaryIO, where: str) -> IO[bytes]:
    """``data``, decompressed if it is gzip, at its first byte. Refuses gzip that ends early."""
    stream: BinaryIO = io.BytesIO(data) if isinstance(data, bytes) else data
    if not stream.seekable():
        stream = _spooled(stream)
    start = stream.tell()
    compressed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    stream.seek(start)
    if not compressed:
        return stream
    try:
        with gzip.GzipFile(fileobj=stream) as plain:
            return _spooled(cast(BinaryIO, plain))
    except (OSError, EOFError, zlib.error) as error:
        raise Refusal(
            f"cannot be decompressed: {error}", where=where, remedy=HALF_WRITTEN
        ) from error


def _spooled(stream: BinaryIO) -> BinaryIO:
    # 3.11: a spooled file is seekable, readable and writable, as an io.IOBase
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - the reader holds it
    shutil.copyfileobj(stream, spool, 1 << 20)
    spool.seek(0)
    return cast(BinaryIO, spool)
