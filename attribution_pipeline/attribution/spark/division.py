"""Whole-number division on Spark, exact or refused.

Belongs here: ``//`` for 64 bits and for 128. Does not: which of the two an expression needs
(``dialect``).

Spark's ``div`` on decimals computes in 128 bits and gives a bigint: what does not fit wraps without a
word, ANSI mode or not. Its ``/`` rounds at a scale that it derives from both operands. Its ``%`` is
exact. So wide numbers are divided in lots of 19 digits, and each lot's ``/`` divides a multiple of
the divisor, whose quotient is whole. Spark's decimals end at 38 digits, hugeint a little later: what
is larger is an arithmetic error, as an overflow of hugeint is in DuckDB.
"""

from __future__ import annotations

WIDE = "decimal(38, 0)"
"""Spark's type for hugeint."""

DIVISOR = "decimal(19, 0)"
"""What wide numbers are divided by: no more digits than a bigint, so no lot's quotient has above 20."""

LOT = "cast('10000000000000000000' as decimal(20, 0))"
"""10^19."""


def narrow(dividend: str, divisor: str) -> str:
    """``dividend // divisor`` of bigints. A cast of what is not one is an error, never a wrap."""
    return f"(cast({dividend} as bigint) div cast({divisor} as bigint))"


def wide(dividend: str, divisor: str) -> str:
    """``dividend // divisor`` truncated toward zero, of up to 38 digits by up to 19.

    With ``dividend = high x 10^19 + low``, all of one sign: ``high // d x 10^19 + (high % d x 10^19 +
    low) // d``. Needs ``spark.sql.decimalOperations.allowPrecisionLoss`` off: then (38,0) by (20,0)
    has room for 28 digits before the point, and no lot's quotient has more than 20. A lambda binds
    what would else be written a dozen times.
    """
    high = _whole("x.a", LOT)
    quotient = _bound(
        {"a": f"cast({dividend} as {WIDE})", "d": f"cast({divisor} as {DIVISOR})"},
        _bound(
            {"d": "x.d", "high": high, "low": f"x.a % {LOT}"},
            _bound(
                {
                    "first": _whole("x.high", "x.d"),
                    "rest": f"cast((x.high % x.d) * {LOT} + x.low as {WIDE})",
                    "d": "x.d",
                },
                f"cast(x.first * {LOT} + {_whole('x.rest', 'x.d')} as {WIDE})",
            ),
        ),
    )
    return f"cast({quotient} as {WIDE})"


def _whole(dividend: str, divisor: str) -> str:
    """One lot: what ``/`` divides is a multiple of the divisor, so its quotient has no fraction."""
    return f"cast(({dividend} - {dividend} % {divisor}) / {divisor} as {WIDE})"


def _bound(values: dict[str, str], expression: str) -> str:
    """``expression`` with ``x.name`` for each value."""
    fields = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return f"element_at(transform(array(named_struct({fields})), x -> {expression}), 1)"
