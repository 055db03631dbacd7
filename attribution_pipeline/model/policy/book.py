"""Every published version of a policy, and the one in force on a charge day.

Belongs here: reading policy files, the rules between versions. Does not: what one version says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy.document import Policy
from attribution_pipeline.model.strict import validated
from attribution_pipeline.model.yaml_lines import parse_document, read_text

SUFFIXES = (".yaml", ".yml")

MOST_KEPT = 256
"""Files whose reading a process keeps, by their text: a run over a year asks for them with every day."""


@dataclass(frozen=True)
class Published:
    """A version and the place in its file that gives its number."""

    policy: Policy
    where: str


@dataclass(frozen=True)
class PolicyBook:
    """Versions by effective day, oldest first; of one day the higher number last."""

    published: tuple[Published, ...]
    folder: str = ""

    @classmethod
    def of(cls, published: Iterable[Published], folder: str = "") -> PolicyBook:
        """A book. Raises Refusal where two files claim one version number."""
        by_version: dict[int, Published] = {}
        for entry in published:
            first = by_version.setdefault(entry.policy.version, entry)
            if first is entry:
                continue
            same = first.policy.digest == entry.policy.digest
            how = "is published twice" if same else "is published with two contents"
            raise Refusal(
                f"version {entry.policy.version} of policy {entry.policy.policy} {how} "
                f"(also in {first.where})",
                where=entry.where,
                remedy="remove one file" if same else "a change is a new version: number it so",
            )
        ordered = sorted(
            by_version.values(), key=lambda entry: (entry.policy.effective_from,
                                                    entry.policy.version),
        )  # fmt: skip
        return cls(tuple(ordered), folder)

    def including(self, entry: Published) -> PolicyBook:
        """The book as it would be with one more file published. Raises Refusal where its number
        belongs to another content; a version that is published already changes nothing."""
        if any(known.policy.digest == entry.policy.digest for known in self.published):
            return self
        return PolicyBook.of([*self.published, entry], self.folder)

    @property
    def versions(self) -> Sequence[Policy]:
        """Every version, in the order of the book."""
        return [entry.policy for entry in self.published]

    @property
    def newest(self) -> Policy:
        """The version with the highest number, whenever it takes effect."""
        return max(self.versions, key=lambda policy: policy.version)

    def in_force(self, day: date) -> tuple[Policy, str]:
        """The version that governs a charge day, and its digest. Raises Refusal without one."""
        for policy in reversed(self.versions):
            if policy.effective_from <= day:
                return policy, policy.digest
        earliest = min(policy.effective_from for policy in self.versions)
        raise Refusal(
            f"no policy is in force on {day}: the earliest takes effect on {earliest}",
            where=self.folder,
            remedy=f"publish a version with `effective_from: {day}` or earlier, or start later",
        )

    def version(self, number: int) -> Policy:
        """The version with this number. Raises Refusal without one."""
        for policy in self.versions:
            if policy.version == number:
                return policy
        known = ", ".join(str(policy.version) for policy in self.versions)
        raise Refusal(
            f"there is no version {number}", where=self.folder, remedy=f"published are: {known}"
        )

    def attribute_aliases(self) -> list[str]:
        """Span attributes that any version reads, sorted: what landing must keep."""
        return sorted({name for policy in self.versions for name in policy.join.attribute_names()})

    def attributes_between(self, first: date, last: date) -> frozenset[str]:
        """Span attributes that the versions read that govern any day from first to last."""
        names: set[str] = set()
        after = date.max
        for policy in reversed(self.versions):
            # of two with one effective day the later of the book governs
            if policy.effective_from < after and policy.effective_from <= last and first < after:
                names.update(policy.join.attribute_names())
            after = min(after, policy.effective_from)
        return frozenset(names)


def parse_policy(text: str, path: str = "policy.yaml") -> Policy:
    """The policy in ``text``; ``path`` is what messages call it. Raises Refusal."""
    return validated(parse_document(text, path), Policy)


def load_policy(path: Path) -> tuple[Policy, str]:
    """The policy in a file, and its digest. Raises Refusal with file, line and remedy."""
    policy = load_published(path).policy
    return policy, policy.digest


def load_published(path: Path) -> Published:
    """The policy in a file, and the place that gives its number. Raises Refusal as above."""
    return _published(read_text(Path(path)), str(path))


@lru_cache(maxsize=MOST_KEPT)
def _published(text: str, path: str) -> Published:
    document = parse_document(text, path)
    return Published(validated(document, Policy), document.where(("version",)))


def load_policies(folder: Path) -> PolicyBook:
    """Every ``*.yaml`` and ``*.yml`` directly in ``folder``. Raises Refusal, also without any."""
    folder = Path(folder)
    if not folder.is_dir():
        raise Refusal(
            "there is no such folder of policies",
            where=str(folder),
            remedy="create it, or correct `policies` in the deployment file",
        )
    paths = sorted(
        path for path in folder.iterdir()
        if path.suffix in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )  # fmt: skip
    if not paths:
        raise Refusal(
            "holds no policy (*.yaml)",
            where=str(folder),
            remedy="write one; `attribution init DIR` makes a first one",
        )
    return PolicyBook.of((load_published(path) for path in paths), str(folder))
