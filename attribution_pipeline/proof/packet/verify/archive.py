"""The container: a plain tar file of which every byte is settled.

Belongs here: the one layout, writing it, reading it strictly. Does not: what members mean.

POSIX ustar: regular files, mode 0644, no owner, no time; a member's content padded with zeros to
512 bytes; two blocks of zeros at the end and nothing after. The statement stands first, the other
members follow sorted by name. So the layout has no freedom: what is no content can be computed, and
one changed byte of it is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .failure import FILES, UNUSABLE, Failed

BLOCK = 512
NAME_BYTES = 100
END = b"\0" * (2 * BLOCK)
STATEMENT = "statement.dsse.json"
"""The first member: what is signed, and the signature."""

MOST_BYTES = 8**11 - 1
"""Eleven octal digits of a ustar header: 8 GiB."""


def header(name: str, size: int) -> bytes:
    """The 512 bytes before a member. IEEE Std 1003.1-1990, ustar."""
    encoded = name.encode("ascii")
    if not 0 < len(encoded) <= NAME_BYTES or size > MOST_BYTES:
        raise ValueError(f"{name!r} of {size} bytes does not fit a ustar header")
    fields = (
        encoded.ljust(NAME_BYTES, b"\0"),
        b"0000644\0",
        b"0000000\0",
        b"0000000\0",
        b"%011o\0" % size,
        b"%011o\0" % 0,
        b" " * 8,
        b"0",
        b"\0" * 100,
        b"ustar\x0000",
        b"\0" * 64,
        b"0000000\0",
        b"0000000\0",
    )
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def write(file: BinaryIO, members: Iterable[tuple[str, bytes]]) -> None:
    """The whole container. The caller gives the statement first and the rest sorted by name."""
    for name, content in members:
        file.write(header(name, len(content)))
        file.write(content)
        file.write(b"\0" * (-len(content) % BLOCK))
    file.write(END)


@dataclass(frozen=True)
class Member:
    """Where a member's content lies."""

    name: str
    offset: int
    size: int


class Archive:
    """A packet, opened. Raises Failed where its layout is not the one above, byte for byte."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.size = path.stat().st_size
            with path.open("rb") as file:
                found = list(_members(file, self.size))
        except OSError as error:
            raise Failed(UNUSABLE, f"{path}: {(error.strerror or str(error)).lower()}") from error
        names = [member.name for member in found]
        if names[:1] != [STATEMENT]:
            raise Failed(FILES, f"{path.name} does not begin with {STATEMENT}: it is no packet")
        if names[1:] != sorted(set(names[1:])) or STATEMENT in names[1:]:
            raise Failed(FILES, "members are not in their order, each once")
        self.members = {member.name: member for member in found}

    def content(self, name: str) -> bytes:
        """A member's bytes."""
        member = self.members.get(name)
        if member is None:
            raise Failed(FILES, f"{name} is missing")
        with self.path.open("rb") as file:
            file.seek(member.offset)
            return file.read(member.size)


def _members(file: BinaryIO, size: int) -> Iterator[Member]:
    while True:
        at = file.tell()
        block = file.read(BLOCK)
        if block == END[:BLOCK]:
            if file.read() != END[BLOCK:]:
                raise Failed(FILES, f"the container does not end as it must, at byte {at}")
            return
        member = _member(block, at)
        if member.offset + member.size > size:
            raise Failed(FILES, f"{member.name} is truncated: the container ends in it")
        file.seek(member.offset + member.size)
        padding = file.read(-member.size % BLOCK)
        if padding != b"\0" * (-member.size % BLOCK):
            raise Failed(FILES, f"{member.name} is not followed by zeros")
        yield member


def _member(block: bytes, at: int) -> Member:
    name, size, expected = "", 0, b""
    try:
        name = block[:NAME_BYTES].rstrip(b"\0").decode("ascii")
        size = int(block[124:135], 8)
        expected = header(name, size)
    except ValueError:
        pass  # no header at all
    if not expected or block != expected:
        raise Failed(FILES, f"the container is truncated or changed at byte {at}")
    return Member(name, at + BLOCK, size)
