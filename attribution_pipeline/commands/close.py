"""``attribution close``: says that a billing period is closed, or open again.

Belongs here: the command, what it refuses, what it says about what follows. Does not: what a close
record is (``sources.closes``), what it settles (``attribution.closes``), landing it.
"""

from __future__ import annotations

import getpass
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attribution_pipeline.commands.log_lines import log_line
from attribution_pipeline.commands.options import Config
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.attribution.closes import BilledPeriod
    from attribution_pipeline.buckets import Bucket
    from attribution_pipeline.config import Deployment
    from attribution_pipeline.orchestration.closing import Moved

NAME_DIGEST_DIGITS = 8
"""Two records of one microsecond have names of their own."""

PERIODS_NAMED = 12

CLOSED_BY = {
    "close_record": "a close record",
    "billing_period": "the issuer's BillingPeriod dataset",
    "invoices": "its invoices",
}
"""How `attribution.closes` says what closes a period, for people."""

_PERIOD = re.compile(r"^\d{4}-\d{2}(-\d{2})?$", re.ASCII)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("close", short_help="Close a billing period")(close)


def close(
    issuer: Annotated[str, typer.Option(metavar="I", help="InvoiceIssuerName, as billed.")],
    period: Annotated[
        str, typer.Option(metavar="P", help="Billing period: YYYY-MM, or its first day.")
    ],
    account: Annotated[
        str | None,
        typer.Option(metavar="A", help="BillingAccountId. Default: every account of the issuer."),
    ] = None,
    reopen: Annotated[bool, typer.Option("--reopen", help="Say that it is open again.")] = False,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, in a line.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who says so. Default: the user.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also where no landed bill has such charges.")
    ] = False,
    config: Config = None,
) -> None:
    """Write a close record into the first source under `closes`; it counts once it is landed.

    A charge of a closed period is settled when the policy's provisional_for is over; what happens
    to settled charges is the policy's closed_period. A period that is not over yet is closed too, as a
    vendor may close early, and one line on stderr says so.
    """
    begins = _month_or_day(period)
    _require_text("--issuer", issuer)
    _require_text("--account", account)
    from attribution_pipeline.config import load_deployment

    deployment = load_deployment(config)
    folder = _folder(deployment)

    from attribution_pipeline.orchestration import closing
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.sources.closes import record_text

    house = House(deployment)
    known = closing.billed(house)
    chosen = _chosen(known, issuer, account, begins, period)
    if not chosen and not force:
        raise _nothing_billed(known, issuer, account, period)
    first = _first_day(chosen, begins, period)
    now = house.clock()
    _require_newer(chosen, now)
    moved = closing.moved_by(house, chosen, closing=not reopen)
    text = record_text(
        issuer=issuer, account=account, period=first, status="open" if reopen else "closed",
        closed_at=now, closed_by=by or _user(), note=note,
    )  # fmt: skip
    written = _write(folder, now, text)
    whose = f"account {account}" if account is not None else "every account"
    said = "open again" if reopen else "closed"
    typer.echo(f"{said}: {issuer}, {whose}, billing period {first:%Y-%m-%d}")
    typer.echo(f"wrote {written}")
    for line in _follows(chosen, moved, reopen):
        typer.echo(line)
    ends = None if reopen else closing.still_running(chosen, first, now)
    if ends is not None:
        typer.echo(log_line("warning", _too_early(issuer, first, ends)), err=True)


def _too_early(issuer: str, first: date, ends: datetime) -> str:
    return (
        f"billing period {first} of {issuer} is not over before {ends:%Y-%m-%d %H:%M} UTC: charges "
        "that still come are changes of a closed period; where that is not meant, --reopen takes it back"
    )


def _month_or_day(period: str) -> date | None:
    """The day of YYYY-MM-DD; None for a month, whose billed periods tell their first day."""
    try:
        if not _PERIOD.match(period):
            raise ValueError
        day = date.fromisoformat(period if len(period) > len("YYYY-MM") else f"{period}-01")
    except ValueError:
        raise Refusal(
            f"{period!r} is no billing period", where="--period", remedy="write YYYY-MM"
        ) from None
    return day if len(period) > len("YYYY-MM") else None


def _require_text(option: str, value: str | None) -> None:
    if value is not None and not value.strip():
        raise Refusal("is empty", where=option, remedy="give a name, or leave an account out")


def _folder(deployment: Deployment) -> Path | Bucket:
    """Where records are written: the place of the first source."""
    sources = deployment.sources.closes
    if not sources:
        raise Refusal(
            "no source is named under `closes`",
            where=deployment.where("sources"),
            remedy="add `closes: [{name: closes, uri: ./closes}]`: a record that is not landed "
            "closes nothing",
        )
    folder = deployment.source_place(sources[0])
    if isinstance(folder, Path) and folder.exists() and not folder.is_dir():
        raise Refusal(
            f"source `{sources[0].name}` is one file, and records are files of their own",
            where=deployment.where("sources", "closes", 0, "uri"),
            remedy="name a folder",
        )
    return folder


