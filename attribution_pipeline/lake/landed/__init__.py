"""Landed evidence: every object of every source, kept as Parquet under an index.

What belongs here: which files hold what was landed (``store``), how they come about (``writer``,
``parquet``), the index that makes them so (``index``), what it records (``records``). What does
not: outside formats and listings (``sources``), which row counts for what (``attribution``).

Files are written first and named by their digest; then one index file names them all. Without its
index file a landing did not happen: whatever a killed run left behind is never read.
"""

from attribution_pipeline.lake.landed.records import KIND_OF_TABLE, LandedFile, ObjectRecord
from attribution_pipeline.lake.landed.store import LandedStore, LandedView
from attribution_pipeline.lake.landed.writer import LandingWriter

__all__ = [
    "KIND_OF_TABLE",
    "LandedFile",
    "LandedStore",
    "LandedView",
    "LandingWriter",
    "ObjectRecord",
]
