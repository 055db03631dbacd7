"""A made-up company to try the pipeline on, and what really caused each of its costs.

Belongs here: everything that plays the outside world (bills, clusters, traffic, faults) and the
truth about it. Imports ``model`` and, as an application does, ``envelope``: it can never borrow the
engine's conclusions. Does not: reading any of it (``sources``), judging a ledger by it
(``proof/accuracy``).
"""

from attribution_pipeline.simulator.faults import FAULTS
from attribution_pipeline.simulator.report import Report
from attribution_pipeline.simulator.write import FIRST_DAY, write_company

__all__ = ["FAULTS", "FIRST_DAY", "Report", "write_company"]
