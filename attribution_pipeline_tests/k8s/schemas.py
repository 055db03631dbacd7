"""Kubernetes' schemas by version, out of the wheel ``kubernetes-validate``.

Belongs here: which versions, and reading each schema once. Does not: rules of our own (``rules``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from unittest import mock

VERSIONS = ("1.33", "1.35", "1.37")
"""The oldest with security fixes when this was written, one between, the newest."""


@contextlib.contextmanager
def schemas_read_once() -> Iterator[None]:
    """The library reads a version's definitions, megabytes, for every object anew."""
    import kubernetes_validate.utils as library

    with mock.patch.object(library, "schema_contents", lru_cache(library.schema_contents)):
        yield


def validate(found: dict[str, Any], version: str) -> None:
    """Raises ValidationError where a field is missing, unknown or of another type; and fails where
    the library would take the schemas of an older version."""
    import kubernetes_validate

    assert kubernetes_validate.validate(found, version, strict=True) == version
