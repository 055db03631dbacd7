"""The command line, ``attribution``: which commands there are, and how a refusal reads.

Belongs here: the application, the list of modules that bring commands, exit statuses. Does not:
what a command does (``commands/``). Nothing heavy is imported before a command runs, so that
``attribution --help`` answers at once.

Exit statuses: 0 done; 1 a check failed or the day does not tie out; 2 refused, one line on stderr,
nothing written; 3, 4, 5 what a replay found (``commands.replay``).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from attribution_pipeline.buckets.place import is_bucket_url
from attribution_pipeline.commands.log_lines import log_line
from attribution_pipeline.model.errors import Refusal

COMMAND_MODULES = (
    "attribution_pipeline.commands.demo",
    "attribution_pipeline.commands.init",
    "attribution_pipeline.commands.pull",
    "attribution_pipeline.commands.run",
    "attribution_pipeline.commands.rejected",
    "attribution_pipeline.commands.ledger",
    "attribution_pipeline.commands.explain",
    "attribution_pipeline.commands.spend",
    "attribution_pipeline.commands.call",
    "attribution_pipeline.commands.dashboard",
    "attribution_pipeline.commands.export",
    "attribution_pipeline.commands.reservations",
    "attribution_pipeline.commands.outcomes",
    "attribution_pipeline.commands.alerts",
    "attribution_pipeline.commands.close",
    "attribution_pipeline.commands.replay",
    "attribution_pipeline.commands.gates",
    "attribution_pipeline.commands.score",
    "attribution_pipeline.commands.triage",
    "attribution_pipeline.commands.policy",
    "attribution_pipeline.commands.envelope",
    "attribution_pipeline.commands.packet",
    "attribution_pipeline.commands.verify",
    "attribution_pipeline.commands.metrics",
    "attribution_pipeline.commands.backup",
    "attribution_pipeline.commands.prune",
    "attribution_pipeline.commands.truth",
)
"""Each has ``register(app: typer.Typer) -> None``; a new command is a module and a line here."""

REFUSED = 2
INTERRUPTED = 130

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Click's UsageError; newer typer carries click inside and does not export the name."""


class _OneLine(TyperGroup):
    """A group whose every refusal, its own or the product's, is one line on stderr, status 2."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        given = list(sys.argv[1:] if args is None else args) or ["--help"]
        if given[0] == "help":  # as git and kubectl take it: `attribution help ledger`
            given = [*given[1:], "--help"]
        try:
            status = super().main(
                given, prog_name, complete_var, False, windows_expand_args, **extra
            )
        except Refusal as refusal:
            status = _refused(refusal.line())
        except _UsageError as error:
            status = _refused(_usage(error))
        except OSError as error:
            if not is_bucket_url(str(error.filename)):
                raise
            status = _refused(f"{error.filename}: {error.strerror}; see that storage answers")
        except typer.Abort:
            status = INTERRUPTED
        if not standalone_mode:
            return status
        sys.exit(status or 0)


def _refused(line: str) -> int:
    typer.echo(log_line("attribution", line), err=True)
    return REFUSED


def _usage(error: Any) -> str:
    command = error.ctx.command_path if error.ctx else "attribution"
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{message}; see `{command} --help`"


app = typer.Typer(
    name="attribution",
    cls=_OneLine,
    help="Which tenant, workflow and operation caused this AI cost, under which rule: "
    "one ledger, tied to the invoice to the last unit.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would double the time to answer
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"attribution {version('attribution_pipeline')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="The version, and nothing else."
        ),
    ] = False,
) -> None:
    """Every command stands below this one."""


for _module in COMMAND_MODULES:
    importlib.import_module(_module).register(app)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="attribution")
