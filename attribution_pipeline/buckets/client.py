"""Requests to object storage: whole objects, written once where asked, and pages of names.

Belongs here: one request and its error. Does not: credentials (``session``), what is asked for when
(``lake.bucket_store``, ``sources.bucket_objects``), where local copies lie.

Errors are ``OSError``s with an errno and the object's address: a missing object is a
FileNotFoundError, a missing bucket is not. Of what a server says of an error, its code is repeated and
nothing else: some servers repeat the request, and with it a key. Redirects are not followed.
"""

from __future__ import annotations

import contextlib
import errno
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from attribution_pipeline.buckets.errors import failed, in_words
from attribution_pipeline.buckets.place import Bucket
from attribution_pipeline.buckets.session import session_of
from attribution_pipeline.model.errors import Refusal

SINGLE_PUT_BYTES = 1 << 30
"""Larger files go up in parts. (S3 takes five times as much in one request.)"""

PROBE = ".if-none-match"
"""Hidden from every listing of evidence: shows that a server creates an object once."""

CHUNK_BYTES = 1 << 20

PAGE_KEYS = 1000
"""Names in a page of a listing: as many as S3 gives."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Between tries of what botocore does not try again itself: bodies that end early, and 409."""


class Replaced(Exception):
    """The object that was asked for is another one by now."""


@dataclass(frozen=True)
class Entry:
    """One object as storage lists it."""

    key: str
    size: int
    etag: str
    modified: datetime


