"""The engine: evidence and a policy in, ledger rows out. Set-based, exact, deterministic.

Belongs here: how a day's charges, operations and pods become rows. Does not: where evidence came
from (``sources``), where rows are kept (``lake``), when it runs (``orchestration``).

Reading order: ``day`` (the words), the four planes (``billing``, ``cluster``, ``operations``,
``usage``), ``matching``, then ``reconcile``, which names the phases in their order.
"""

KERNEL = "2"
"""The version of the formulas. A change that moves a quantum is a new kernel, and says so."""
