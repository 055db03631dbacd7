"""An independent oracle of one day's ledger: pure Python, ``Fraction`` and integers, slow, obvious.

Belongs here: the rules of design pages 10 and 30, read from those pages alone and written the way
one would work them out on paper. Does not belong here: anything of ``attribution_pipeline.
attribution``, its SQL, or ``model.division``: two programs that share code agree about its faults.

``READINGS.md`` lists every place where the pages leave a doubt, and which way the oracle goes.
"""

from attribution_pipeline_tests.oracle.day import Day, reconcile
from attribution_pipeline_tests.oracle.words import Evidence, Row

__all__ = ["Day", "Evidence", "Row", "reconcile"]
