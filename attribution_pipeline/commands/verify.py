"""``attribution verify``: a review packet, checked offline.

Belongs here: the command. Does not: any check (``proof.packet.verify``). Reads no deployment file.

Exit status: 0 verified; 2 cannot be checked; 3 the signature does not verify; 4 a file is missing,
extra, truncated or changed; 5 sums do not conserve; 6 recomputed otherwise. The first that fails
decides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("verify", short_help="Check a review packet offline")(verify)


def verify(
    packet: Annotated[Path, typer.Argument(metavar="PACKET", help="A file that `packet` wrote.")],
    key: Annotated[
        Path, typer.Option("--key", metavar="PUBLIC.pem", help="The issuer's public key.")
    ],
) -> None:
    """Check a review packet with nothing but itself and the issuer's public key: signature, files,
    sums, and every row computed again.

    Status: 0 verified; 2 cannot be checked; 3 signature; 4 files; 5 conservation; 6 recomputation.
    The first that fails decides.
    """
    from attribution_pipeline.proof.packet.verify.checks import verify_packet

    status = verify_packet(packet, key, typer.echo)
    if status:
        raise typer.Exit(status)
