"""What a policy says about charges: meters, pools, and how cluster nodes meet the bill.

Belongs here: the words of one rule and their consistency. Does not: join keys (``join``) or the
division itself (``model/division``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import reduce
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from attribution_pipeline.model.ledger import SURFACES
from attribution_pipeline.model.policy.matching import Column, Conditions, value_of
from attribution_pipeline.model.strict import EXACT, Name, Number, Strict, Text, nearest, refuse
from attribution_pipeline.model.tokens import KINDS

OPERATION_DRIVERS = ("tokens", "requests", "active_time", "gpu_time")
"""Quantities that an operation has."""
TENANT_DRIVERS = ("cost", "even", "fixed")
"""One recipient for each tenant."""
USAGE_PREFIX = "usage."
"""``usage.<metric>``: quantities of a usage report."""
DRIVERS = (*OPERATION_DRIVERS, *TENANT_DRIVERS, "none")
IDLE_DRIVERS = (*OPERATION_DRIVERS, "cost", "even")
WHOLE = Decimal(100)


def _driver(word: str) -> str:
    if word in DRIVERS or (word.startswith(USAGE_PREFIX) and len(word) > len(USAGE_PREFIX)):
        return word
    raise refuse(f"`{word}` is no driver", nearest(word, (*DRIVERS, "usage.<metric>")))


def _word_of(known: tuple[str, ...], called: str) -> AfterValidator:
    def check(word: str) -> str:
        if word not in known:
            raise refuse(f"`{word}` is no {called}", nearest(word, known))
        return word

    return AfterValidator(check)


def _pattern_with(group: str) -> AfterValidator:
    def check(pattern: str) -> str:
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise refuse(
                f"the regular expression does not compile ({error})", "correct the expression"
            ) from None
        if group not in compiled.groupindex:
            raise refuse(
                f"the regular expression has no group named `{group}`",
                f"mark what to take: (?P<{group}>...)",
            )
        return pattern

    return AfterValidator(check)


Driver = Annotated[str, AfterValidator(_driver)]
Surface = Annotated[str, _word_of(SURFACES, "surface")]
TokenKind = Annotated[str, _word_of(tuple(KINDS), "token kind")]


def _positive(units: dict[str, Decimal]) -> dict[str, Decimal]:
    if not units:
        raise refuse("names no unit", "add the units of the bill: {1000 Tokens: 1000}")
    for unit, tokens in units.items():
        if tokens <= 0:
            raise refuse(f"`{unit}` is {tokens} tokens", "write how many tokens one unit is",
                         at=(unit,))  # fmt: skip
    return units


class ModelPattern(Strict):
    """A model's name, cut out of a charge's column by a regular expression (searched)."""

    from_: Annotated[Column, Field(alias="from", examples=["SkuMeter"])]
    """The column that names the model."""
    pattern: Annotated[Text, _pattern_with("model"), Field(examples=['"^(?P<model>.+)-input$"'])]
    """A regular expression, searched in the value; its group ``(?P<model>...)`` is the model as spans call it.
    A charge in which it finds nothing is not this meter's: the next rule is asked."""


def _kind_of_model(value: object) -> str:
    return "pattern" if isinstance(value, dict | ModelPattern) else "text"


