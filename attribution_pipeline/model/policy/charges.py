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
    pattern: Annotated[Text, _pattern_with("model"), Field(examples=['"^(?P<model>.+)-input$"'])]


def _kind_of_model(value: object) -> str:
    return "pattern" if isinstance(value, dict | ModelPattern) else "text"


class Meter(Strict):
    """Charges that operations meter: their tokens, by unit, are the slice's quantity."""

    match: Annotated[Conditions, Field(examples=['{ServiceName: "Amazon Bedrock"}'])]
    provider: Annotated[Text, Field(examples=["aws.bedrock"])]
    model: Annotated[
        Annotated[Text, Tag("<text>")] | Annotated[ModelPattern, Tag("<pattern>")],
        Discriminator(lambda value: f"<{_kind_of_model(value)}>"),
        Field(examples=['{from: SkuMeter, pattern: "^(?P<model>.+)-input-tokens$"}']),
    ]
    token_kind: Annotated[TokenKind, Field(examples=["uncached_input"])]
    tokens_per_unit: Annotated[dict[str, Number], AfterValidator(_positive)] = {
        "Tokens": Decimal(1), "1000 Tokens": Decimal(1000), "1M Tokens": Decimal(1_000_000),
    }  # fmt: skip
    surface: Surface | None = None

    def model_of(self, row: Mapping[str, str | None], tags: Mapping[str, str]) -> str | None:
        """The model that a matched charge bills, None where its column does not say."""
        if isinstance(self.model, str):
            return self.model
        value = value_of(self.model.from_, row, tags)
        found = re.search(self.model.pattern, value) if value is not None else None
        return found["model"] if found else None


class NodeMapping(Strict):
    """From OpenCost's name of a node to the charge column that names the same machine."""

    from_: Annotated[Literal["provider_id", "node"], Field(alias="from", examples=["provider_id"])]
    pattern: Annotated[Text, _pattern_with("id"), Field(examples=['"(?P<id>i-[0-9a-f]+)$"'])]
    to: Column = "ResourceId"

    def id_of(self, *, provider_id: str | None, node: str | None) -> str | None:
        """What the bill calls this node, None where the pattern does not say."""
        value = provider_id if self.from_ == "provider_id" else node
        found = re.search(self.pattern, value) if value is not None else None
        return found["id"] if found else None


class Workload(Strict):
    """A Kubernetes workload; ``controller`` left out means every one of the namespace."""

    namespace: Annotated[Text, Field(examples=["inference"])]
    controller: Text | None = None
    cluster: Text | None = None


class Serving(Strict):
    """Whose work a model server does, where it emits no server span. Shell patterns."""

    server_address: Text | None = None
    model: Text | None = None
    workload: Annotated[Workload, Field(examples=["{namespace: inference}"])]

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
    within: Literal["node", "cluster"] = "node"
    keep: Literal["visible"] | None = None

    def model_post_init(self, context: object, /) -> None:
        if (self.driver is None) == (self.keep is None):
            raise refuse("needs either a driver or `keep: visible`", "write one of the two")


class Pool(Strict):
    """Charges that no meter took, and the driver that divides them."""

    name: Annotated[Name, Field(examples=["vectors"])]
    match: Annotated[Conditions, Field(examples=['{ServiceName: "Pinecone"}'])]
    surface: Surface | None = None
    split: Literal["opencost"] | None = None
    component: Literal["shared", "overhead"] = "shared"
    driver: Annotated[Driver, Field(examples=["cost"])]
    fixed: dict[str, Number] = {}
    idle: Idle | None = None
    over_allocation: Literal["show", "scale"] = "show"
    within: Literal["account", "all"] = "account"
    tagged: Literal["first"] | None = None

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
