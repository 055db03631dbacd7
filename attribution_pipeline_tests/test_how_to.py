"""What people type and write after the documentation goes on existing: commands, options, make targets,
paths and settings. Nothing is run here; `docs/how-to/production.md` says what was, and what could not be.

Belongs here: names and shapes that the pages use. Does not: what commands do, or whether pages are built.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from typer.main import get_command

from attribution_pipeline.cli import app
from attribution_pipeline.commands import init
from attribution_pipeline.config import Deployment, load_deployment
from attribution_pipeline.model.policy.book import parse_policy
from attribution_pipeline_tests.cases import REPOSITORY

DOCS = REPOSITORY / "docs"
GUIDE = sorted((DOCS / "how-to").glob("*.md"))
PAGES = [
    *GUIDE, *sorted(DOCS.glob("*.md")), REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"
]  # fmt: skip
NOT_RUN = (DOCS / "how-to" / "production.md").read_text().partition("## What was not run")[2]

PLACEHOLDERS = {"DAY": "2026-10-05", "D": "2026-10-05", "V": "1", "TIME": "2026-10-05"}
"""Words that stand for a value which an option reads; for names and paths any word will do."""

SHELL = ("export", "cd", "cp", ".", "$EDITOR", "tar", "useradd", "chown", "systemctl")

KUBECTL = ("kustomize", "apply", "create", "delete", "get", "exec", "port-forward")
"""What was run on a cluster, as `docs/how-to/kubernetes.md` says."""

Command = list[str]

PROGRAM = get_command(app)


class Block(NamedTuple):
    """Code of a page that stands on lines of its own. Indented code has no language."""

    language: str
    text: str

    @property
    def is_settings(self) -> bool:
        """Whether it is YAML, and no commands."""
        if self.language:
            return self.language == "yaml"
        try:
            return isinstance(yaml.safe_load(self.text), dict)
        except yaml.YAMLError:
            return False

    @property
    def is_shell(self) -> bool:
        return self.language in ("", "sh") and not self.is_settings


@cache
def parsed(page: Path) -> list[Token]:
    return MarkdownIt().parse(page.read_text(encoding="utf-8"))


def blocks(page: Path) -> Iterator[Block]:
    """A page's code, by CommonMark."""
    for token in parsed(page):
        if token.type in ("fence", "code_block"):
            yield Block(token.info, dedent(token.content))


def named(page: Path) -> Iterator[str]:
    """What stands between backticks in sentences and tables."""
    for token in parsed(page):
        yield from (one.content for one in token.children or () if one.type == "code_inline")


def mentions(page: Path, program: str) -> Iterator[Command]:
    """What a sentence calls a command of a program."""
    yield from (shlex.split(said) for said in named(page) if said.startswith(f"{program} "))


def commands(block: Block) -> Iterator[Command]:
    """The commands of a block, without comments."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if not re.match(r"[\w.$/-]+( |$)", line.strip()):
            continue  # a figure, in a page that is no guide
        words = shlex.split(line, comments=True)
        while words:
            end = next((n for n, word in enumerate(words) if word in ("&&", "|")), len(words))
            yield words[:end]
            words = words[end + 1 :]


def typed(page: Path, program: str) -> Iterator[Command]:
    """Commands of a program that stand on lines of their own."""
    for block in blocks(page):
        if block.is_shell and program in block.text:
            yield from (one for one in commands(block) if Path(one[0]).name == program)


def command_of(words: Command) -> tuple[Any, list[str]]:
    """The command that the words name, by Click's own tree, and its arguments."""
    command: Any = PROGRAM
    left = words[1:]
    while hasattr(command, "commands") and left and not left[0].startswith("-"):
        assert left[0] in command.commands, f"there is no command {left[0]}: {words}"
        command, left = command.commands[left[0]], left[1:]
    return command, left


def ids(page: Path) -> str:
    return page.name


def test_the_guide_is_read_at_all() -> None:
    found = [
        one for page in GUIDE for block in blocks(page) if block.is_shell for one in commands(block)
    ]
    assert len(found) > 50
    assert sum(block.is_settings for page in GUIDE for block in blocks(page)) >= 5


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_attribution_command_has_these_options(page: Path) -> None:
    for words in (*typed(page, "attribution"), *mentions(page, "attribution")):
        command, arguments = command_of(words)
        known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
        given = {name for one in arguments for name in re.findall(r"^\[?(--[a-z-]+)", one)}
        assert given <= known | {"--help"}, words


