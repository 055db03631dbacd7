"""What a world is made of: its names and its calendar."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline_tests.worlds.dice import Dice

TENANTS = ("acme", "bolt", "corvid", "delta-9", "éclair", "fjord.io")
ALIASES = {"Acme-Inc": "acme", "BOLT": "bolt"}
WORKFLOWS = (None, "search", "digest", "agent")
FEATURES = (None, None, "chat", "mail")
PROVIDERS = ("aws.bedrock", "aws.bedrock", "aws.bedrock", "openai", "vllm")
MODELS = ("claude", "nova")
CLUSTERS = ("east", "west")

# how often a world has what is rare outside
EMPTY_TAGS = 0.1
MOVED_PODS = 0.15
SAME_NODE_TWICE = 0.05
LOST_ASSETS = 0.05


def instant(day: date, seconds: float = 0) -> datetime:
    """UTC midnight of a day and so many seconds on."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds)


def month_of(day: date) -> tuple[date, date]:
    """First day of the month and of the next."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


@dataclass
class Setting:
    """The names that one world's bill, spans, cluster and policy share."""

    dice: Dice
    day: date
    first_day: date
    accounts: list[str]
    sub_accounts: list[str | None]
    regions: list[str | None]
    currencies: list[str]
    tenants: list[str]
    clusters: list[str]
    unique: dict[str, int] = field(default_factory=dict)

    def fresh(self, prefix: str) -> str:
        """A name not given before."""
        self.unique[prefix] = self.unique.get(prefix, 0) + 1
        return f"{prefix}-{self.unique[prefix]}"

    def tenant(self, unknown: float = 0.15) -> str | None:
        """A tenant as some source spells it, or none."""
        if self.dice.chance(unknown):
            return None
        if self.dice.chance(0.1):
            return self.dice.pick(list(ALIASES))
        return self.dice.pick(self.tenants)

    def who(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant(),
            "workflow_id": self.dice.pick(WORKFLOWS),
            "feature": self.dice.pick(FEATURES),
            "environment": self.dice.pick((None, None, None, "prod")),
        }


def setting(dice: Dice) -> Setting:
    day = date(2026, 3, 1) + timedelta(days=dice.randrange(60))
    before = dice.pick((0, 0, 1, 3, 40))
    accounts = ["payer-1", "payer-2"][: dice.pick((1, 1, 2))]
    return Setting(
        dice=dice,
        day=day,
        first_day=day - timedelta(days=before),
        accounts=accounts,
        sub_accounts=dice.pick(([None], ["sub-1"], ["sub-1", "sub-2"], ["sub-1", None])),
        regions=dice.pick((["eu"], ["eu", "us"], ["eu", None], [None])),
        currencies=dice.pick((["USD"], ["USD"], ["USD", "EUR"])),
        tenants=list(TENANTS[: dice.randint(1, len(TENANTS))]),
        clusters=list(CLUSTERS[: dice.pick((1, 1, 2))]),
    )


def landed(table: str, source: str, **values: Any) -> dict[str, Any]:
    """A landed record; what is not given is null."""
    columns = SCHEMAS[table].names
    assert not set(values) - set(columns), set(values) - set(columns)
    return {
        "source": source,
        **dict.fromkeys(columns),
        "object_id": f"{table}-of-{source}",
    } | values
