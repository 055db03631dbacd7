"""Phase 1: charges that operations meter, divided over them by their tokens.

Belongs here: which operations and which charges make a slice, billed and seen tokens, coverage.
Does not: the division (``kernel``, ``sql/phases/meter_parts.sql``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.kernel import WEIGHT_BOUND, part
from attribution_pipeline.attribution.matching import Assignment
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.money import parse_decimal
from attribution_pipeline.model.tokens import KINDS

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

_EXACT = Context(prec=120)


class Route(NamedTuple):
    """What both planes say of where a call was billed."""

    account: str | None
    region: str | None


class SliceKey(NamedTuple):
    """One body of evidence. ``account`` and ``region`` are null where a plane lacks them."""

    provider: str
    model: str
    token_kind: str
    account: str | None
    region: str | None


@dataclass
class Slice:
    """A meter slice with its quantities, in tokens."""

    key: SliceKey
    billed_tokens: int | None = None
    seen: int = 0
    largest: int = 0

    @property
    def denominator(self) -> int:
        """max(Q, E); E alone where Q is null or not positive."""
        if self.billed_tokens is None or self.billed_tokens <= 0:
            return self.seen
        return max(self.billed_tokens, self.seen)

    @property
    def priced_over(self) -> int:
        """What list cost is divided over: the tokens that it was quoted for."""
        if self.billed_tokens is None or self.billed_tokens <= 0:
            return self.seen
        return self.billed_tokens

    @property
    def coverage(self) -> Fraction | None:
        """Tokens seen over tokens billed, None where nothing says what was billed."""
        if self.billed_tokens is None or self.billed_tokens <= 0:
            return None
        return Fraction(self.seen, self.billed_tokens)

    def is_within(self, policy: Policy) -> bool:
        """Whether coverage is within the policy's tolerance."""
        low, high = policy.tolerance.telemetry_coverage
        return self.coverage is not None and Fraction(low) <= self.coverage <= Fraction(high)


def divide_meters(db: Session, policy: Policy, assignments: Sequence[Assignment]) -> list[Slice]:
    """Rows of every metered charge; the slices, for coverage."""
    slices = form_slices(db, policy, assignments)
    weigh(db, slices)
    count_billed_tokens(db, policy, assignments, slices)
    load_slices(db, policy, slices)
    take_parts(db, policy, "meter_weights", "meter_parts")
    db.run("phases/meter_rows", int=db.integer)
    db.run("phases/meter_requests", parts="meter_parts")
    db.run("phases/meter_rests", int=db.integer)
    leave_open(db, policy)
    return slices


def take_parts(db: Session, policy: Policy, weights: str, parts: str) -> None:
    """Table ``parts``: what the operations of table ``weights`` have of each charge of theirs."""
    rolls_up = policy.join.direction == "roll_up_operations"
    billed, effective = ("p.list", "p.list") if rolls_up else ("p.billed", "p.effective")
    denominator = f"cast({'s.priced_over' if rolls_up else 's.denominator'} as {db.integer})"
    db.run(
        "phases/meter_parts",
        int=db.integer,
        weights=weights,
        parts=parts,
        billed_part=part(billed, "w.weight", denominator),
        effective_part=part(effective, "w.weight", denominator),
    )


def leave_open(db: Session, policy: Policy) -> None:
    """Rows of ``meter_rests`` that stay open; under ``evidence_gap: spread`` the gaps wait."""
    db.run(
        "phases/meter_open",
        rolls_up=str(policy.join.direction == "roll_up_operations").lower(),
        spread=str(policy.evidence_gap == "spread").lower(),
    )


Billed = Mapping[tuple[str, str, str], Sequence[tuple[int, Route]]]
"""Portions with their routes, by provider, model and token kind."""

Seen = Mapping[tuple[str, str, str], Collection[Route]]
"""Routes of operations with such tokens, by the same."""


def form_slices(db: Session, policy: Policy, assignments: Sequence[Assignment]) -> list[Slice]:
    """``meter_portions`` and ``routes``: charges and operations with the slice they belong to."""
    billed = billed_routes(db, assignments)
    seen = routes_seen(db, billed).get(ALL, {})
    return load_routes(db, policy, billed, seen, portions="meter_portions", routes="routes")


def billed_routes(db: Session, assignments: Sequence[Assignment]) -> Billed:
    """What is billed by the token, and along which routes."""
    meters = {number: found for number, found in enumerate(assignments) if found.kind == "meter"}
    billed = defaultdict(list)
    for portion_id, assignment_id, account, region in db.rows(
        "select portion_id, assignment_id, account, region from portions order by portion_id"
    ):
        if assignment_id in meters:
            found = meters[assignment_id]
            key = (found.provider or "", found.model or "", found.token_kind or "")
            billed[key].append((portion_id, Route(account, region)))
    return billed