@pytest.mark.parametrize("page", GUIDE, ids=ids)
def test_every_attribution_command_of_the_guide_is_whole(page: Path) -> None:
    for words in typed(page, "attribution"):
        command, arguments = command_of(words)
        given = [PLACEHOLDERS.get(word, word) for word in arguments]
        command.make_context(command.name, given)  # reads every value, and runs nothing


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_make_target_is_one(page: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    scripts = "".join(path.read_text() for path in (REPOSITORY / "scripts").glob("*.sh"))
    lines = re.findall(r"^([\w /.-]+):", makefile, re.MULTILINE)
    targets = {name for line in lines for name in line.split()}
    for words in (*typed(page, "make"), *mentions(page, "make")):
        for word in words[1:]:
            name, is_set, _ = word.partition("=")
            if is_set:
                assert re.search(rf"\$\({name}[),]", makefile) or f"${{{name}" in scripts, words
            else:
                assert name in targets, words


@pytest.mark.parametrize("page", GUIDE, ids=ids)
def test_every_dagster_command_names_what_there_is(page: Path) -> None:
    from dagster._cli import create_dagster_cli

    from attribution_pipeline.orchestration import jobs, sensors
    from attribution_pipeline.orchestration.assets import pull
    from attribution_pipeline.orchestration.replay_schedule import replay_schedule

    there = {
        "schedule": {jobs.DAILY, jobs.SCORE, pull.JOB, replay_schedule().name},
        "sensor": {sensors.NEW_OBJECTS, sensors.LATE_EVIDENCE},
        "job": {jobs.LANDING},
    }
    for words in (*typed(page, "dagster"), *mentions(page, "dagster")):
        command: Any = create_dagster_cli()  # type: ignore[no-untyped-call]
        left = words[1:]
        while hasattr(command, "commands"):
            command, left = command.commands[left[0]], left[1:]
        command.make_context(command.name, list(left))
        if words[1] in there:
            assert there[words[1]] & set(left), words


@pytest.mark.parametrize("page", GUIDE, ids=ids)
def test_every_other_command_is_known_or_listed_as_not_run(page: Path) -> None:
    manifests = "\n".join(path.read_text() for path in (REPOSITORY / "k8s").rglob("*.yaml"))
    for block in blocks(page):
        if block.is_settings:
            continue
        for words in commands(block):
            program, *rest = words
            if program in ("kind", "docker"):
                assert f"`{program}" in NOT_RUN, words
            elif program == "kubectl":
                rest = rest[: rest.index("--")] if "--" in rest else rest  # what runs in a pod
                verb, *names = [
                    one for one in rest if not one.startswith("-") and one != "attribution"
                ]
                assert verb in KUBECTL, words
                for name in names:
                    if name.endswith(".yaml"):
                        assert (REPOSITORY / name).is_file(), words
                    elif name.startswith("k8s/"):
                        assert (REPOSITORY / name / "kustomization.yaml").is_file(), words
                    elif re.fullmatch(r"attribution-\w+|migrate|deployment/[\w-]+", name):
                        assert f"name: {name.rpartition('/')[2]}" in manifests, words
            else:
                known = ("attribution", "make", "dagster", "dagster-daemon", "dagster-webserver")
                assert program in (*known, *SHELL), words


@pytest.mark.parametrize("page", GUIDE, ids=ids)
def test_every_path_of_the_repository_is_there(page: Path) -> None:
    roots = [REPOSITORY, REPOSITORY / "k8s", REPOSITORY / "attribution_pipeline"]
    if page.name == "kubernetes.md":
        roots.append(REPOSITORY / "k8s" / "overlays" / "production")
    for said in named(page):
        if not re.fullmatch(r"[\w.-]+/[\w./-]*", said):
            continue
        places = [root for root in roots if (root / said.split("/")[0]).is_dir()]
        assert not places or any((root / said).exists() for root in places), said


@pytest.mark.parametrize("page", GUIDE, ids=ids)
def test_every_setting_is_one(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(block for block in blocks(page) if block.is_settings):
        said = yaml.safe_load(block.text)
        if isinstance(said.get("storage"), Mapping):
            settings = yaml.safe_load((REPOSITORY / "k8s/base/instance/dagster.yaml").read_text())
            assert said["storage"] == settings["storage"]
        elif set(said) <= set(Deployment.model_fields):
            _load_deployment(said, tmp_path / f"{number}.yaml")
        else:
            template = (Path(init.__file__).parent / "templates" / init.FILES[1]).read_text()
            parse_policy(yaml.safe_dump({**yaml.safe_load(template), **said}))


def _load_deployment(said: Mapping[str, Any], file: Path) -> None:
    """A part of a deployment file, with what it needs beside it."""
    needed = {"storage": "./lake", "first_day": "2026-10-01", "policies": "./p", "sources": {}}
    file.write_text(yaml.safe_dump({**needed, **said}))
    load_deployment(file)


def test_every_metric_of_the_guide_is_told() -> None:
    page = (DOCS / "how-to" / "operate.md").read_text().partition("## Logs")[0]
    sources = ("orchestration/measuring.py", "commands/metrics.py")
    told = "".join((REPOSITORY / "attribution_pipeline" / name).read_text() for name in sources)
    named = re.findall(r"`attribution_(\w+)", page)
    assert len(named) > 10
    assert [name for name in named if f'"{name}"' not in told] == []


def test_every_word_of_a_failed_pull_is_one() -> None:
    page = (DOCS / "how-to" / "live-sources.md").read_text()
    table = page.partition("| word | is |")[2].partition("\n\n")[0]
    folders = (
        REPOSITORY / "attribution_pipeline" / "sources" / name for name in ("pull", "opencost")
    )
    code = "".join(path.read_text() for folder in folders for path in folder.glob("*.py"))
    words = {
        word
        for row in table.splitlines()
        for word in re.findall(r"`(\w+)`", row[: row.find("|", 1)])
    }
    assert len(words) > 15
    assert {word for word in words if f'"{word}"' not in code} == set()
