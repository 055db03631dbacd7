"""Manifests of AWS Data Exports and Azure Cost Management: which files make one delivery.

Belongs here: recognising and parsing a manifest, finding the files it names in a listing. Does
not: what becomes of files that no manifest names (``deliveries``).

AWS: ``<root>/metadata/BILLING_PERIOD=YYYY-MM/[<run>/]<export>-Manifest.json`` with ``dataFiles``
(s3 addresses) beside ``<root>/data/BILLING_PERIOD=YYYY-MM/[<run>/]``; the ``<run>`` level exists
under CREATE_NEW_REPORT only. Azure: ``manifest.json`` in the run's folder, with ``runInfo`` and
``blobs`` [{blobName, byteCount}].
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

AWS_MANIFEST = re.compile(
    r"(?:^|/)metadata/BILLING_PERIOD=(?P<period>\d{4}-\d{2})/(?:(?P<run>[^/]+)/)?"
    r"[^/]*manifest\.json$",
    re.IGNORECASE,
)
AZURE_MANIFEST = re.compile(r"(?:^|/)(?:_?manifest)\.json$", re.IGNORECASE)

_FINGERPRINT = re.compile(r"^\d+-(?P<modified>\d+)(?:-|$)")
_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/]*/")


class Unreadable(ValueError):
    """A manifest that is no manifest: cut short, or in a shape that this version does not know."""


@dataclass(frozen=True)
class Manifest:
    """One delivery as its vendor describes it."""

    path: str
    delivery: str
    order: str
    """Sorts after older runs of the same export."""
    files: tuple[tuple[str, int | None], ...]
    """Name as the vendor wrote it, and its size in bytes where the manifest says one."""
    written: int | None = None
    """Where every run writes over the last one: when the manifest was written, in nanoseconds. A file
    that is newer is of a run whose manifest is still to come."""


def is_manifest(path: str, format: str) -> bool:
    """By name and place; ``parse`` decides by content."""
    aws = format in ("focus", "aws") and AWS_MANIFEST.search(path)
    azure = format in ("focus", "azure") and AZURE_MANIFEST.search(path)
    return bool(aws or azure)


def parse(path: str, content: bytes, fingerprint: str) -> Manifest | None:
    """The delivery in a manifest; None for a ``manifest.json`` of something else.

    Raises Unreadable for anything that starts like a manifest and is not one.
    """
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Unreadable("is not JSON, perhaps still being written") from error
    aws = AWS_MANIFEST.search(path)
    if aws:
        return _aws(path, document, fingerprint, aws["period"], aws["run"])
    if isinstance(document, dict) and "blobs" in document:
        return _azure(path, document)
    return None


def _aws(path: str, document: Any, fingerprint: str, period: str, run: str | None) -> Manifest:
    files = document.get("dataFiles") if isinstance(document, dict) else None
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        raise Unreadable("has no list dataFiles of addresses")
    root = path[: path.index("metadata/BILLING_PERIOD=")]
    # CREATE_NEW_REPORT: run folders start with their time. OVERWRITE_REPORT: one place for every
    # run, and nothing in the manifest that sorts, so the time at which it was written decides.
    written = modified(fingerprint)
    order = run or (fingerprint if written is None else f"{written:020}")
    name = run or document.get("executionId") or order
    return Manifest(
        path,
        f"{root}BILLING_PERIOD={period}/{name}",
        order,
        tuple((name, None) for name in files),
        None if run else written,
    )


def modified(fingerprint: str) -> int | None:
    """When an object was written, in nanoseconds; null where its fingerprint does not say."""
    found = _FINGERPRINT.match(fingerprint)
    return int(found["modified"]) if found else None


def _azure(path: str, document: dict[str, Any]) -> Manifest:
    blobs = document["blobs"]
    run = document.get("runInfo")
    run = run if isinstance(run, dict) else {}
    if not isinstance(blobs, list):
        raise Unreadable("blobs is no list")
    files: list[tuple[str, int | None]] = []
    for blob in blobs:
        name = blob.get("blobName") if isinstance(blob, dict) else None
        if not isinstance(name, str):
            raise Unreadable("a blob has no blobName")
        size = blob.get("byteCount")
        files.append((name, size if isinstance(size, int) else None))
    folder = path.rpartition("/")[0]
    run_id = str(run.get("runId") or folder or ".")
    return Manifest(path, run_id, f"{run.get('submittedTime') or ''} {run_id}", tuple(files))


def locate(name: str, manifest_path: str, paths: Collection[str]) -> str | None:
    """The listed path behind a vendor's full name, wherever in the bucket the source starts.

    The longest tail of ``name`` that exists below the manifest's folder or one above it. So a
    source may be the bucket, any folder in it, or a copy of either.
    """
    parts = _ADDRESS.sub("", name).strip("/").split("/")
    folders = manifest_path.split("/")[:-1]
    for start in range(len(parts)):
        for depth in range(len(folders), -1, -1):
            candidate = "/".join([*folders[:depth], *parts[start:]])
            if candidate in paths:
                return candidate
    return None


def beside(manifest_path: str, paths: Collection[str]) -> list[str]:
    """Files that an unreadable manifest would have named: those of its period, run or folder."""
    if AWS_MANIFEST.search(manifest_path):
        folder = manifest_path.rpartition("/")[0]
        root, _, tail = folder.rpartition("metadata/BILLING_PERIOD=")
        prefix = f"{root}data/BILLING_PERIOD={tail}/"
    else:
        folder = manifest_path.rpartition("/")[0]
        prefix = f"{folder}/" if folder else ""
    return [p for p in paths if p.startswith(prefix) and not is_manifest(p, "focus")]
