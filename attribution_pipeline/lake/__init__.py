"""The tables: a day's files, the one commit that publishes them, and reading them back.

Belongs here: where rows are kept, digests of files, Delta commits, manifests, landed objects. Does
not: what a row means or how it came about (``attribution``), when it runs (``orchestration``).

Reading order: ``files`` (content-addressed files), ``manifest`` (what a recorded day names),
``delta`` (everything that knows delta-rs), ``states``, ``evidence``, ``tables`` (the ``Lake``), ``landed`` (landed objects).
"""

from attribution_pipeline.lake.evidence import DayEvidence, KeptPlane
from attribution_pipeline.lake.tables import CommitReceipt, DayMoved, Lake

__all__ = ["CommitReceipt", "DayEvidence", "DayMoved", "KeptPlane", "Lake"]
