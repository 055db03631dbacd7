"""Gates over OpenCost's answers, one for each known fault of its data.

Belongs here: the register of faults (``register``), what a day's snapshot shows of them
(``snapshot``), of labels (``labels``), against the bill (``bill``), and what a filter moved
(``what_if``). Does not: reading answers (``sources/opencost``), asset checks (``orchestration``).
"""
