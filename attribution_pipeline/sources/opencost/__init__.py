"""OpenCost snapshots: ``/allocation`` and ``/assets`` JSON, as weights.

What belongs here: the API's envelope and payload shapes, gates on every row, special names, units.
What does not: what a node is on the bill, which labels name a tenant, dividing (``attribution``).
"""

from attribution_pipeline.sources.opencost.reader import read

__all__ = ["read"]
