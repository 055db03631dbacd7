"""Which pages of a vendor's cost API form a delivery: a run folder that its receipt vouches for.

Belongs here: the layout that pulls write, and pages that people put into folders themselves. Does
not: reading a page (``reader``), writing a receipt (``sources.pull``).

A pull writes ``<period>/<time>/<report>-<page>.json`` and ``pull.json`` last, so a folder that is
named by a time is read when its receipt is there and names what lies beside it. Any other folder is
a delivery by itself, its files the parts (docs/decisions/0005).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from attribution_pipeline.sources.focus.deliveries import Deliveries, Held, natural
from attribution_pipeline.sources.objects import SourceObject
from attribution_pipeline.sources.vendor_costs import chains

FORMATS = ("openai", "anthropic")
RECEIPT = "pull.json"

IS_RUN = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
"""What a pull calls the folder of a delivery: its time."""

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)

_DATA_SUFFIXES = (".json", ".json.gz", ".json.zst")


def discover(
    files: Sequence[SourceObject],
    read_bytes: Callable[[str], bytes],
    is_landed: Callable[[SourceObject], bool] = lambda _: False,
) -> Deliveries:
    """Sort a listing into deliveries. ``read_bytes`` gives the content of a receipt, and of a page that
    has none, by its path. ``is_landed``: pages of a folder that was landed as it is are not opened."""
    result = Deliveries()
    folders: dict[str, dict[str, SourceObject]] = {}
    for file in files:
        folder, _, name = file.path.rpartition("/")
        folders.setdefault(folder, {})[name] = file
    for folder, members in sorted(folders.items()):
        receipt = members.pop(RECEIPT, None)
        digests: dict[str, str] = {}
        if receipt is not None:
            fault, digests = _vouched(read_bytes(receipt.path), members)
            if fault:
                result.held.append(Held(receipt.path, "half_written", fault))
                continue
        elif IS_RUN.fullmatch(folder.rpartition("/")[2]):
            result.held += [
                Held(
                    file.path,
                    "awaiting_manifest",
                    f"no {RECEIPT} beside it yet",
                    f"copy its {RECEIPT} too, or pull again",
                )
                for file in members.values()
            ]
            continue
        read: list[SourceObject] = []
        for name, file in sorted(members.items()):
            if name.lower().endswith(_DATA_SUFFIXES):
                read.append(
                    replace(
                        file,
                        delivery=folder or ".",
                        delivery_order=natural(folder),
                        sha256=digests.get(name, ""),
                    )
                )
            else:
                result.held.append(Held(file.path, "not_billing_data", "no JSON by its name"))
        if receipt is None and not all(map(is_landed, read)):
            contents = {file.path: read_bytes(file.path) for file in read}
            if open_ended := chains.unfinished(contents):
                result.held += [_incomplete(file, open_ended[0]) for file in read]
                continue
        result.objects += read
    result.objects.sort(key=lambda file: file.path)
    result.held.sort(key=lambda held: (held.path, held.reason))
    return result


def _incomplete(file: SourceObject, page: str) -> Held:
    """A page of a folder that lacks one: alone it would supersede what it is a part of."""
    said = f"{page} says has_more, and no page beside it goes on from there"
    return Held(file.path, chains.REASON, said, chains.REMEDY)


def _vouched(content: bytes, members: dict[str, SourceObject]) -> tuple[str, dict[str, str]]:
    """What is wrong with a delivery by its receipt, empty where it is whole by its sizes; and the
    sha256 of each page, which landing compares when it reads the page."""
    try:
        answers = json.loads(content)["answers"]
        named = {str(answer["name"]): int(answer["bytes"]) for answer in answers}
        digests = {str(answer["name"]): str(answer["sha256"]) for answer in answers}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "is no receipt, perhaps still being written", {}
    faults = _differences(named, members)
    faults += [
        f"gives no sha256 of {name}"
        for name, digest in sorted(digests.items())
        if not _SHA256.fullmatch(digest)
    ]
    return "; ".join(faults), digests


def _differences(named: dict[str, int], members: dict[str, Any]) -> list[str]:
    faults = []
    for name, size in sorted(named.items()):
        if name not in members:
            faults.append(f"names {name}, which is not there")
        elif members[name].size != size:
            faults.append(f"says that {name} has {size} bytes; {members[name].size} are there")
    faults += [f"does not name {name}" for name in sorted(set(members) - set(named))]
    return faults
