"""Bytes that look like real ones: changes that break parsers, drawn from a seed or from Hypothesis."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

TOKENS = (
    b"", b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\r\n", b'"', b"'", b",", b"{", b"}", b"[", b"]",
    b":", b"null", b"NULL", b"true", b"NaN", b"Infinity", b"-1", b"0", b"1e308", b"1E+999999999", b"-0.0",
    b"9" * 40, b"99999999999999999999", b"0x10", b"2026-13-45", b"0000-00-00", b"9999-12-31T23:59:59Z",
    b"../../etc/passwd", b"%2e%2e%2f", b"=cmd()", b"\\u0000", b"\\ud800", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"!!python/object:os.system", b"&a [*a,*a]", b"*a", b"<<: *a", b"PAR1", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd",
    b"[" * 2000, b"{\"a\":" * 500, b"A" * 5000,
)  # fmt: skip
"""What parsers trip over."""

NUMBERS = (
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**63,
)

MOST_BYTES = 1 << 16

CHANGES = ("flip", "set", "insert", "delete", "repeat", "token", "number", "cut", "splice", "swap")


def mutate(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with one to six changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 6)):
        change(data, rng.choice(CHANGES), rng, seeds)
    return bytes(data[:MOST_BYTES])


def change(data: bytearray, how: str, rng: random.Random, seeds: Sequence[bytes]) -> None:
    """One change, in place."""
    at = rng.randrange(len(data) + 1)
    length = min(len(data) - at, rng.choice((1, 2, 4, 8, 32, 200)))
    match how:
        case "flip" if at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        case "set" if at < len(data):
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        case "insert":
            data[at:at] = rng.randbytes(rng.choice((1, 3, 17)))
        case "delete":
            del data[at : at + length]
        case "repeat":
            data[at:at] = bytes(data[at : at + length]) * rng.choice((1, 2, 50))
        case "token":
            data[at : at + rng.choice((0, 0, length))] = rng.choice(TOKENS)
        case "number":
            form = rng.choice(("<i", ">i", "<q", ">q"))
            size = struct.calcsize(form)
            value = rng.choice(NUMBERS) & ((1 << 8 * size) - 1)
            data[at : at + size] = value.to_bytes(size, "little" if form[0] == "<" else "big")
        case "cut":
            del data[at:]
        case "splice":
            other = rng.choice(seeds)
            begin = rng.randrange(len(other) + 1)
            data[at:] = other[begin:]
        case "swap":
            to = rng.randrange(len(data) + 1)
            part = bytes(data[at : at + length])
            del data[at : at + length]
            data[to:to] = part
