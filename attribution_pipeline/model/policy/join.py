"""The join contract: how an operation, a workload and a charge are known to belong together.

Belongs here: keys, identity ladder, labels, aliases, owners, issuers. Does not: formulas for money
(``charges``).
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.strict import Strict, Text, distinct, nearest, refuse

RouteKey = Literal["account", "region"]
IdentityStep = Literal["attributes", "ancestor", "link", "run", "workload", "resource_tag"]
LabelSource = Literal[
    "pod_label", "workload_label", "namespace_label",
    "pod_annotation", "namespace_annotation", "namespace",
]  # fmt: skip

ATTRIBUTE_FIELDS = (*WHO, "originator_id", "run_id")
"""What span attributes may say, beyond the standard ``attribution.<field>`` names."""

_NO_SPAN_SAYS = "a name that only labels people or teams (team, cost_center) goes to `owners:`"

ContractName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+/[1-9][0-9]*$")]


class Dedicated(Strict):
    """Workloads that serve one tenant: their label may answer for their cost. Shell patterns."""

    cluster: Text | None = None
    """The cluster, as OpenCost has it."""
    namespace: Text | None = None
    """The namespace."""
    controller: Text | None = None
    """The name of the Deployment, StatefulSet, Job or the like."""
    pod: Text | None = None
    """The pod. Of the four that are given all must hold; an unknown value matches nothing."""

    def model_post_init(self, context: object, /) -> None:
        if not self.model_fields_set:
            raise refuse("declares every workload dedicated", 'say so: {namespace: "*"}')

    def matches(
        self, *, cluster: str | None, namespace: str | None, controller: str | None,
        pod: str | None,
    ) -> bool:  # fmt: skip
        """Whether all patterns that are given hold; an unknown value matches nothing."""
        pairs = (
            (self.cluster, cluster), (self.namespace, namespace),
            (self.controller, controller), (self.pod, pod),
        )  # fmt: skip
        return all(
            pattern is None or (value is not None and fnmatchcase(value, pattern))
            for pattern, value in pairs
        )


def _aliases(aliases: dict[str, str]) -> dict[str, str]:
    for alias, tenant in aliases.items():
        if tenant in aliases:
            raise refuse(
                f"`{alias}` stands for `{tenant}`, which is an alias itself",
                "map each alias to the tenant's own name",
                at=(alias,),
            )
    return aliases


def _attributes(attributes: dict[str, list[str]]) -> dict[str, list[str]]:
    for field in attributes:
        if field not in ATTRIBUTE_FIELDS:
            remedy = nearest(field, ATTRIBUTE_FIELDS)
            if not remedy.startswith("did you mean"):
                remedy += f"; {_NO_SPAN_SAYS}"
            raise refuse(f"`{field}` is no who-column", remedy, at=(field,))
    return attributes


class Join(Strict):
    """Keys, window, direction and ladder of the join of bill and operations."""

    contract: ContractName = "tenant-workflow-route/1"
    """Name and number of the contract, for people."""
    window: Literal["day"] = "day"
    """Bill and operations meet within one UTC day."""
    direction: Literal["allocate_to_operations", "roll_up_operations"] = "allocate_to_operations"
    """The bill is divided over operations; or operations are priced at the slice's list unit price, and
    the signed gap to the bill is shown."""
    route_keys: Annotated[list[RouteKey], AfterValidator(distinct)] = ["account", "region"]
    """What tells meter slices apart beside provider, model and token kind, where both the charges and the
    calls have it."""
    identity: Annotated[list[IdentityStep], AfterValidator(distinct)] = [
        "attributes", "ancestor", "link", "run", "workload", "resource_tag",
    ]  # fmt: skip
    """Who may say whose a cost is; the first that answers does. A step that is left out is not asked."""
    label_precedence: Annotated[list[LabelSource], AfterValidator(distinct)] = [
        "pod_label", "workload_label", "namespace_label",
        "pod_annotation", "namespace_annotation", "namespace",
    ]  # fmt: skip
    """Which label of a dedicated workload's pod counts; ``namespace`` is the namespace's name, and ends
    the list."""
    tenant_label: Text = "tenant"
    """The label or annotation that names the tenant; also as OpenCost sanitises it, with ``_``."""
    tenant_tag: Text = "tenant"
    """The charge's tag that names the tenant."""
    tenant_aliases: Annotated[dict[str, Text], AfterValidator(_aliases)] = {}
    """Other spelling to the tenant's own name: ``{Acme-Inc: acme}``."""
    dedicated: list[Dedicated] = []
    """Workloads whose label may answer for their cost and for calls of their pods."""
    attributes: Annotated[
        dict[str, Annotated[list[Text], Field(min_length=1), AfterValidator(distinct)]],
        AfterValidator(_attributes),
    ] = {}
    """Who-column to span attributes that say it where ``attribution.<column>`` does not; the first that a
    span has counts."""

    def attribute_names(self) -> list[str]:
        """Span attributes that this contract reads beyond the standard ones, sorted."""
        return sorted({name for names in self.attributes.values() for name in names})


class Owner(Strict):
    """Team and cost center of rows, by tenant and workflow. Splits no row. First match wins."""

    tenant: Text = "*"
    """A shell pattern of the row's tenant; a row without one matches only ``*``."""
    workflow: Text = "*"
    """A shell pattern of the row's workflow; likewise."""
    team: Text | None = None
    """Written into the rows' ``team``. At least one of the two is given."""
    cost_center: Text | None = None
    """Written into the rows' ``cost_center``; digits in quotes."""

    def model_post_init(self, context: object, /) -> None:
        if self.team is None and self.cost_center is None:
            raise refuse("names neither team nor cost_center", "add `team: ...`")

    def matches(self, tenant: str | None, workflow: str | None) -> bool:
        """Whether both patterns hold; unknown matches only ``*``."""
        return fnmatchcase(tenant or "", self.tenant) and fnmatchcase(workflow or "", self.workflow)


class Issuer(Strict):
    """Services that must sign the identity they carry, with which keys, for which tenants."""

    services: Annotated[list[Text], Field(min_length=1, examples=['["gateway"]'])]
    """Shell patterns of ``service.name``. Their calls without a verified envelope are
    ``identity_unverified``."""
    keys: Annotated[list[Text], Field(min_length=1, examples=['["gw-2026*"]'])]
    """Shell patterns of the ids of keys that they may sign with."""
    tenants: Annotated[list[Text], Field(min_length=1)] = ["*"]
    """Shell patterns of the tenants that they may name."""
