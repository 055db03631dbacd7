"""Why spend moved between two periods: parts that sum to the change, and requests behind them.

Belongs here: the explanation and how people read it; the method is docs/explain.md. Does not: how
rows were made (``attribution``), which lake is read (``commands.explain``).

Reading order: ``shapley`` (arithmetic), ``factors`` (the formula), ``periods`` (which states), ``ruled``
(both under one policy), ``reading`` (their rows), ``parts`` (sums), ``observed`` and ``told`` (as people
read it).
"""

from attribution_pipeline.views.explain.parts import GROUPS, PARTS, Explanation, explain
from attribution_pipeline.views.explain.periods import RECORDED, SETTLED, Period, read_period
from attribution_pipeline.views.explain.reading import Rows, opened
from attribution_pipeline.views.explain.ruled import Means, under_one_rule

__all__ = [
    "GROUPS", "PARTS", "RECORDED", "SETTLED", "Explanation", "Means", "Period", "Rows", "explain", "opened",
    "read_period", "under_one_rule",
]  # fmt: skip