class Client:
    """Requests under one place. Threads may share one."""

    def __init__(self, place: Bucket) -> None:
        self.place = place
        self.session = session_of(place.access)

    def where(self, name: str) -> str:
        """The object's address, for messages."""
        return str(self.place / name) if name else str(self.place)

    # -- reading -----------------------------------------------------------------------------

    def head(self, name: str) -> Entry:
        """What is there under a name. Raises FileNotFoundError."""
        key = self.place.key(name)
        said = self._asked(name, "head_object", Key=key)
        return Entry(key, said["ContentLength"], said["ETag"], said["LastModified"])

    def read(self, name: str) -> bytes:
        """A small object. Raises FileNotFoundError."""
        content = bytearray()

        def take(part: bytes | None) -> None:
            content.clear() if part is None else content.extend(part)

        self.stream(name, take)
        return bytes(content)

    def stream(
        self, name: str, take: Callable[[bytes | None], object], etag: str | None = None
    ) -> Entry:
        """Give an object's bytes to ``take``, part by part; None means: from the beginning again.

        With ``etag`` of that content alone: raises Replaced where it is gone. All parts are of one
        content, whole, or an OSError is raised.
        """
        key = self.place.key(name)
        condition = {} if etag is None else {"IfMatch": etag}
        for left in range(self.place.access.attempts - 1, -1, -1):
            said = self._asked(name, "get_object", Key=key, **condition)
            take(None)
            try:
                found = 0
                with contextlib.closing(said["Body"]) as body:
                    while part := body.read(CHUNK_BYTES):
                        found += len(part)
                        take(part)
                if found == said["ContentLength"]:
                    return Entry(key, found, said["ETag"], said["LastModified"])
                error: OSError = OSError(
                    errno.EIO, "the answer ended before the object did", self.where(name)
                )
            except Exception as caught:
                # the disk's own errors, of who takes the parts, are the caller's
                if not _of_the_wire(caught):
                    raise
                error = failed(caught, self.where(name))
            if left:
                _pause(self.place.access.attempts - 1 - left)
        raise error

    def entries(self, folder: str = "", *, deep: bool = True) -> Iterator[Entry | str]:
        """What lies under a folder, page by page, by key: objects, and with ``deep=False`` the names
        of folders directly in it (ending in a slash) instead of what is in them."""
        prefix = self.place.key(folder)
        asked: dict[str, Any] = {"Prefix": f"{prefix}/" if prefix else "", "MaxKeys": PAGE_KEYS}
        if not deep:
            asked["Delimiter"] = "/"
        while True:
            said = self._asked(folder, "list_objects_v2", **asked)
            for one in said.get("CommonPrefixes", ()):
                yield one["Prefix"]
            for one in said.get("Contents", ()):
                yield Entry(one["Key"], one["Size"], one["ETag"], one["LastModified"])
            token = said.get("NextContinuationToken")
            if not said.get("IsTruncated"):
                return
            if not token or token == asked.get("ContinuationToken"):
                raise OSError(errno.EIO, "a listing does not go on", self.where(folder))
            asked["ContinuationToken"] = token

    # -- writing -----------------------------------------------------------------------------

    def create(self, name: str, content: bytes) -> None:
        """Write an object that is not there. Raises FileExistsError, also to who came second, and
        Refusal where the server does not keep to that."""
        self._require_conditions()
        self._asked(name, "put_object", Key=self.place.key(name), Body=content, IfNoneMatch="*")

    def replace(self, name: str, content: bytes) -> None:
        """Write an object, new or over an older one."""
        self._asked(name, "put_object", Key=self.place.key(name), Body=content)

    def upload(self, path: Path, name: str) -> str:
        """Write a local file, new or over an older one; its ETag."""
        key = self.place.key(name)
        if path.stat().st_size <= SINGLE_PUT_BYTES:
            with path.open("rb") as file:
                return str(self._asked(name, "put_object", Key=key, Body=file)["ETag"])
        try:
            self.session.client.upload_file(str(path), self.place.bucket, key)
        except Exception as error:
            if not _of_the_wire(error):
                raise
            raise failed(error, self.where(name)) from None
        return self.head(name).etag

    # -- inside ------------------------------------------------------------------------------

    def _require_conditions(self) -> None:
        """Once in a process, at a bucket of an own endpoint: the server must refuse to create what
        stands there. One that ignores the condition lets two runs publish the same day twice.

        ``PROBE`` is asked for, and stays: whoever writes here need not be allowed to delete.
        """
        if not self.place.access.endpoint or self.place.bucket in self.session.refusing:
            return
        try:
            for _ in range(2):
                self._asked(
                    PROBE, "put_object", Key=self.place.key(PROBE), Body=b"", IfNoneMatch="*"
                )
        except FileExistsError:
            self.session.refusing.add(self.place.bucket)
            return
        raise Refusal(
            "the server overwrites objects that it is asked to create (it ignores If-None-Match), so "
            "one run could undo another's work",
            where=self.where(""),
            remedy="use a server that keeps to it: see docs/how-to/object-storage.md",
        )

    def delta_options(self) -> dict[str, str]:
        """What delta-rs must know to reach the place, credentials as they are now."""
        return self.session.delta_options(self.place.bucket)

    def _asked(self, name: str, method: str, **asked: Any) -> dict[str, Any]:
        """One request's answer. Raises OSError, or Replaced for a condition on a read."""
        attempts = self.place.access.attempts
        for attempt in range(attempts):
            try:
                call = getattr(self.session.client, method)
                said: dict[str, Any] = call(Bucket=self.place.bucket, **asked)
                return said
            except Exception as error:
                if not _of_the_wire(error):
                    raise
                status, code = in_words(error)
                if status == 412 and "IfMatch" in asked:
                    raise Replaced(self.where(name)) from None
                if status == 409 and attempt + 1 < attempts:
                    # two conditional writes met; the one that is sent again learns how it ended
                    _rewind(asked.get("Body"))
                    _pause(attempt)
                    continue
                if status == 404 and code == "404" and self._is_gone():
                    raise _no_bucket(self.where("")) from None
                raise failed(error, self.where(name)) from None
        raise AssertionError("a request was never sent")

    def _is_gone(self) -> bool:
        """Whether the bucket itself is missing: a HEAD's answer has no words to tell."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.session.client.head_bucket(Bucket=self.place.bucket)
        except ClientError as error:
            return in_words(error)[0] == 404
        except BotoCoreError:
            return False
        return False


def _no_bucket(where: str) -> OSError:
    return OSError(errno.ENXIO, "there is no such bucket", where)


def _of_the_wire(error: Exception) -> bool:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    return isinstance(error, (BotoCoreError, ClientError, Boto3Error, HTTPError))


def _pause(attempt: int) -> None:
    longest = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)
    time.sleep(random.uniform(longest / 2, longest))


def _rewind(body: bytes | BinaryIO | None) -> None:
    if body is not None and not isinstance(body, bytes):
        body.seek(0)
