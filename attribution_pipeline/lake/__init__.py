"""The tables: a day's files, the one commit that publishes them, and reading them back.

Belongs here: where rows are kept, digests of files, Delta commits, manifests, landed objects. Does
not: what a row means or how it came about (``attribution``), when it runs (``orchestration``).

Reading order: ``store`` (the seam to storage), ``files`` (content-addressed files), ``manifest`` (what
a recorded day names), ``shapes`` (which tables there are), ``log``, ``adoption`` and ``checkpoints``
(Delta's log, sealed), ``delta`` (one table), ``states``, ``recorder`` (the order of commits),
``evidence``, ``policies``, ``tables`` (the ``Lake``), ``landed`` (landed objects). ``formats`` says which
versions are read; ``custody``, ``pruning``, ``pruned`` and ``copying`` are for who keeps the place.
``crash`` is for tests.
"""

from attribution_pipeline.lake.evidence import DayEvidence, KeptPlane
from attribution_pipeline.lake.files import StoredFile
from attribution_pipeline.lake.recorder import CommitReceipt, DayMoved
from attribution_pipeline.lake.states import Published
from attribution_pipeline.lake.tables import Lake

__all__ = [
    "CommitReceipt", "DayEvidence", "DayMoved", "KeptPlane", "Lake", "Published", "StoredFile",
]  # fmt: skip
