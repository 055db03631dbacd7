"""What the ledger can show for itself: manifests, replay, accuracy where truth is known.

Belongs here: measures and verdicts over published tables and frozen inputs. Does not: making a
ledger (``attribution``), keeping it (``lake``), Dagster (``orchestration``).
"""
