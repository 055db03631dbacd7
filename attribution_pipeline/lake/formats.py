"""Versions of what a lake is written in, and saying no to what this program does not know.

Belongs here: which versions are read, the refusal. Does not: the documents themselves, each of which
writes its own number (``manifest``, ``landed.index``, ``log``).

A number goes up when an older program would read a document wrongly; a column or key that it may pass
over is no new version. Older versions stay readable for ever, since a ledger is read for years: whoever
raises a number adds it here, keeps the older one, and keeps the frozen lake of the older one that the
tests open (``attribution_pipeline_tests/upgrade``).
"""

from __future__ import annotations

from collections.abc import Mapping

from attribution_pipeline.model.errors import Refusal

READ: Mapping[str, tuple[int, ...]] = {
    "manifest": (2,),
    "landing index": (2, 3),
    "seal": (1,),
}
"""Document -> versions that this program reads; the last is the one that it writes."""


def require_known(document: str, version: object, where: str) -> None:
    """Raise Refusal where this program does not read that version of a document."""
    known = READ[document]
    if version in known:
        return
    newer = isinstance(version, int) and version > max(known)
    raise Refusal(
        f"this {document} is of version {version}, and this program reads "
        f"{', '.join(map(str, known))}",
        where=where,
        remedy=(
            "install the version of attribution_pipeline that wrote it, or a newer one"
            if newer
            else "read it with the version of attribution_pipeline that wrote it"
        )
        + "; nothing was changed",
    )
