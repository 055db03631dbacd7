"""Object storage: where a bucket is, and the few requests that the lake and the sources make of it.

Belongs here: ``place`` (what ``s3://bucket/prefix`` means, and how it is reached), ``session``
(credentials by the usual chain), ``client`` (requests), ``errors`` (as ``OSError``), ``settings`` (what
people write). Does not: what objects mean (``lake``, ``sources``), or any rule about money.

Nothing here deletes an object: nothing that was written is taken back.
"""

from attribution_pipeline.buckets.place import Access, Bucket

__all__ = ["Access", "Bucket"]
