"""Every live source that the deployment file names, one after another.

Belongs here: what one pull is, credentials, what is due, the report. Does not: Dagster, the
deployment file's grammar (``config``), the APIs themselves.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from attribution_pipeline.buckets import Bucket
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.pull import opencost, vendor_costs
from attribution_pipeline.sources.pull.address import ForbiddenAddress, endpoint_fault
from attribution_pipeline.sources.pull.limits import LIMITS, PullLimits
from attribution_pipeline.sources.pull.opencost import Kept
from attribution_pipeline.sources.pull.place import Place, place_of
from attribution_pipeline.sources.pull.transport import PullFailed, Transport

NOTES_SHOWN = 10
SECRET_BYTES_MAX = 64 * 1024
"""A credential file: tokens of service accounts have some 2 kB."""


@dataclass(frozen=True)
class Pull:
    """One entry under ``pull`` in the deployment file."""

    name: str
    api: str
    """``opencost``, ``openai``, ``anthropic`` or ``kubernetes``."""
    endpoint: str
    into: str
    """The source that it fills."""
    uri: str | Path | Bucket
    """That source's folder, or prefix of a bucket."""
    first_day: date
    """Of the deployment: what is before it is nobody's question."""
    where: str = ""
    """Place in the deployment file, for messages."""
    key_env: str | None = None
    key_file: str | None = None
    ca_file: str | None = None
    cluster: str = ""
    """Kubernetes: the cluster's name, as OpenCost has it."""
    every: timedelta = timedelta(hours=6)
    """Vendor costs: how old the newest delivery of a period is before it is asked for again."""
    limits: PullLimits = LIMITS


@dataclass
class PullReport:
    """What one pull did."""

    pull: Pull
    kept: list[Kept] = field(default_factory=list)
    nothing: int = 0
    """Questions whose answer is there already, unchanged or not due."""
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """One line each; empty where all that was due has been kept."""
    reasons: list[str] = field(default_factory=list)
    """The stable word of each failure; docs/how-to/live-sources.md says what they are."""

    def lines(self) -> list[str]:
        """For the console."""
        size = sum(one.size for one in self.kept)
        line = f"{self.pull.api} {self.pull.name}: {len(self.kept)} kept, {size:,} bytes, "
        line += f"{self.nothing} nothing new"
        if self.failures:
            line += f", {len(self.failures)} failed ({', '.join(sorted(set(self.reasons)))})"
        told = [f"  {one.name}: {one.detail}" for one in self.kept] + self.notes
        shown = [note if note.startswith("  ") else f"  {note}" for note in told[:NOTES_SHOWN]]
        if len(told) > NOTES_SHOWN:
            shown.append(f"  and {len(told) - NOTES_SHOWN} more like these")
        return [line, *shown]


