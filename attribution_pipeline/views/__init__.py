"""What people read: the ledger as tables, CSV, JSON and Parquet, and the tie-out of a run.

Belongs here: selection, sums and layout of what is recorded. Does not: how rows were made
(``attribution``), where they are kept (``lake``), commands (``cli``).
"""
