"""unalloc on stdin, in its own environment: groups of its inputs in, what it attributes out.

Belongs here: its adapters and its `attribute`, called as its `report` command calls them. Does not:
where the inputs come from (`unalloc_run`).
"""

import json
import sys

from unalloc.core.attribute import attribute
from unalloc.sources import REGISTRY

reports = []
for group in json.load(sys.stdin):
    rows = REGISTRY[group["source"]]().parse(group["payload"])
    report = attribute(rows, group["dimension"])
    reports.append({
        "group": group["group"],
        "buckets": [
            [None if bucket.is_unallocated else bucket.key, str(bucket.amount_usd)]
            for bucket in report.buckets
        ],
    })  # fmt: skip
json.dump(reports, sys.stdout)
