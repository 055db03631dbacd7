"""``attribution envelope``: make a key, issue an envelope, say what one is worth.

Belongs here: the command group. Does not: any rule (``envelope``). A secret goes to a file of mode
0600 and never to the terminal; a token may be printed, it is made to travel.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attribution_pipeline.commands.options import Config, parse_instant
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.envelope import EnvelopeError, KeyRing

NOT_VERIFIED = 1
"""Status of `verify` for any other verdict."""

Keys = Annotated[
    Path | None,
    typer.Option("--keys", metavar="FILE", help="A key file. Default: the deployment's `keys`."),
]
Maybe = Annotated[str | None, typer.Option(metavar="ID")]
Needed = Annotated[str, typer.Option(metavar="ID")]
Until = Annotated[datetime | None, typer.Option(parser=parse_instant, metavar="TIME")]


def _begin(text: str | datetime) -> datetime:
    """An instant in UTC; of a day, its begin."""
    is_day = isinstance(text, str) and len(text) == len("YYYY-MM-DD")
    return parse_instant(f"{text}T00:00:00Z" if is_day else text)


From = Annotated[datetime | None, typer.Option(parser=_begin, metavar="TIME")]


def register(app: typer.Typer) -> None:
    """Mount the group."""
    group = typer.Typer(
        help="Keys and tokens of signed identity.",
        short_help="Keys and tokens of signed identity",
        no_args_is_help=True,
    )
    group.command("keygen")(keygen)
    group.command("issue")(issue)
    group.command("verify")(verify)
    app.add_typer(group, name="envelope")


def keygen(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="For example gw-2026a.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Key file to add it to, or to begin.")
    ],
    algorithm: Annotated[
        str, typer.Option(metavar="A", help="hmac-sha256, or ed25519 between two parties.")
    ] = "hmac-sha256",
    tenant: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="May sign for these; repeat. Default: all."),
    ] = None,
    not_before: From = None,
    not_after: Until = None,
    public_out: Annotated[
        Path | None,
        typer.Option("--public-out", metavar="FILE", help="ed25519: the verifiers' key file."),
    ] = None,
) -> None:
    """Make a key and write it to a file that only you can read."""
    from attribution_pipeline.envelope import ALGORITHMS, EnvelopeError
    from attribution_pipeline.envelope.keygen import add_to_file, new_key

    chosen = next((one for one in ALGORITHMS if one == algorithm), None)
    if chosen is None:
        raise Refusal(
            f"`{algorithm}` is no algorithm", where="--algorithm",
            remedy=f"use one of: {', '.join(ALGORITHMS)}",
        )  # fmt: skip
    if public_out is not None and chosen != "ed25519":
        raise Refusal(
            "an hmac-sha256 key has no public part", where="--public-out",
            remedy="add --algorithm ed25519",
        )  # fmt: skip
    try:
        key = new_key(
            key_id, chosen, tenants=tenant or ["*"],
            not_before=_seconds(not_before), not_after=_seconds(not_after),
        )  # fmt: skip
        add_to_file(out, key)
        if public_out is not None:
            add_to_file(public_out, key.public_part())
    except EnvelopeError as error:
        raise _refusal(error) from None
    typer.echo(f"wrote {key_id} ({chosen}) to {out}")
    if public_out is not None:
        typer.echo(f"wrote its public part to {public_out}")


def issue(
    key: Annotated[str, typer.Option(metavar="KEY_ID", help="The key that signs.")],
    tenant: Needed,
    originator: Needed,
    workflow: Needed,
    operation: Needed,
    audience: Needed,
    consumer: Maybe = None,
    project: Maybe = None,
    task: Maybe = None,
    feature: Maybe = None,
    environment: Maybe = None,
    lifetime: Annotated[int, typer.Option(metavar="SECONDS", help="Until it expires.")] = 3600,
    keys: Keys = None,
    config: Config = None,
) -> None:
    """Print a token for these claims, issued now."""
    from attribution_pipeline.envelope import Claims, EnvelopeError
    from attribution_pipeline.envelope import issue as issued

    ring = _ring(keys, config)
    found = ring.get(key)
    if found is None:
        known = ", ".join(one.key_id for one in ring) or "none"
        raise Refusal(f"there is no key `{key}`", where="--key", remedy=f"known are: {known}")
    try:
        claims = Claims.new(
            tenant_id=tenant, originator_id=originator, workflow_id=workflow,
            operation_id=operation, audience=audience, lifetime=lifetime, consumer_id=consumer,
            project=project, task=task, feature=feature, environment=environment,
        )  # fmt: skip
        token = issued(claims, found)
    except EnvelopeError as error:
        raise _refusal(error) from None
    typer.echo(token)


def verify(
    token: Annotated[
        str, typer.Argument(metavar="[TOKEN]", help="Default: read from standard input.")
    ] = "-",
    audience: Maybe = None,
    at: From = None,
    keys: Keys = None,
    config: Config = None,
) -> None:
    """Say what a token is worth, now or at a time of use. Status 0 for verified, else 1."""
    from attribution_pipeline.envelope import REASONS
    from attribution_pipeline.envelope import verify as verified

    ring = _ring(keys, config)
    text = sys.stdin.read().strip() if token == "-" else token
    found = verified(text, ring, audience=audience, at=at)
    typer.echo(
        f"verdict: {found.verdict}" + (f" ({REASONS[found.reason]})" if found.reason else "")
    )
    if found.key_id is not None:
        typer.echo(f"signing_key_id: {found.key_id}")
    if found.named is not None:
        typer.echo("claims:" if found else "claims, not proven:")
        for name, value in found.named.signed_fields().items():
            shown = f"{value} ({_time(value)})" if isinstance(value, int) else value
            typer.echo(f"  {name}: {shown}")
    if not found:
        raise typer.Exit(NOT_VERIFIED)


def _ring(keys: Path | None, config: Path | None) -> KeyRing:
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.envelope import EnvelopeError, KeyRing

    if keys is None:
        return load_deployment(config).key_ring()
    try:
        return KeyRing.load(keys)
    except EnvelopeError as error:
        raise _refusal(error) from None


def _refusal(error: EnvelopeError) -> Refusal:
    from attribution_pipeline.envelope import KeyFileError

    if isinstance(error, KeyFileError):
        return Refusal(error.what, where=error.where, remedy=error.remedy)
    return Refusal(str(error), where="attribution envelope")


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
