"""A refusal as Dagster shows it: its one line, where people look, and no retry.

Belongs here: that translation. Does not: what is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from attribution_pipeline.buckets.place import is_bucket_url
from attribution_pipeline.model.errors import Refusal


@contextmanager
def shown_as_failures() -> Iterator[None]:
    """Turn a Refusal into a run failure whose description is the refusal's line.

    A file that cannot be read or written is a refusal too: of the deployment's folders.
    """
    try:
        yield
    except Refusal as refusal:
        raise dg.Failure(description=refusal.line(), allow_retries=False) from refusal
    except OSError as error:
        raise dg.Failure(description=unusable(error).line(), allow_retries=False) from error


def unusable(error: OSError) -> Refusal:
    """What an operating system's refusal is to a person: the path, its word, what to look at."""
    where = str(error.filename or "the deployment's folders")
    remedy = "see that the folder exists, may be written and has space"
    if is_bucket_url(where):
        remedy = "see that storage answers, and that this user may read and write there"
    return Refusal(
        (error.strerror or str(error)).lower(),
        where=where,
        remedy=f"nothing was recorded; {remedy}",
    )
