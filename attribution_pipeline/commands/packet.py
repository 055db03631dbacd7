"""``attribution packet``: a tenant's review packet, signed.

Belongs here: the command and what it says. Does not: what a packet holds (``proof.packet``), what
of the deployment it takes (``orchestration.packet``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attribution_pipeline.commands.options import AsOf, Config, To, ordered, parse_day
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof.packet.sealing import KEY_VARIABLE


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("packet", short_help="Write a tenant's review packet")(packet)


def packet(
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="T", help="Whose rows.")
    ] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DAY", help="First charge day, YYYY-MM-DD."),
    ] = None,
    last: To = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="F", help="The packet, a tar file.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="PRIVATE.pem",
                     help=f"The signing key (Ed25519). Default: the PEM in ${KEY_VARIABLE}."),
    ] = None,
    new_key: Annotated[
        Path | None,
        typer.Option("--new-key", metavar="PRIVATE.pem",
                     help="Only make a key pair: PRIVATE.pem, and PRIVATE.pub.pem beside it."),
    ] = None,
    as_of: AsOf = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Everything behind one tenant's rows of a period, in one signed file: rows and revisions, the
    charges and the bill's lines, operations, envelopes, spans, weights, policies, manifests, and a
    page for people.

    Whoever has it and the public key checks it offline: attribution verify F --key PUBLIC.pem.
    Other tenants appear as salted ids with weights and amounts.
    """
    if new_key is not None:
        _make_key(new_key)
        return
    if tenant is None or first is None or out is None:
        raise Refusal(
            "a packet needs --tenant, --from and --out",
            where="attribution packet",
            remedy="or make a signing key first: attribution packet --new-key PRIVATE.pem",
        )
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.packet import write_packet

    begin = parse_day(first)
    end = last or begin
    ordered(begin, end)
    house = House(load_deployment(config))
    contents, keyid = write_packet(house, tenant, begin, end, out=out, key=key, as_of=as_of)
    counts = [sum(day["counts"][name] for day in contents.days)
              for name in ("rows", "charges", "operations", "spans")]  # fmt: skip
    typer.echo(
        f"tenant {tenant}, {begin} to {end}: {counts[0]:,} rows of {counts[1]:,} charges, "
        f"{counts[2]:,} operations, {counts[3]:,} spans; {len(contents.days)} days"
    )
    typer.echo(f"wrote {out}, {out.stat().st_size:,} bytes, signed by Ed25519 key {keyid[:16]}")
    typer.echo(f"check it with: attribution verify {out} --key PUBLIC.pem")


def _make_key(path: Path) -> None:
    from attribution_pipeline.proof.packet.sealing import new_key

    public, keyid = new_key(path)
    typer.echo(f"wrote {path} (keep it secret) and {public} (give it away): key {keyid[:16]}")
