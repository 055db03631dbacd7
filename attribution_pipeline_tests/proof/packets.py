"""Review packets for tests: checked, taken apart.

Belongs here: changing packets as a forger or a false issuer would. Does not: what is
right about them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attribution_pipeline.proof.packet.sealing import load_signer, new_key, seal
from attribution_pipeline.proof.packet.verify import archive
from attribution_pipeline.proof.packet.verify.checks import verify_packet

Files = dict[str, bytes]


def checked(packet: Path, key: Path) -> tuple[int, list[str]]:
    """The status of a packet, and what was said."""
    said: list[str] = []
    return verify_packet(packet, key, said.append), said


def keys(folder: Path, name: str = "issuer") -> tuple[Path, Path]:
    """A key pair: private, public."""
    private = folder / f"{name}.pem"
    public, _ = new_key(private)
    return private, public


# -- taken apart, and put together again -----------------------------------------------------------


def members(packet: Path) -> Files:
    """The files of a packet as they stand in it, the statement included."""
    opened = archive.Archive(packet)
    return {name: opened.content(name) for name in opened.members}


def put_together(out: Path, files: Mapping[str, bytes]) -> Path:
    """A container of these files, the statement first."""
    first = [archive.STATEMENT] if archive.STATEMENT in files else []
    names = [*first, *sorted(set(files) - {archive.STATEMENT})]
    with out.open("wb") as file:
        archive.write(file, [(name, files[name]) for name in names])
    return out


def unpacked(packet: Path) -> Files:
    """The files of a packet without the statement, unpacked."""
    return {
        name: gzip.decompress(content) if name.endswith(".gz") else content
        for name, content in members(packet).items()
        if name != archive.STATEMENT
    }


def statement(packet: Path) -> dict[str, Any]:
    """What is signed, without its list of files."""
    import base64

    said = json.loads(members(packet)[archive.STATEMENT])
    payload = json.loads(base64.b64decode(said["payload"]))
    return {name: value for name, value in payload.items() if name not in ("files", "format")}


def signed_again(packet: Path, out: Path, files: Files, private: Path) -> Path:
    """What an issuer who lies would give out: other files, every digest and the signature right."""
    out.unlink(missing_ok=True)
    seal(out, statement(packet), files, load_signer(private))
    return out


def with_record(
    files: Files, name: str, which: Callable[[Any], bool], change: Callable[[Any], Any]
) -> Files:
    """The files with the first such record of a table changed."""
    lines = [json.loads(line) for line in files[name].splitlines()]
    place = next(place for place, line in enumerate(lines) if which(line))
    changed = change(json.loads(json.dumps(lines[place])))
    assert changed != lines[place]
    lines[place] = changed
    text = "".join(
        json.dumps(line, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"
        for line in lines
    )
    return {**files, name: text.encode()}
