"""The console script: starts the command line, or says in one line what to install for it.

Belongs here: the start, and the one way in which it fails before there is a command line. Does not:
commands. The base installation brings no engine, because an application that only carries
envelopes needs none (``pyproject.toml``, the extras).
"""

from __future__ import annotations

import sys

MISSING_A_PART = 2
"""As a refusal: one line on stderr, nothing done."""


def main() -> None:
    """Run ``attribution``; exit status 2 where the command line's libraries are not installed."""
    try:
        from attribution_pipeline import cli
    except ModuleNotFoundError as error:
        sys.exit(_missing(error))
    cli.main()


def _missing(error: ModuleNotFoundError) -> int:
    package = (error.name or "").partition(".")[0]
    if package in ("", "attribution_pipeline"):  # a part of this product: a broken installation
        raise error
    line = (
        f"attribution: {package} is not installed: this is the envelope library alone; "
        "for the command install attribution_pipeline[pipeline]"
    )
    sys.stderr.write(line + "\n")
    return MISSING_A_PART


if __name__ == "__main__":
    main()
