"""A real Postgres on loopback for the time of a test session, with nothing kept.

Belongs here: finding Debian's binaries, a cluster in a temporary folder, a database for each test.
Does not: what Dagster does with one.

Postgres refuses to run as root, and CI is root: there it runs as the user ``postgres`` that Debian's
package makes.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

USER = "dagster"
DEBIAN = Path("/usr/lib/postgresql")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # nothing outlives the tests
    "full_page_writes": "off",
    "max_connections": "60",
}


@dataclass(frozen=True)
class Postgres:
    """A running server. Its password is of this session alone."""

    port: int
    password: str
    bin: Path

    def environment(self, database: str) -> dict[str, str]:
        """As the config maps of ``k8s/`` name it."""
        return {
            "DAGSTER_PG_HOST": "127.0.0.1",
            "DAGSTER_PG_USER": USER,
            "DAGSTER_PG_PASSWORD": self.password,
            "DAGSTER_PG_DB": database,
            "DAGSTER_PG_PORT": str(self.port),
            "PGSSLMODE": "disable",
        }

    def ask(self, database: str, sql: str) -> str:
        """What ``psql`` prints of a query."""
        return subprocess.run(
            [str(self.bin / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", USER,
             "-d", database, "-Atc", sql],
            env={**os.environ, "PGPASSWORD": self.password},
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """A new database, gone afterwards."""
        name = f"dagster_{secrets.token_hex(4)}"
        self.ask("postgres", f"create database {name}")
        try:
            yield name
        finally:
            self.ask("postgres", f"drop database {name} with (force)")


def binaries() -> Path:
    """The folder of ``initdb``. Fails, and does not skip: CI without Postgres would prove nothing."""
    newest = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if newest:
        return newest[-1].parent
    found = shutil.which("initdb")
    assert found, "there is no Postgres: make postgres"
    return Path(found).resolve().parent


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A server with its data in a folder of its own, both gone at the end."""
    programs = binaries()
    password = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="attribution-postgres-") as temporary:
        folder = Path(temporary)
        secret = folder / "password"
        secret.write_text(password)
        become = _as_its_user(folder, secret)
        port = _free_port()
        options = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        control = [*become, str(programs / "pg_ctl"), f"--pgdata={folder / 'data'}", "--wait"]
        _run(folder, *become, str(programs / "initdb"), f"--pgdata={folder / 'data'}",
             f"--username={USER}", f"--pwfile={secret}", "--auth=scram-sha-256", "--no-sync",
             "--encoding=UTF8")  # fmt: skip
        _run(folder, *control, f"--log={folder / 'log'}", "--options",
             " ".join([*options, f"-p{port}", f"-k{folder}"]), "start")  # fmt: skip
        try:
            yield Postgres(port, password, programs)
        finally:
            _run(folder, *control, "--mode=immediate", "stop")


def _as_its_user(folder: Path, *files: Path) -> list[str]:
    """What to put before a command so that it does not run as root; nothing where it would not."""
    if os.geteuid() != 0:
        return []
    account = pwd.getpwnam("postgres")
    for path in (folder, *files):
        os.chown(path, account.pw_uid, account.pw_gid)
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
