"""One reader per outside format: typed evidence out, or a rejected record with its reason.

What belongs here: listing objects, opening them, reading FOCUS, OpenCost, OTLP and landed tables.
What does not: policy, ledger, where landed evidence is kept (``lake``), Dagster.
"""
