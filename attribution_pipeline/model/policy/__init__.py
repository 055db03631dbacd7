"""The policy: which rule makes whose cost, versioned, and the version in force on a day.

Belongs here: the policy file's words, their consistency, matching, the book of versions. Does not:
applying a rule to money (``attribution``).

``matching`` conditions on charges, ``join`` the join contract, ``charges`` meters and pools,
``document`` one version, ``book`` all of them, ``history`` what recorded days used of them.
"""

from attribution_pipeline.model.policy.book import (
    PolicyBook,
    Published,
    load_policies,
    load_policy,
    load_published,
    parse_policy,
)
from attribution_pipeline.model.policy.charges import (
    Idle,
    Meter,
    ModelPattern,
    NodeMapping,
    Pool,
    Serving,
    Workload,
)
from attribution_pipeline.model.policy.document import Policy, Settlement, Slo, Tolerance
from attribution_pipeline.model.policy.join import Dedicated, Issuer, Join, Owner
from attribution_pipeline.model.policy.matching import matches, value_of

__all__ = [
    "Dedicated", "Idle", "Issuer", "Join", "Meter", "ModelPattern", "NodeMapping", "Owner",
    "Policy", "PolicyBook", "Pool", "Published", "Serving", "Settlement", "Slo", "Tolerance",
    "Workload", "load_policies", "load_policy", "load_published", "matches", "parse_policy", "value_of",
]  # fmt: skip
