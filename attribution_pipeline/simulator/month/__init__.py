"""A small company's month, and the order in which the outside world tells us of it.

Belongs here: a month that takes a second to write (``company``, ``happenings``, ``spans``,
``bills``, ``reports``), the deliveries by which it reaches us late, twice, wrong first and out of
order (``deliveries``, ``lateness``, ``steps``). Does not: the large company of ``attribution demo``
(``simulator.write``), or what the pipeline makes of any of it.

The *on-time world* is the month in its final form, all of it there at once. Every schedule of a
month ends in the same evidence, so whatever is recorded from it must end in the same ledger.
"""

from attribution_pipeline.simulator.month.deliveries import Delivery, Schedule
from attribution_pipeline.simulator.month.final import on_time
from attribution_pipeline.simulator.month.happenings import Month, month
from attribution_pipeline.simulator.month.steps import schedule

__all__ = ["Delivery", "Month", "Schedule", "month", "on_time", "schedule"]