class Meter(Strict):
    """Charges that operations meter: their tokens, by unit, are the slice's quantity. First match wins."""

    match: Annotated[Conditions, Field(examples=['{ServiceName: "Amazon Bedrock"}'])]
    """Which charges."""
    provider: Annotated[Text, Field(examples=["aws.bedrock"])]
    """Provider as spans have it (OpenTelemetry ``gen_ai.provider.name``): ``openai``, ``anthropic``,
    ``aws.bedrock``, ``azure.ai.openai``, ``gcp.vertex_ai``."""
    model: Annotated[
        Annotated[Text, Tag("<text>")] | Annotated[ModelPattern, Tag("<pattern>")],
        Discriminator(lambda value: f"<{_kind_of_model(value)}>"),
        Field(examples=['{from: SkuMeter, pattern: "^(?P<model>.+)-input-tokens$"}']),
    ]
    """The model's name as it stands, where a rule is of one model alone; or where to find it in the charge."""
    token_kind: Annotated[TokenKind, Field(examples=["uncached_input"])]
    """Which tokens of a call the charge is for."""
    tokens_per_unit: Annotated[dict[str, Number], AfterValidator(_positive)] = {
        "Tokens": Decimal(1), "1000 Tokens": Decimal(1000), "1M Tokens": Decimal(1_000_000),
    }  # fmt: skip
    """How many tokens one unit of the bill is, by the unit's name. Of a charge with a ``ConsumedQuantity`` that
    is its ``ConsumedUnit``, of one without its ``PricingUnit``. A name counts as it is written; where none is so
    written, without regard to case. Another unit is refused by name. What is given here replaces the default
    whole."""
    surface: Surface | None = None
    """Rows carry it. Left out, the charge's ServiceCategory says which."""

    def tokens_in(self, unit: str | None) -> Decimal | None:
        """How many tokens one unit of the bill is, None where no name says. A vendor's own files spell one
        unit in two ways (AWS: ``1K tokens``), so case is folded where that leaves one answer."""
        if unit is None:
            return None
        if unit in self.tokens_per_unit:
            return self.tokens_per_unit[unit]
        folded = unit.casefold()
        alike = {
            tokens for name, tokens in self.tokens_per_unit.items() if name.casefold() == folded
        }
        return alike.pop() if len(alike) == 1 else None

    def model_of(self, row: Mapping[str, str | None], tags: Mapping[str, str]) -> str | None:
        """The model that a matched charge bills, None where its column does not say."""
        if isinstance(self.model, str):
            return self.model
        value = value_of(self.model.from_, row, tags)
        found = re.search(self.model.pattern, value) if value is not None else None
        return found["model"] if found else None


class NodeMapping(Strict):
    """From OpenCost's name of a node to the charge column that names the same machine. First match
    wins."""

    from_: Annotated[Literal["provider_id", "node"], Field(alias="from", examples=["provider_id"])]
    """What OpenCost has: the provider's id of the node, or the node's name."""
    pattern: Annotated[Text, _pattern_with("id"), Field(examples=['"(?P<id>i-[0-9a-f]+)$"'])]
    """A regular expression, searched; its group ``(?P<id>...)`` is what the bill calls the machine."""
    to: Column = "ResourceId"
    """The charge's column that equals it: case is folded, and the last segment of a path or ARN answers too."""

    def id_of(self, *, provider_id: str | None, node: str | None) -> str | None:
        """What the bill calls this node, None where the pattern does not say."""
        value = provider_id if self.from_ == "provider_id" else node
        found = re.search(self.pattern, value) if value is not None else None
        return found["id"] if found else None


class Workload(Strict):
    """A Kubernetes workload, by shell patterns; ``controller`` left out means every one of the namespace."""

    namespace: Annotated[Text, Field(examples=["inference"])]
    """A shell pattern, as OpenCost has the name."""
    controller: Text | None = None
    """A shell pattern of the Deployment's (StatefulSet's, ...) name. Left out: all of the namespace."""
    cluster: Text | None = None
    """A shell pattern of the cluster's name. Left out: any."""


class Serving(Strict):
    """Which workload serves a call, where the model server emits no span of its own: the cost of its
    pods then follows these calls. First match wins."""

    server_address: Text | None = None
    """A shell pattern of the address that the caller's span has (``server.address``)."""
    model: Text | None = None
    """A shell pattern of the model's name. At least one of the two is given; both must hold."""
    workload: Annotated[Workload, Field(examples=["{namespace: inference}"])]
    """Whose pods served the call, so that their cost follows it."""

    def model_post_init(self, context: object, /) -> None:
        if self.server_address is None and self.model is None:
            raise refuse("names neither server_address nor model", "add `server_address: ...`")

    def matches(self, *, server_address: str | None, model: str | None) -> bool:
        """Whether a call to ``server_address`` of ``model`` is served by this workload."""
        pairs = ((self.server_address, server_address), (self.model, model))
        return all(
            pattern is None or (value is not None and fnmatchcase(value, pattern))
            for pattern, value in pairs
        )


