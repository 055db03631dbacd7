"""A real Dagster for browser tests: webserver and daemon on loopback, gone afterwards; and the
browser that may talk to it alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline_tests.cases import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = "/usr/bin/chromium"
SCREENSHOTS = REPOSITORY / "build" / "screenshots"
SLOW_PAGE_MS = 60_000
START_S = 180.0
"""A cold start imports everything three times, on a busy machine."""
STOP_S = 10.0


@dataclass(frozen=True)
class Dagster:
    """A running webserver."""

    url: str
    log: Path

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of a GraphQL answer."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = json.load(answer)
        assert "errors" not in said, said["errors"]
        return said["data"]


def wait_for(what: str, found: Callable[[], Any], seconds: float, log: Path) -> Any:
    """The first true answer; fails with the end of the server's log."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if answer := found():
                return answer
        time.sleep(0.5)
    raise AssertionError(f"{what} took more than {seconds:.0f} s\n{log.read_text()[-3000:]}")


def dagster_home(home: Path) -> Path:
    """The folder for ``$DAGSTER_HOME``, with the repository's settings."""
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_bytes((REPOSITORY / "dagster.yaml").read_bytes())
    return home


@contextlib.contextmanager
def dagster(deployment_file: Path, home: Path) -> Iterator[Dagster]:
    """``dagster-webserver`` and ``dagster-daemon`` on ``workspace.yaml``, with the repository's own
    ``dagster.yaml``, each in its own process group: their children would outlive them.

    ``home``: new, or one of ``dagster_home`` with runs in it.
    """
    dagster_home(home)
    port = _free_port()
    log = home / "servers.log"
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "ATTRIBUTION_CONFIG": str(deployment_file),
        "PYTHONPATH": str(REPOSITORY),
    }
    programs = Path(sys.executable).parent
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("w"))

        def start(program: str, *arguments: str) -> None:
            process = subprocess.Popen(
                [str(programs / program), *arguments, "-w", str(REPOSITORY / "workspace.yaml")],
                env=environment,
                cwd=home,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            stack.callback(_stop, process)

        start("dagster-webserver", "-h", "127.0.0.1", "-p", str(port))
        running = Dagster(f"http://127.0.0.1:{port}", log)
        wait_for("loading the code location", lambda: _is_loaded(running), START_S, log)
        # not before: two processes that create the same SQLite files end with an alembic error
        start("dagster-daemon", "run")
        yield running


@contextlib.contextmanager
def page_on(server: Dagster, **viewport: int) -> Iterator[Page]:
    """A page of a browser; fails where it asked anyone but the server."""
    from playwright.sync_api import sync_playwright

    elsewhere: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        opened = browser.new_page(viewport={"width": 1500, "height": 1500, **viewport})
        opened.set_default_timeout(SLOW_PAGE_MS)
        own = (server.url, "data:", "blob:")
        opened.on(
            "request",
            lambda asked: None if asked.url.startswith(own) else elsewhere.append(asked.url),
        )
        yield opened
        browser.close()
    assert elsewhere == []


def photograph(page: Page, name: str) -> None:
    """What is seen of the page, for people."""
    page.wait_for_timeout(1000)  # pages fade in
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"dagster-{name}.png")


def _is_loaded(running: Dagster) -> bool:
    data = running.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
    return bool(data["repositoriesOrError"].get("nodes"))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, then end, the whole group: the code server waits 45 s for a dead parent."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S if number == signal.SIGTERM else None)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
