"""cloud-cost-allocation on stdin, in its own environment: bill lines and keys in, what it allocates out.

Belongs here: its allocator, called as its README describes. Does not: where the inputs come from
(`cost_allocation_run`).

Version 2.3.4: 2.4.0 cannot be imported on Python 3.9 to 3.13 (`cost_items.py` names a class in an
annotation before it exists: NameError). Its own command line is not used: `main.py` of both calls
`allocate` without its third argument, a TypeError on any input.
"""

import json
import sys
from configparser import ConfigParser

from cloud_cost_allocation.cloud_cost_allocator import CloudCostAllocator
from cloud_cost_allocation.config import Config
from cloud_cost_allocation.cost_items import CostItemFactory

settings = ConfigParser(interpolation=None)
settings.read_dict({
    "General": {
        "DateFormat": "%Y-%m-%d", "DefaultService": "unknown", "DefaultProduct": "unknown",
        "Amounts": "Billed,Effective", "AllocationKeys": "Key",
        "AmountAllocationKeys": "Billed:Key,Effective:Key",
    },
})  # fmt: skip
found = []
for day in json.load(sys.stdin):
    config = Config(settings)
    factory = CostItemFactory(config)
    costs, consumers = [], []
    for service, billed, effective in day["costs"]:
        item = factory.create_cloud_cost_item()
        item.date_str, item.currency = day["day"], "USD"
        item.service = item.instance = service
        item.amounts = [float(billed), float(effective)]
        costs.append(item)
    for service, consumer, key in day["keys"]:
        item = factory.create_consumer_cost_item()
        item.date_str, item.currency = day["day"], "USD"
        item.provider_service = item.provider_instance = service
        item.provider_cost_allocation_type = "Key"
        item.allocation_keys = [float(key)]
        item.service = item.instance = item.product = consumer
        consumers.append(item)
    allocator = CloudCostAllocator(factory)
    allocator.date_str, allocator.currency = day["day"], "USD"
    if not allocator.allocate(consumers, costs, ["Billed", "Effective"]):
        raise SystemExit(f"it did not allocate {day['day']}; its own words are above")
    found.append({
        "day": day["day"],
        "parts": [[one.provider_service, one.product, *one.amounts] for one in consumers],
    })  # fmt: skip
json.dump(found, sys.stdout)
