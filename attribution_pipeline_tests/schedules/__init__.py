"""Random schedules of a month: whatever comes late, twice, wrong first or out of order, and whatever
is interrupted, the books end as if all had been there on time.

Belongs here: playing a schedule against the real pipeline (``play``), the on-time run (``books``),
what must be true at the end (``judge``), making a failing schedule small (``shrink``), the command
(``run``). Does not: what a month or a schedule is (``simulator.month``).

``python -m attribution_pipeline_tests.schedules.run --schedules 200`` plays them all and writes the
table in ``docs/reliability.md``; ``--seed N`` plays one.
"""