def pull_all(
    pulls: Sequence[Pull],
    now: datetime,
    *,
    days: tuple[date, date] | None = None,
    again: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[PullReport]:
    """Ask what is due of each, and keep it. A pull that fails stops no other.

    ``days``: instead of what is due, these days (OpenCost) or the periods that they lie in (vendor
    costs). ``again``: also what is there already. Raises Refusal, before anything is asked, where a
    credential is missing or an endpoint can't be used.
    """
    secrets = [_credential(pull) for pull in pulls]
    for pull, secret in zip(pulls, secrets, strict=True):
        fault = endpoint_fault(pull.endpoint, with_credential=bool(secret))
        if fault:
            raise Refusal(f"endpoint of `{pull.name}` {fault}", where=pull.where)
    reports = []
    for pull, secret in zip(pulls, secrets, strict=True):
        report = PullReport(pull)
        reports.append(report)
        with tempfile.TemporaryDirectory(prefix="pull-") as scratch:
            transport = Transport(
                pull.endpoint, Path(scratch),
                headers=_headers(pull, secret), secret=secret, ca_file=pull.ca_file,
                limits=pull.limits, tell=tell, sleep=sleep,
            )  # fmt: skip
            try:
                place = place_of(pull.into, pull.uri)
                _pull(pull, secret, transport, place, now, days, again, report)
            except OSError as error:  # of the place that is written to; a server's are PullFailed
                where = f"source {pull.into}, uri {pull.uri}"
                report.failures.append(f"{where}: {error.strerror or error}; nothing more is asked")
                report.reasons.append("out_of_reach")
            except Refusal as error:  # of that place, too: a file, or storage without credentials
                report.failures.append(f"{error.line()}; nothing more is asked")
                report.reasons.append("unusable_place")
    return reports


def _pull(
    pull: Pull,
    secret: str,
    transport: Transport,
    place: Place,
    now: datetime,
    days: tuple[date, date] | None,
    again: bool,
    report: PullReport,
) -> None:
    for question, newest in _questions(pull, secret, transport, place, now, days, again):
        before = len(report.kept)
        try:
            for kept in question():
                report.kept.append(kept)
        except (PullFailed, ForbiddenAddress) as failed:
            reason = getattr(failed, "reason", "forbidden_address")
            if reason == "no_rows" and not newest:
                report.notes.append(failed.line())  # not kept there any more, or not there yet
                continue
            report.failures.append(failed.line())
            report.reasons.append(reason)
            if reason not in opencost.OF_THE_DAY:
                return
        else:
            report.nothing += len(report.kept) == before


Question = Callable[[], Iterator[Kept]]


def _questions(
    pull: Pull,
    secret: str,
    transport: Transport,
    place: Place,
    now: datetime,
    days: tuple[date, date] | None,
    again: bool,
) -> Iterator[tuple[Question, bool]]:
    """What is to be asked, and whether an empty answer to it is a failure."""
    if pull.api == "kubernetes":
        from attribution_pipeline.sources.pull.kubernetes import pull_snapshot

        yield lambda: pull_snapshot(transport, place, pull.cluster, secret, now), True
    elif pull.api == "opencost":
        due = _each_day(*days) if days else opencost.due_days(now, pull.first_day)
        for day in due:
            newest = day == due[-1]
            yield lambda day=day: opencost.pull_day(transport, place, day, now, again=again), newest  # type: ignore[misc]
    else:
        vendor = vendor_costs.VENDORS[pull.api]
        periods = (
            sorted({day.replace(day=1) for day in _each_day(*days)})
            if days
            else vendor_costs.due_periods(now, pull.first_day)
        )
        for period in periods:
            asked = vendor_costs.last_asked(place, period)
            if asked and not again and not days and now - asked < pull.every:
                continue
            yield (
                lambda period=period: vendor_costs.pull_period(  # type: ignore[misc]
                    transport, place, vendor, period, now
                ),
                True,
            )


def _each_day(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def _headers(pull: Pull, secret: str) -> dict[str, str]:
    if pull.api in vendor_costs.VENDORS:
        return vendor_costs.VENDORS[pull.api].headers(secret)
    # kubernetes' client writes its own; an OpenCost behind a proxy takes a token like anyone
    return {"Authorization": f"Bearer {secret}"} if secret else {}


def _credential(pull: Pull) -> str:
    """The secret that ``key_env`` or ``key_file`` leads to; empty where neither is given.

    Raises Refusal, which repeats nothing of it.
    """
    if pull.key_env is not None:
        found = os.environ.get(pull.key_env, "")
        place, remedy = f"environment variable {pull.key_env}", f"set {pull.key_env}"
    elif pull.key_file is not None:
        place, remedy = f"file {pull.key_file}", "mount it, or correct key_file"
        if pull.api == "kubernetes":  # without one of its own it is the pod's token
            remedy += "; outside a pod give `endpoint`, `key_file` and `ca_file`"
        try:
            with open(pull.key_file, "rb") as file:
                found = file.read(SECRET_BYTES_MAX + 1).decode("ascii", "replace")
        except OSError as error:
            raise Refusal(
                f"the {place} of `{pull.name}` cannot be read: {error.strerror}", where=pull.where,
                remedy=remedy,
            ) from None  # fmt: skip
    else:
        if pull.api in vendor_costs.VENDORS:
            raise Refusal(
                f"`{pull.name}` needs a key", where=pull.where,
                remedy="name the environment variable of an admin key under key_env",
            )  # fmt: skip
        return ""
    secret = found.strip()
    if (
        not secret
        or len(found) > SECRET_BYTES_MAX
        or not secret.isascii()
        or not secret.isprintable()
    ):
        raise Refusal(
            f"the {place} of `{pull.name}` holds no usable key", where=pull.where, remedy=remedy
        )
    return secret
