"""Alerts: what checks and runs found, told to people where they are.

Belongs here: what is new (``found``), whom it is for and whether they know it (``decide``, ``state``),
what it says (``message``), sending it (``deliver``), when (``sensor``). Does not: checks, remedies
(``checks.runbook``), or anything that a run waits for: no alert can fail a day.

Three things keep it honest. What was told is a file in the storage, so that a restart tells nothing
twice. A message that could not be sent stays in that file and is tried again, and the sensor says so on
every tick. No message has anything but names, days, a check's sentence and its remedy: no metadata, no
evidence, no secret.
"""