def load_routes(
    db: Session, policy: Policy, billed: Billed, seen: Seen, *, portions: str, routes: str
) -> list[Slice]:
    """The slices; tables ``portions`` and ``routes``, of the charges and operations in each."""
    import pyarrow as pa

    slices: list[Slice] = []
    portion_rows: list[tuple[int, int]] = []
    route_rows: list[tuple[object, ...]] = []
    for key in sorted(billed):
        for route, charged, called in split_by_route(
            billed[key], seen.get(key, ()), policy.join.route_keys
        ):
            if charged:
                number = len(slices)
                slices.append(Slice(SliceKey(*key, *route)))
                portion_rows += [(portion_id, number) for portion_id in charged]
                route_rows += [(*key, *found, number) for found in called]
    columns = list(zip(*portion_rows, strict=True)) or [(), ()]
    db.load(
        portions,
        pa.table(
            {
                "portion_id": pa.array(columns[0], pa.int64()),
                "slice_id": pa.array(columns[1], pa.int64()),
            }
        ),
    )
    names = ("provider", "model", "token_kind", "account", "region")
    columns = list(zip(*route_rows, strict=True)) or [()] * 6
    db.load(
        routes,
        pa.table(
            {
                **{name: pa.array(columns[i], pa.string()) for i, name in enumerate(names)},
                "slice_id": pa.array(columns[5], pa.int64()),
            }
        ),
    )
    return slices


def split_by_route(
    portions: Sequence[tuple[int, Route]], operations: Iterable[Route], route_keys: Sequence[str]
) -> list[tuple[Route, list[int], list[Route]]]:
    """Charges and operations of one provider, model and token kind, by account, then region.

    A key is used where every charge and every operation at that level has one: an operation that
    doesn't say its region may have been billed in any, so it joins the regions into one slice.
    """
    groups = [(Route(None, None), list(portions), sorted(set(operations), key=_sortable))]
    for name in ("account", "region"):
        if name not in route_keys:
            continue
        finer = []
        for route, charged, called in groups:
            everything = [getattr(found, name) for _, found in charged]
            everything += [getattr(found, name) for found in called]
            if any(value is None for value in everything):
                finer.append((route, charged, called))
                continue
            finer += [
                (
                    route._replace(**{name: value}),
                    [entry for entry in charged if getattr(entry[1], name) == value],
                    [found for found in called if getattr(found, name) == value],
                )
                for value in sorted(set(everything))
            ]
        groups = finer
    return [
        (route, [portion_id for portion_id, _ in charged], called)
        for route, charged, called in groups
    ]


def _sortable(route: Route) -> tuple[str, str]:
    return (route.account or "", route.region or "")


ALL = "all"


def routes_seen(
    db: Session, billed: Billed, ops: str = "ops", side: str = f"'{ALL}'"
) -> dict[str, dict[tuple[str, str, str], set[Route]]]:
    """Routes of operations ``ops`` that have tokens of a kind that is billed, by the value of ``side``."""
    kinds = sorted({kind for _, _, kind in billed})
    seen: dict[str, dict[tuple[str, str, str], set[Route]]] = {}
    if not kinds:
        return seen
    has = ", ".join(f"bool_or({_tokens(kind)} > 0)" for kind in kinds)
    for where, provider, model, account, region, *found in db.rows(
        f"select {side} as side, provider, model, account, region, {has} from {ops} "
        "where ends_today and metered and provider is not null and model is not null "
        "group by 1, provider, model, account, region order by all"
    ):
        of_side = seen.setdefault(where, defaultdict(set))
        for kind, has_any in zip(kinds, found, strict=True):
            if has_any:
                of_side[provider, model, kind].add(Route(account, region))
    return seen


def _tokens(kind: str) -> str:
    return "(" + " + ".join(f"coalesce({bucket}, 0)" for bucket in KINDS[kind]) + ")"


def weight(kind: str) -> str:
    """An operation's tokens of a kind, times its adjusted count, as SQL."""
    return adjusted(_tokens(kind))


def adjusted(quantity: str) -> str:
    """A quantity of an operation for all the calls that a sampled one stands for, rounded half up."""
    return (
        f"case when counted = of_sampled then {quantity} else cast("
        f"(cast({quantity} as hugeint) * counted * 2 + of_sampled) // (cast(of_sampled as hugeint) * 2)"
        f" as bigint) end"
    )


def weigh(db: Session, slices: Sequence[Slice]) -> None:
    """``meter_weights`` (slice, operation, weight), and what each slice has seen."""
    load_weights(db, slices, ops="ops", routes="routes", weights="meter_weights")
    for number, seen, largest in db.rows(
        "select slice_id, cast(sum(weight) as hugeint), max(weight) from meter_weights group by 1"
    ):
        slices[number].seen, slices[number].largest = int(seen), int(largest)


