"""Which files of a billing source form deliveries, and which delivery is newer.

Belongs here: the layouts by which vendors deliver FOCUS, and telling them apart. Does not: reading
a manifest (``manifests``) or a bill (``reader``), and which delivery stands (``attribution``).

A *delivery* is what supersedes, whole, what the same source said before about an account and
billing period. All its files carry one ``delivery`` and one ``delivery_order``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.focus import manifests
from attribution_pipeline.sources.focus.manifests import Manifest, Unreadable
from attribution_pipeline.sources.objects import SourceObject

FORMATS = ("focus", "aws", "azure", "gcp", "oci")
"""What ``format`` of a billing source may be. ``focus`` tells them apart by layout."""

DATA_SUFFIXES = (".csv", ".csv.gz", ".csv.zst", ".gz", ".zst", ".parquet")

_AWS_LAYOUT = re.compile(r"(?:^|/)BILLING_PERIOD=\d{4}-\d{2}/")
"""AWS Data Exports, "Export S3 parent directory structure": every file lies under one of these."""

_AZURE_LAYOUT = re.compile(r"(?:^|/)\d{8}-\d{8}/(?:[^/]+/)+[^/]+$")
"""Azure Cost Management: ``<export>/<from-to>/<run>/...``, files always below a run folder."""

_OCI_DAY = re.compile(r"^(?P<prefix>(?:.*/)?)\d{4}/\d{2}/\d{2}/[^/]+$")
"""OCI FOCUS reports: ``FOCUS Reports/YYYY/MM/DD/<file>``."""

_CHUNK = re.compile(r"\d+(?=\D*$)")
"""The last number of a name: vendors number the chunks of an export."""

_OCI_FOLDER = re.compile(r"(?:^|/)FOCUS Reports/")


@dataclass(frozen=True)
class Held:
    """A file that is not read now, and why. Not an error of the file."""

    path: str
    reason: str
    """``awaiting_manifest``, ``half_written``, ``manifest_unreadable``; or of what waits for nothing,
    ``not_billing_data`` and ``not_in_manifest``."""
    detail: str
    remedy: str = ""
    delivery: str = ""
    """The manifest that speaks for it; empty: its folder is what it waits with."""


PASSED_OVER = ("not_billing_data", "not_in_manifest")
"""Reasons of files that no later delivery makes readable."""


@dataclass
class Deliveries:
    """The files to read, by path, each with its delivery; and what is held back."""

    objects: list[SourceObject] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)


def discover(
    files: Sequence[SourceObject], read_bytes: Callable[[str], bytes], format: str = "focus"
) -> Deliveries:
    """Sort a listing into deliveries. ``read_bytes`` gives a manifest's content by its path.

    - ``aws``, ``azure``: a file is read when a manifest names it and everything that the manifest
      names is there in full. Vendors write the manifest last, so a chunk that was there before it and
      that it does not name is left from an older run; anything else waits for its manifest.
    - ``oci``: reports are additive. Each day's file holds charges that no earlier file held, and a
      correction comes as a further row, so all files are parts of one delivery: taking a day
      folder for a new delivery would leave only the last day of a month standing.
    - ``gcp`` and anything else: every folder is one delivery, its files are the parts, and a
      folder that sorts later (numbers by value) is newer.
      Folders that each hold one day of a period, say, need ``delivery: append`` in the deployment.

    Raises Refusal for a format that does not exist.
    """
    if format not in FORMATS:
        raise Refusal(
            f"billing format {format!r} is not known", remedy=f"use one of {', '.join(FORMATS)}"
        )
    result = Deliveries()
    by_path = {file.path: file for file in files}
    named: set[str] = set()
    vouched: dict[str, int] = {}
    if format in ("focus", "aws", "azure"):
        named = _by_manifest(by_path, read_bytes, format, result, vouched)
    for path, file in sorted(by_path.items()):
        if path in named:
            continue
        if not path.lower().endswith(DATA_SUFFIXES):
            result.held.append(
                Held(path, "not_billing_data", "neither CSV nor Parquet by its name")
            )
        elif _awaits_manifest(path, format):
            result.held.append(_unnamed(file, vouched))
        else:
            delivery, order = _of_folder(path, format)
            result.objects.append(replace(file, delivery=delivery, delivery_order=order))
    result.objects.sort(key=lambda file: file.path)
    result.held.sort(key=lambda held: (held.path, held.reason))
    return result


def _by_manifest(
    files: dict[str, SourceObject],
    read_bytes: Callable[[str], bytes],
    format: str,
    result: Deliveries,
    vouched: dict[str, int],
) -> set[str]:
    """Add the deliveries that manifests describe; the paths that need no further look. ``vouched``
    gets the ``_siblings`` of what is read, with the time of the newest manifest that names some."""
    settled: set[str] = set()
    read: dict[str, SourceObject] = {}
    unfulfilled: dict[str, str] = {}
    for path in sorted(p for p in files if manifests.is_manifest(p, format)):
        try:
            manifest = manifests.parse(path, read_bytes(path), files[path].fingerprint)
        except Unreadable as error:
            result.held.append(
                Held(path, "manifest_unreadable", f"{error}: its files are not read", delivery=path)
            )
            settled.add(path)
            for sibling in manifests.beside(path, files):
                unfulfilled.setdefault(sibling, path)
            continue
        if manifest is None:
            continue
        settled.add(path)
        parts, faults = _resolve(manifest, files)
        if faults:
            result.held.append(Held(path, "half_written", "; ".join(faults), delivery=path))
            for part in parts:
                unfulfilled.setdefault(part, path)
            continue
        for part in parts:
            written = manifests.modified(files[path].fingerprint) or 0
            vouched[_siblings(part)] = max(vouched.get(_siblings(part), 0), written)
            older = read.get(part)
            if older is None or older.delivery_order < manifest.order:
                read[part] = replace(
                    files[part], delivery=manifest.delivery, delivery_order=manifest.order
                )
    result.objects.extend(read.values())
    for part, manifest_path in sorted(unfulfilled.items()):
        if part not in read and part not in settled:
            detail = f"its manifest {manifest_path} is not fulfilled"
            result.held.append(Held(part, "half_written", detail, delivery=manifest_path))
            settled.add(part)
    return settled | set(read)


def _resolve(manifest: Manifest, files: dict[str, SourceObject]) -> tuple[list[str], list[str]]:
    """The listed paths of a manifest's files, and what is wrong with them."""
    parts: list[str] = []
    faults: list[str] = []
    for name, size in manifest.files:
        path = manifests.locate(name, manifest.path, files)
        if path is None:
            faults.append(f"names {name}, which is not there")
            continue
        parts.append(path)
        if size is not None and files[path].size != size:
            faults.append(f"says that {name} has {size} bytes; {files[path].size} are there")
        if manifest.written is not None:
            # OVERWRITE_REPORT: the vendor writes the manifest last, so this file is of the next run
            written = manifests.modified(files[path].fingerprint)
            if written is not None and written > manifest.written:
                faults.append(f"is older than {name}: the next run is being written over this one")
    return parts, faults


