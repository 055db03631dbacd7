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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, BinaryIO, cast

from attribution_pipeline.sources.compression import GZIP_MAGIC
from attribution_pipeline.sources.rejection import ObjectRefused

SPOOL_BYTES = 64 * 1024 * 1024
"""Streams up to this size are held in memory, larger ones in a temporary file."""

_COPY_BYTES = 1024 * 1024

HALF_WRITTEN = "deliver the file again, whole"


@contextmanager
def opened(data: bytes | BinaryIO, where: str) -> Iterator[IO[bytes]]:
    """``data`` as a seekable stream at its first byte, decompressed if it is gzip.

    Raises ObjectRefused when the gzip ends early. The caller's own stream stays open.
    """
    stream: IO[bytes] = io.BytesIO(data) if isinstance(data, bytes) else data
    with ExitStack() as held:
        if not stream.seekable():
            stream = held.enter_context(_spooled(stream))
        start = stream.tell()
        compressed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        stream.seek(start)
        if compressed:
            try:
                with gzip.GzipFile(fileobj=stream) as plain:
                    stream = held.enter_context(_spooled(cast("IO[bytes]", plain)))
            except (OSError, EOFError, zlib.error) as error:
                raise ObjectRefused(
                    "damaged_compression",
                    f"cannot be decompressed: {error}",
                    where=where,
                    remedy=HALF_WRITTEN,
                ) from error
        yield stream


def _spooled(stream: IO[bytes]) -> IO[bytes]:
    # closed by the caller; 3.11: a spooled file is a whole io.IOBase
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115
    try:
        shutil.copyfileobj(stream, spool, _COPY_BYTES)
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    return cast("IO[bytes]", spool)
