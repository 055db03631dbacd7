"""``python -m verify PACKET --key PUBLIC.pem``: the checks without the rest of the project.

Belongs here: the arguments. Does not: any check.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .checks import verify_packet
from .failure import SAID


def main() -> int:
    """The exit status: see ``failure``."""
    statuses = "; ".join(f"{status} {said}" for status, said in SAID.items())
    parser = argparse.ArgumentParser(prog="verify", description=__doc__, epilog=statuses)
    parser.add_argument("packet", type=Path)
    parser.add_argument("--key", type=Path, required=True, help="the issuer's public key, PEM")
    given = parser.parse_args()
    return verify_packet(given.packet, given.key, lambda line: sys.stdout.write(line + "\n"))


if __name__ == "__main__":
    sys.exit(main())