def _unnamed(file: SourceObject, vouched: dict[str, int]) -> Held:
    """A file where manifests are the law, that none names."""
    written = manifests.modified(file.fingerprint)
    told = vouched.get(_siblings(file.path))
    if told is not None and written is not None and written <= told:
        detail = "the manifest of its siblings was written later and does not name it"
        return Held(file.path, "not_in_manifest", detail)
    if _AWS_LAYOUT.search(file.path):
        copy, take = (
            "its metadata/",
            "take it out of data/BILLING_PERIOD=..., where a manifest is the law",
        )
    elif _AZURE_LAYOUT.search(file.path):
        copy, take = (
            "its manifest.json",
            "take it out of the run folder, where a manifest is the law",
        )
    else:
        copy, take = "its manifest", "leave `format` out, which asks for one by the layout alone"
    return Held(
        file.path, "awaiting_manifest", "no manifest names it", f"copy {copy} too, or {take}"
    )


def _siblings(path: str) -> str:
    """What chunks of one export have in common: folder and name without the chunk's number."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/{_CHUNK.sub('', name)}"


def _awaits_manifest(path: str, format: str) -> bool:
    if format in ("aws", "azure"):
        return True
    return format == "focus" and bool(_AWS_LAYOUT.search(path) or _AZURE_LAYOUT.search(path))


def _of_folder(path: str, format: str) -> tuple[str, str]:
    if format == "oci" or (format == "focus" and _OCI_FOLDER.search(path)):
        day = _OCI_DAY.match(path)
        prefix = day["prefix"].strip("/") if day else ""
        return prefix or ".", prefix
    folder = path.rpartition("/")[0]
    return folder or ".", natural(folder)


def is_of_manifest(path: str, delivery: str, delivery_order: str) -> bool:
    """Whether a manifest, and not the file's folder, made it part of this delivery."""
    by_folder = [_of_folder(path, format) for format in ("focus", "oci")]
    return (delivery, delivery_order) not in by_folder


def natural(text: str) -> str:
    """Text that sorts by the value of its numbers: ``run-9`` before ``run-10``."""
    return re.sub(r"\d+", lambda number: number[0].zfill(20), text)
