"""Dagster, and only here: assets, checks, schedules, sensors, partitions, resources.

Belongs here: when things run, what they are called in the UI, what a person is shown about them.
Does not: formulas. Nothing in this folder computes money; ``attribution`` does, ``views`` sums for
reading, ``lake`` records.

Reading order: ``house`` (what a deployment consists of), ``planes`` and ``recording`` (one day, in
plain Python), ``digests`` and ``staleness`` (which recorded days are late, in plain Python),
``assets`` and ``checks`` (the same, as Dagster sees it), ``jobs``, ``sensors`` with ``arrivals``,
``late_requests`` and ``attempts``, ``run`` (days without a server). This file imports nothing.
"""
