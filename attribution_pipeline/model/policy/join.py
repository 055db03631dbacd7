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

ContractName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+/[1-9][0-9]*$")]


class Dedicated(Strict):
    """Workloads that serve one tenant: their label may answer for their cost. Shell patterns."""

    cluster: Text | None = None
    namespace: Text | None = None
    controller: Text | None = None
    pod: Text | None = None

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
            raise refuse(
                f"`{field}` is no who-column", nearest(field, ATTRIBUTE_FIELDS), at=(field,)
            )
    return attributes


class Join(Strict):
    """Keys, window, direction and ladder of the join of bill and operations."""

    contract: ContractName = "tenant-workflow-route/1"
    window: Literal["day"] = "day"
    direction: Literal["allocate_to_operations", "roll_up_operations"] = "allocate_to_operations"
    route_keys: Annotated[list[RouteKey], AfterValidator(distinct)] = ["account", "region"]
    identity: Annotated[list[IdentityStep], AfterValidator(distinct)] = [
        "attributes", "ancestor", "link", "run", "workload", "resource_tag",
    ]  # fmt: skip
    label_precedence: Annotated[list[LabelSource], AfterValidator(distinct)] = [
        "pod_label", "workload_label", "namespace_label",
        "pod_annotation", "namespace_annotation", "namespace",
    ]  # fmt: skip
    tenant_label: Text = "tenant"
    tenant_tag: Text = "tenant"
    tenant_aliases: Annotated[dict[str, Text], AfterValidator(_aliases)] = {}
    dedicated: list[Dedicated] = []
    attributes: Annotated[
        dict[str, Annotated[list[Text], Field(min_length=1), AfterValidator(distinct)]],
        AfterValidator(_attributes),
    ] = {}

    def attribute_names(self) -> list[str]:
        """Span attributes that this contract reads beyond the standard ones, sorted."""
        return sorted({name for names in self.attributes.values() for name in names})


class Owner(Strict):
    """Team and cost center of rows, by tenant and workflow (shell patterns). Splits no row."""

    tenant: Text = "*"
    workflow: Text = "*"
    team: Text | None = None
    cost_center: Text | None = None

    def model_post_init(self, context: object, /) -> None:
        if self.team is None and self.cost_center is None:
            raise refuse("names neither team nor cost_center", "add `team: ...`")


class Issuer(Strict):
    """Services that must sign the identity they carry, with which keys, for which tenants."""

    services: Annotated[list[Text], Field(min_length=1, examples=['["gateway"]'])]
    keys: Annotated[list[Text], Field(min_length=1, examples=['["gw-2026*"]'])]
    tenants: Annotated[list[Text], Field(min_length=1)] = ["*"]
