"""Models that a day's bill and its calls name apart: charges without a call, calls without a charge.

Belongs here: holding the two planes' names against each other, by provider. Does not: which day is asked
(``orchestration.unmet_models``), how it reads (``views.unmet_models``), the division of a meter (``meters``).

A bill's name for a model (``USE1-NovaPro``) and a call's (``amazon.nova-pro-v1:0``) have nothing in common
that could be computed: whoever writes the policy says that they are one. Both lists are what to say it of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from attribution_pipeline.attribution.matching import assign, columns_read

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.model.policy import Policy


class Unmet(NamedTuple):
    """Of one provider, models in order of their names: billed and not called, called and not billed."""

    provider: str
    billed: tuple[str, ...]
    called: tuple[str, ...]


def unmet_models(
    db: Session,
    policy: Policy,
    *,
    charges: Sequence[str],
    operations: Callable[[], Sequence[str]],
    seen: Collection[tuple[str, str]] = (),
) -> list[Unmet]:
    """Providers of which both planes name models that the other lacks, on one day's files. One list alone
    has another reason: spans that are missing, or a model that nobody bills.

    ``seen``: (provider, model) of which calls are known. Only where another is billed are ``operations``
    asked for their files: they are the large plane, and where storage is a bucket they must be fetched.
    """
    billed = _billed(db, policy, charges)
    if all((provider, model) in seen for provider in billed for model in billed[provider]):
        return []
    called = _called(db, operations())
    found = [
        Unmet(
            provider,
            tuple(sorted(billed[provider] - called[provider])),
            tuple(sorted(called[provider] - billed[provider])),
        )
        for provider in sorted(billed)
    ]
    return [one for one in found if one.billed and one.called]


def _billed(db: Session, policy: Policy, charges: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    columns = sorted(columns_read(policy))
    db.view("charges_named", charges)
    listed = ", ".join(f'"{column}"' for column in columns)
    for values in db.rows(
        f"select distinct {listed} from charges_named where not outside_range order by all"
    ):
        taken = assign(dict(zip(columns, values, strict=True)), policy, outside_range=False)
        if taken.kind == "meter":
            found[taken.provider or ""].add(taken.model or "")
    return found


def _called(db: Session, operations: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    db.view("operations_named", operations)
    for provider, model in db.rows(
        "select distinct provider, model from operations_named "
        "where ends_today and metered and provider is not null and model is not null order by all"
    ):
        found[provider].add(model)
    return found
