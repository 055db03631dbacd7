"""Random small worlds: landed evidence and a policy, seeded, with every feature of the ledger in it.

Belongs here: making up worlds (``world(seed)``) and writing them as landed Parquet
(``write.landed``). Does not: what is right about them (``attribution_pipeline_tests.oracle``).
"""

from attribution_pipeline_tests.worlds.world import World, world

__all__ = ["World", "world"]