class Idle(Strict):
    """Who pays for what no pod used: divided by a driver, or kept visible."""

    driver: Annotated[str, _word_of(IDLE_DRIVERS, "driver of idle")] | None = None
    """Divides it: a driver of operations over those on the pods beside it, or ``cost``, ``even`` over tenants."""
    within: Literal["node", "cluster"] = "node"
    """Over the operations of the node's pods, or of all of its cluster's."""
    keep: Literal["visible"] | None = None
    """Instead of a driver: it stays in rows of its own that nobody pays, component ``idle``, reason ``no_driver``,
    and counts as unallocated."""

    def model_post_init(self, context: object, /) -> None:
        if (self.driver is None) == (self.keep is None):
            raise refuse("needs either a driver or `keep: visible`", "write one of the two")


class Pool(Strict):
    """Charges that no meter took, and the driver that divides them. First match wins."""

    name: Annotated[Name, Field(examples=["vectors"])]
    """Rows carry it; no two pools share one."""
    match: Annotated[Conditions, Field(examples=['{ServiceName: "Pinecone"}'])]
    """Which charges."""
    surface: Surface | None = None
    """Rows carry it. Left out: ``kubernetes`` with a split, else as the charge's ServiceCategory says."""
    split: Literal["opencost"] | None = None
    """``opencost``: a charge of a node is divided to its pods and to idle as OpenCost measured, then a pod's part
    by the driver over the operations that it worked for. Left out: the driver divides the charge itself."""
    component: Literal["shared", "overhead"] = "shared"
    """When it is divided: with what many share, or after everything else. Rows carry it. ``cost`` and ``even``
    look at what was divided before: in a shared pool that is meters alone. A fee on all costs is overhead."""
    driver: Annotated[Driver, Field(examples=["cost"])]
    """By what. With a split: a driver of operations, or ``none``."""
    fixed: dict[str, Number] = {}
    """For ``driver: fixed``: percentages by tenant that total exactly 100."""
    idle: Idle | None = None
    """With a split: who pays for what no pod used. Left out, it stays visible."""
    over_allocation: Literal["show", "scale"] = "show"
    """With a split, where OpenCost gives pods more than the node: negative idle, or pods scaled down to the node."""
    within: Literal["account", "all"] = "account"
    """For ``driver: cost``: over costs of the charge's own billing account, or of all with its currency."""
    tagged: Literal["first"] | None = None
    """``first``: a charge whose own tag (``join.tenant_tag``) names a tenant goes there before the driver is asked."""

    @model_validator(mode="after")
    def _consistent(self) -> Pool:
        if self.split is None:
            for key in ("idle", "over_allocation"):
                if key in self.model_fields_set:
                    raise refuse(f"`{key}` needs `split: opencost`",
                                 "add the split or remove the key", at=(key,))  # fmt: skip
        else:
            if self.component == "overhead":
                raise refuse("a split pool cannot be overhead", "remove one of the two",
                             at=("component",))  # fmt: skip
            if self.driver not in (*OPERATION_DRIVERS, "none"):
                raise refuse(
                    f"a pod's cost cannot follow `{self.driver}`",
                    f"use one of: {', '.join(OPERATION_DRIVERS)}, none", at=("driver",),
                )  # fmt: skip
        self._check_fixed()
        return self

    def _check_fixed(self) -> None:
        if self.driver != "fixed":
            if "fixed" in self.model_fields_set:
                raise refuse(f"`fixed` needs `driver: fixed`, not {self.driver}",
                             "change the driver or remove the key", at=("fixed",))  # fmt: skip
            return
        if not self.fixed:
            raise refuse("driver `fixed` needs percentages by tenant",
                         "add `fixed: {acme: 60, globex: 40}`", at=("driver",))  # fmt: skip
        for tenant, share in self.fixed.items():
            if share <= 0:
                raise refuse(
                    f"`{tenant}` gets {share} percent",
                    "give it more than 0 or leave it out",
                    at=("fixed", tenant),
                )
        total = reduce(EXACT.add, self.fixed.values())
        if total != WHOLE:
            raise refuse(f"percentages total {total}", "they must total exactly 100",
                         at=("fixed",))  # fmt: skip