def load_weights(
    db: Session, slices: Sequence[Slice], *, ops: str, routes: str, weights: str
) -> None:
    """Table ``weights`` (slice, operation, weight) of operations ``ops`` that go along ``routes``."""
    kinds = sorted({found.key.token_kind for found in slices})
    if not kinds:
        db.execute(f"create table {weights} (slice_id bigint, op_id bigint, weight bigint)")
        return
    tokens = ", ".join(f"{weight(kind)} as {kind}" for kind in kinds)
    of_kind = " ".join(f"when '{kind}' then o.{kind}" for kind in kinds)
    db.execute(
        f"""
        create table {weights} as
        select slice_id, op_id, weight
        from (
            select r.slice_id, o.op_id, case r.token_kind {of_kind} end as weight
            from (
                select op_id, provider, model, account, region, {tokens}
                from {ops} where ends_today and metered
            ) o
            join {routes} r on r.provider = o.provider and r.model = o.model
                and coalesce(r.account, chr(30)) = coalesce(o.account, chr(30))
                and coalesce(r.region, chr(30)) = coalesce(o.region, chr(30))
        ) w
        where weight > 0
        """
    )


def count_billed_tokens(
    db: Session, policy: Policy, assignments: Sequence[Assignment], slices: Sequence[Slice]
) -> None:
    """Q: summed exactly over the slice's Usage lines, rounded half-even once."""
    sums: dict[int, Decimal] = {}
    for slice_id, assignment_id, consumed, consumed_unit, priced, pricing_unit, sku in db.rows(
        """
        select mp.slice_id, p.assignment_id, l.consumed_quantity, l.ConsumedUnit,
               l.pricing_quantity, l.PricingUnit, l.SkuMeter
        from lines l
        join matched m on m.match_key = l.match_key
        join portions p on p.charge_id = l.charge_id and p.assignment_id = m.assignment_id
            and p.tag_set = l.tag_set
        join meter_portions mp on mp.portion_id = p.portion_id
        where l.ChargeCategory = 'Usage' and l.ChargeClass is null
          and coalesce(l.CommitmentDiscountStatus, '') <> 'Unused'
        """
    ):
        quantity, unit = (
            (consumed, consumed_unit) if consumed is not None else (priced, pricing_unit)
        )
        if quantity is None:
            continue
        meter = policy.meters[assignments[assignment_id].meter]
        per_unit = meter.tokens_in(unit)
        if per_unit is None:
            raise Refusal(
                f"a charge of {sku or slices[slice_id].key.model} is billed by "
                f"{unit!r}, which its meter does not convert",
                where=f"policy {policy.policy} version {policy.version}, meter "
                f"{assignments[assignment_id].meter + 1}",
                remedy=f"add the unit to tokens_per_unit (it knows {', '.join(meter.tokens_per_unit)})",
            )
        tokens = _EXACT.multiply(parse_decimal(quantity), Decimal(per_unit))
        sums[slice_id] = _EXACT.add(sums.get(slice_id, Decimal(0)), tokens)
    for slice_id, total in sums.items():
        slices[slice_id].billed_tokens = int(total.to_integral_value(rounding=ROUND_HALF_EVEN))


def load_slices(db: Session, policy: Policy, slices: Sequence[Slice]) -> None:
    """``meter_slices``: quantities of each slice, and whether its coverage is within tolerance."""
    import pyarrow as pa

    for found in slices:
        if found.denominator * found.largest >= WEIGHT_BOUND:
            raise Refusal(
                f"tokens of slice {' / '.join(str(part) for part in found.key if part)} are too "
                f"many for 64-bit division ({found.denominator} x {found.largest})",
                remedy="meter it by account or region, so that its days are smaller",
            )
    wide = pa.decimal128(38, 0)
    table = pa.table(
        {
            "slice_id": pa.array(range(len(slices)), pa.int64()),
            "billed_tokens": pa.array([_decimal(s.billed_tokens) for s in slices], wide),
            "seen": pa.array([_decimal(s.seen) for s in slices], wide),
            "denominator": pa.array([_decimal(s.denominator) for s in slices], wide),
            "priced_over": pa.array([_decimal(s.priced_over) for s in slices], wide),
            "within_tolerance": pa.array([s.is_within(policy) for s in slices], pa.bool_()),
        }
    )
    db.load("loaded_slices", table)
    db.execute(
        "create table meter_slices as select slice_id, cast(billed_tokens as hugeint) as billed_tokens,"
        " cast(seen as hugeint) as seen, cast(denominator as hugeint) as denominator,"
        " cast(priced_over as hugeint) as priced_over, within_tolerance from loaded_slices"
    )


def _decimal(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)
