"""A session with object storage: the client, credentials by the usual chain, what delta-rs is told.

Belongs here: how ``Access`` becomes a client. Does not: requests (``client``).
"""

from __future__ import annotations

import os
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attribution_pipeline.buckets.errors import failed
from attribution_pipeline.buckets.place import Access
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

CONNECT_TIMEOUT_S = 10.0
CONNECTIONS = 32
"""Open connections that a process keeps."""

OWN_ENDPOINT_REGION = "us-east-1"
"""What S3-compatible servers call their only region, unless they are told otherwise."""


class Session:
    """One session with its client: credentials that renew themselves, connections that are kept."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.pid = os.getpid()
        self.refusing: set[str] = set()
        """Buckets of a server that was seen to refuse what stands there already."""

    @cached_property
    def _session(self) -> Any:
        import boto3
        from botocore.exceptions import BotoCoreError

        try:
            return boto3.Session(profile_name=self._access.profile or None)
        except BotoCoreError as error:
            raise Refusal(
                f"the AWS configuration cannot be used ({type(error).__name__})",
                where=f"profile {self._access.profile}" if self._access.profile else "AWS_PROFILE",
                remedy="correct the profile's name, or the files ~/.aws/config and credentials",
            ) from None

    @cached_property
    def region(self) -> str:
        """Where requests are signed for."""
        found = self._access.region or self._session.region_name
        if not found and not self._access.endpoint:
            raise Refusal(
                "no region is known for a bucket at AWS",
                where="s3",
                remedy="give `region` under `s3` in the deployment file, or set AWS_REGION",
            )
        return str(found or OWN_ENDPOINT_REGION)

    @cached_property
    def client(self) -> Any:
        from botocore.config import Config

        access = self._access
        client = self._session.client(
            "s3",
            region_name=self.region,
            endpoint_url=access.endpoint or None,
            config=Config(
                # an endpoint from the environment would be one that nobody wrote down
                ignore_configured_endpoint_urls=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=access.timeout_s,
                max_pool_connections=CONNECTIONS,
                retries={"mode": "standard", "total_max_attempts": access.attempts},
                s3={"addressing_style": self._addressing, "payload_signing_enabled": True},
                # servers before 2025 do not know the newer checksums; payloads are signed instead
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        client.meta.events.register("before-call.s3", _stay_here)
        return client

    @property
    def _addressing(self) -> str:
        return self._access.addressing or ("path" if self._access.endpoint else "auto")

    def delta_options(self, bucket: str) -> dict[str, str]:
        """As object_store, which delta-rs uses, spells it. Nothing is left to the environment."""
        credentials = self.credentials()
        endpoint = str(self.client.meta.endpoint_url)
        virtual = self._addressing == "virtual"
        if virtual:
            scheme, _, host = endpoint.partition("://")
            endpoint = f"{scheme}://{bucket}.{host}"
        return {
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            **({"AWS_SESSION_TOKEN": credentials.token} if credentials.token else {}),
            # all of its names: what the environment calls by one of them would come before the others
            "AWS_ENDPOINT": endpoint,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_S3": endpoint,
            "AWS_REGION": self.region,
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": str(virtual).lower(),
            "AWS_ALLOW_HTTP": str(endpoint.startswith("http://")).lower(),
            "AWS_CONDITIONAL_PUT": "etag",
            "max_retries": str(self._access.attempts - 1),
            "timeout": f"{self._access.timeout_s:g}s",
        }

    def credentials(self) -> ReadOnlyCredentials:
        """As they are now; those that end are renewed before they do."""
        from botocore.exceptions import BotoCoreError

        try:
            found = self._session.get_credentials()
            if found is not None:
                frozen: ReadOnlyCredentials = found.get_frozen_credentials()
                return frozen
        except BotoCoreError as error:
            raise failed(error, "AWS credentials") from None
        raise failed(None, "AWS credentials")


def _stay_here(params: dict[str, Any], **_: object) -> None:
    """botocore asks a bucket's region where an answer is a redirect, and goes there; it does not
    where it has been redirected already. (A server that redirects every request would keep it asking
    until the stack ends: measured, 1.44.)"""
    params["context"].setdefault("s3_redirect", {})["redirected"] = True


_OPEN: dict[Access, Session] = {}
_LOCK = threading.Lock()


def session_of(access: Access) -> Session:
    """One for every way to reach storage in this process; a forked child makes its own."""
    with _LOCK:
        found = _OPEN.get(access)
        if found is None or found.pid != os.getpid():
            found = _OPEN[access] = Session(access)
        return found
