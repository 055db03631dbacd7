"""Meters again: tokens to weights, the bill's quantity, parts, the rest.

Belongs here: divisions of kind ``meter``. Does not: shares and nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from fractions import Fraction

from .arithmetic import part, quanta, rounded
from .failure import CONSERVATION, RECOMPUTATION, Failed
from .pieces import Piece, Request, tokens
from .records import COSTS, Amounts, Day, Record, who_of

TOKENS_PER_UNIT = {"Tokens": 1, "1000 Tokens": 1000, "1M Tokens": 1_000_000}
"""Where a meter of the policy names no units."""
COVERAGE = ("0.98", "1.02")
"""Where the policy names no tolerance: tokens seen over tokens billed."""


def meter(day: Day, division: Record) -> Iterator[Piece | Request]:
    """The tenant's parts of every charge of one slice."""
    weights = {key: int(weight) for key, weight in division["mine"]}
    for key, weight in weights.items():
        operation = day.operation(key)
        if tokens(operation, division["token_kind"]) != weight or not operation["ends_today"]:
            raise Failed(RECOMPUTATION, f"{_name(day, division)}: {key} does not weigh {weight}")
        if any(operation[name] != division[name] for name in ("provider", "model")):
            raise Failed(RECOMPUTATION, f"{_name(day, division)}: {key} is of another slice")
    others = [(int(weight), int(count)) for _, weight, count in division["others"]]
    seen = sum(weights.values()) + sum(weight for weight, _ in others)
    if seen != int(division["seen"]):
        raise Failed(
            RECOMPUTATION,
            f"{_name(day, division)}: weights sum to {seen}, the slice says {division['seen']}",
        )
    billed = billed_tokens(day, division)
    said = division.get("billed_tokens")
    if billed != (None if said is None else int(said)):
        raise Failed(
            RECOMPUTATION, f"{_name(day, division)}: the bill's lines give {billed} tokens"
        )
    denominator = seen if billed is None or billed <= 0 else max(billed, seen)
    over = denominator
    if rolls_up(day):
        over = seen if billed is None or billed <= 0 else billed
    for charge in division["charges"]:
        amounts = to_divide(day, charge["part"])
        own = {key: _parts(amounts, weight, over) for key, weight in weights.items()}
        _require_others(day, division, charge, amounts, others, over)
        _require_sum(day, charge, own.values())
        for key, found in own.items():
            if any(found):
                kind = division["token_kind"]
                yield Request(charge["part"], key, "direct", kind, weights[key], found)
        is_within = billed is not None and billed > 0 and _is_within(day, seen, billed)
        yield from _pieces(day, division, charge["part"], own, weights, denominator, is_within)


def rolls_up(day: Day) -> bool:
    """Whether operations are priced at list price, and the gap to the bill is shown."""
    return bool(day.policy.get("join", {}).get("direction") == "roll_up_operations")


def to_divide(day: Day, number: int) -> Amounts:
    """A part's amounts, as its operations are priced."""
    found = day.parts[number]
    names = ("list_cost", "list_cost") if rolls_up(day) else COSTS
    return quanta(found[names[0]]), quanta(found[names[1]])


def billed_tokens(day: Day, division: Record) -> int | None:
    """Q: the quantities of the slice's Usage lines in tokens, summed exactly, rounded once."""
    sums: list[Fraction] = []
    for charge in division["charges"]:
        found = day.parts[charge["part"]]
        meters = day.policy.get("meters", ())
        units = meters[found["meter"]].get("tokens_per_unit", TOKENS_PER_UNIT)
        for line in day.lines_of_part[charge["part"]]:
            if line.get("ChargeCategory") != "Usage" or line.get("ChargeClass") is not None:
                continue
            if line.get("CommitmentDiscountStatus") == "Unused":
                continue
            for column, unit in (("consumed_quantity", "ConsumedUnit"),
                                 ("pricing_quantity", "PricingUnit")):  # fmt: skip
                if line.get(column) is not None:
                    per_unit = tokens_in(units, line.get(unit))
                    if per_unit is None:
                        raise Failed(RECOMPUTATION, f"{_name(day, division)}: a line has no unit")
                    sums.append(Fraction(line[column]) * per_unit)
                    break
    return rounded(sum(sums, Fraction(0))) if sums else None


def tokens_in(units: Record, unit: str | None) -> Fraction | None:
    """Tokens of one unit: by its name as written, else without regard to case where that leaves one."""
    if unit is None:
        return None
    if unit in units:
        return Fraction(units[unit])
    alike = {Fraction(said) for name, said in units.items() if name.casefold() == unit.casefold()}
    return alike.pop() if len(alike) == 1 else None


def _is_within(day: Day, seen: int, billed: int) -> bool:
    said = day.policy.get("tolerance", {}).get("telemetry_coverage", COVERAGE)
    low, high = (Fraction(bound) for bound in said)
    return low <= Fraction(seen, billed) <= high


def _parts(amounts: Amounts, weight: int, denominator: int) -> Amounts:
    return part(amounts[0], weight, denominator), part(amounts[1], weight, denominator)


def _pieces(
    day: Day,
    division: Record,
    number: int,
    own: dict[str, Amounts],
    weights: dict[str, int],
    denominator: int,
    is_within: bool,
) -> Iterator[Piece]:
    groups = defaultdict(list)
    for key in own:
        operation = day.operation(key)
        groups[who_of(operation), operation.get("operation_name")].append(key)
    for (who, name), keys in groups.items():
        is_estimated = any(day.operation(key)["counted"] != day.operation(key)["of_sampled"]
                           for key in keys)  # fmt: skip
        yield Piece(
            "meter", number, "direct", "own", "operations", "meter", who,
            (sum(own[key][0] for key in keys), sum(own[key][1] for key in keys)),
            "metered" if is_within and not is_estimated else "estimated",
            operation_name=name, model=division["model"], token_kind=division["token_kind"],
            driver="tokens", unit="tokens", quantity=sum(weights[key] for key in keys),
            total=denominator,
        )  # fmt: skip


def _require_others(
    day: Day,
    division: Record,
    charge: Record,
    amounts: Amounts,
    others: list[tuple[int, int]],
    denominator: int,
) -> None:
    """Others' parts were truncated call by call, so a sum of n of them lacks less than n quanta."""
    for (weight, count), found in zip(others, charge["others"], strict=True):
        for of, text in zip(amounts, found, strict=True):
            size = quanta(text) if of >= 0 else -quanta(text)
            if not 0 <= abs(of) * weight - size * denominator < count * denominator:
                raise Failed(
                    RECOMPUTATION,
                    f"{_name(day, division)}: weight {weight} of {denominator} is not {text}",
                )


def _require_sum(day: Day, charge: Record, own: Iterable[Amounts]) -> None:
    found, parts = day.parts[charge["part"]], list(own)
    for n, cost in enumerate(COSTS):
        total = sum(amounts[n] for amounts in parts)
        total += sum(quanta(texts[n]) for texts in charge["others"]) + quanta(charge["rest"][n])
        if total != quanta(found[cost]):
            raise Failed(
                CONSERVATION,
                f"{day.day}: parts and rest of charge {found['charge']['charge_id']} are not its "
                f"{cost}",
            )


def _name(day: Day, division: Record) -> str:
    words = (division.get(name) for name in ("provider", "model", "token_kind"))
    return f"{day.day}: meter {' / '.join(str(word) for word in words if word)}"
