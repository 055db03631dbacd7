"""Two engines, one ledger: Spark beside DuckDB.

Belongs here: what ``attribution/spark`` promises, compared row by row. Does not: whether a ledger is
right (the oracle says that of DuckDB's).
"""
