"""The second engine: the same SQL files on Spark.

Belongs here: everything that knows Spark by name, in small pieces: ``dialect`` (SQL to SQL),
``division`` (exact whole numbers), ``tables`` (what a session does), ``cluster`` (how it is reached).
Does not: any formula, any pass. A result is DuckDB's to the last digit, or it is a defect.
"""