def _chosen(
    known: Sequence[BilledPeriod],
    issuer: str,
    account: str | None,
    begins: date | None,
    period: str,
) -> list[BilledPeriod]:
    found = [
        one
        for one in known
        if one.issuer == issuer
        and account in (None, one.account)
        and (one.billing_period == begins or (begins is None and _month(one) == period))
    ]
    starts = sorted({one.billing_period for one in found})
    if len(starts) > 1:
        raise Refusal(
            f"{len(starts)} billing periods of {issuer} begin in {period}",
            where="--period",
            remedy=f"name one by its first day: {', '.join(map(str, starts))}",
        )
    return found


def _nothing_billed(
    known: Sequence[BilledPeriod], issuer: str, account: str | None, period: str
) -> Refusal:
    """What is known instead, from the issuer on."""
    from attribution_pipeline.model.strict import nearest

    anyway = "; --force closes it all the same"
    of_issuer = [one for one in known if one.issuer == issuer]
    of_account = [one for one in of_issuer if account in (None, one.account)]
    if not known:
        return Refusal(
            "no bill is landed yet", where="--issuer",
            remedy="land one first: attribution run --from DAY" + anyway,
        )  # fmt: skip
    if not of_issuer:
        issuers = list(dict.fromkeys(one.issuer for one in known))
        return Refusal(
            f"no landed bill is issued by `{issuer}`", where="--issuer",
            remedy=nearest(issuer, issuers) + anyway,
        )  # fmt: skip
    if not of_account:
        accounts = list(dict.fromkeys(one.account for one in of_issuer))
        return Refusal(
            f"no landed bill of {issuer} is for account `{account}`", where="--account",
            remedy=nearest(account, accounts) + anyway,
        )  # fmt: skip
    billed = sorted({str(one.billing_period) for one in of_account})
    whose = issuer if account is None else f"{issuer}, account {account},"
    return Refusal(
        f"no landed bill of {whose} is of billing period {period}", where="--period",
        remedy=f"billed are the periods that begin on {', '.join(billed[-PERIODS_NAMED:])}" + anyway,
    )  # fmt: skip


def _first_day(chosen: Sequence[BilledPeriod], begins: date | None, period: str) -> date:
    if chosen:
        return chosen[0].billing_period
    return begins or date.fromisoformat(f"{period}-01")


def _require_newer(chosen: Sequence[BilledPeriod], now: datetime) -> None:
    """The newest record stands, so one that is older by this machine's clock would do nothing."""
    newest = max((one.record_at for one in chosen if one.record_at), default=None)
    if newest is not None and newest >= now:
        raise Refusal(
            f"a close record of {newest.isoformat()} is newer than this machine's clock, so it "
            "would go on standing",
            where="attribution close",
            remedy="correct the clock, or wait until then",
        )


def _write(folder: Path | Bucket, now: datetime, text: str) -> str:
    from attribution_pipeline.lake.places import open_store
    from attribution_pipeline.lake.store import create_once

    content = text.encode()
    digest = hashlib.sha256(content).hexdigest()[:NAME_DIGEST_DIGITS]
    name = f"close-{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{digest}.jsonl"
    try:
        # once: of a bucket's lost answer, the second try would say that it stands already
        create_once(open_store(folder), name, content)
    except OSError as error:
        raise Refusal(
            f"cannot be written ({error.strerror or error})",
            where=str(error.filename or folder / name),
            remedy="let this user write there, or name another folder under `closes`",
        ) from None
    return str(folder / name)


def _follows(chosen: Sequence[BilledPeriod], moved: Moved, reopen: bool) -> list[str]:
    """What the record will do once it is landed."""
    if not chosen:
        return ["no landed bill has such charges: nothing follows until one has"]
    closed = [one for one in chosen if one.closed_by is not None]
    if reopen and not closed:
        return ["it was open already: no day becomes stale"]
    if not reopen and len(closed) == len(chosen):
        said = sorted({CLOSED_BY[one.closed_by or ""] for one in closed})
        return [f"it was closed already, by {' and '.join(said)}: no day becomes stale"]
    found = []
    if moved.at_once:
        found.append(
            f"stale once it is landed, by the sensor or the next run: {_days(moved.at_once)}"
        )
    if moved.later:
        last, at = moved.later[-1]
        found.append(
            f"stale when their provisional time is over, {last} at {at:%Y-%m-%d %H:%M} UTC: "
            f"{_days([day for day, _ in moved.later])}"
        )
    return found or ["no recorded day is concerned"]


def _days(days: Sequence[date]) -> str:
    """``3 recorded days (2026-10-05 to 2026-10-31)``."""
    ends = dict.fromkeys((days[0].isoformat(), days[-1].isoformat()))
    return f"{len(days)} recorded day{'s' * (len(days) > 1)} ({' to '.join(ends)})"


def _month(period: BilledPeriod) -> str:
    return f"{period.billing_period:%Y-%m}"


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return None
