"""Delta's commits, wherever the table is: delta-rs told to do one thing once, or not at all.

Belongs here: the calls into delta-rs that both stores make. Does not: what a commit says (``delta``),
making it durable on a disk, or reaching a bucket (the stores).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

Options = dict[str, str] | None
"""How delta-rs reaches the table; None: on this machine."""


def create(
    url: str,
    name: str,
    schema: pa.Schema,
    properties: Mapping[str, str],
    options: Options = None,
) -> None:
    """A table partitioned by ``charge_date``. Raises DeltaError where there is one."""
    from deltalake import CommitProperties, DeltaTable, Schema

    DeltaTable.create(
        url,
        schema=Schema.from_arrow(schema),
        mode="error",
        partition_by=["charge_date"],
        name=name,
        configuration=dict(properties),
        storage_options=options,
        # with retries, who comes second creates the table once more, as version 1 (measured)
        commit_properties=CommitProperties(max_commit_retries=0),
    )


def opened(url: str, seen: DeltaTable | None, options: Options = None) -> DeltaTable:
    """The table at its newest version; ``seen`` is brought forward."""
    from deltalake import DeltaTable

    if seen is None:
        return DeltaTable(url, storage_options=options)
    seen.update_incremental()
    return seen


def commit(
    table: DeltaTable, actions: Sequence[Any], schema: pa.Schema, metadata: Mapping[str, str]
) -> None:
    """The version after the one at which ``table`` stands, or CommitFailedError."""
    from deltalake import CommitProperties
    from deltalake.transaction import PostCommitHookProperties

    table.create_write_transaction(
        list(actions),
        "append",
        schema,
        ["charge_date"],
        commit_properties=CommitProperties(custom_metadata=dict(metadata), max_commit_retries=0),
        post_commithook_properties=PostCommitHookProperties(
            create_checkpoint=False, cleanup_expired_logs=False
        ),
    )
