"""The views by name: whom each is for, what it asks, and its columns before the common tail.

Belongs here: the register. Does not: SQL (``sql/``), running it (``table``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class View(NamedTuple):
    """``keys`` are its grain, beside the currency; ``measures`` what it says beyond costs; ``reads``
    the daily roll-ups that its SQL reads."""

    title: str
    question: str
    keys: tuple[str, ...]
    measures: tuple[str, ...] = ()
    reads: tuple[str, ...] = ("spend_daily",)


VIEWS: Mapping[str, View] = {
    "business": View(
        "Business",
        "What did a useful outcome cost, of which kind, in which feature, for which tenant?",
        ("kind", "feature", "tenant_id"),
        ("outcomes", "useful", "unmatched", "value", "not_useful_cost", "cost_per_useful"),
        ("outcomes_daily", "outcome_costs_daily"),
    ),
    "product": View(
        "Product",
        "Which features and tenants consume what is shared and what is metered?",
        ("feature", "tenant_id"),
        ("direct", "workload", "shared", "idle", "overhead", "before_first_day"),
    ),
    "workflow": View(
        "Workflow",
        "What does a task or an agent cost, how often does it try again, how deep are its chains?",
        ("workflow_id", "task", "agent"),
        ("calls", "retries", "retry_cost", "traces", "longest_chain"),
        ("spend_daily", "calls_daily"),
    ),
    "model": View(
        "Model",
        "Which routes and token kinds cost what, at which price, and what did caches save?",
        ("provider", "model", "surface", "token_kind"),
        ("tokens", "price_per_million", "cache_saving"),
    ),
    "platform": View(
        "Platform",
        "Which shared pools cost what, and how much of that stood idle?",
        ("surface", "pool", "service", "resource_id"),
        ("idle", "idle_share"),
        ("resources_daily",),
    ),
    "governance": View(
        "Governance",
        "Which owner carries what, and how much of it is sure?",
        ("team", "cost_center", "environment"),
        ("tenants", "workflows"),
    ),
    "backlog": View(
        "Labelling backlog",
        "What would be attributed if somebody labelled it, dearest first?",
        ("unallocated_reason", "service", "resource_id", "model", "pool"),
        ("charges",),
        ("resources_daily",),
    ),
}
"""Name -> view. Grain: the keys and ``billing_currency``."""
