"""The assets: landed objects, policies, a day's evidence, the ledger.

Belongs here: Dagster's asset functions, each a few lines that hand over to the layer that works.
Does not: formulas, formats, commits. A new asset is a module here and a name in ``definitions``.
"""
