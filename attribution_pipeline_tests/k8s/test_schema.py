"""Every object is one that three versions of Kubernetes know, field by field."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from attribution_pipeline_tests.k8s.rendered import OVERLAYS, rendered
from attribution_pipeline_tests.k8s.schemas import VERSIONS, schemas_read_once, validate


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_valid(overlay: str, version: str) -> None:
    objects = rendered(overlay)
    assert len(objects) > 25
    for found in objects:
        validate(found, version)


@pytest.fixture(autouse=True, scope="module")
def _read_schemas_once() -> Iterator[None]:
    with schemas_read_once():
        yield


def test_a_misspelt_field_is_found() -> None:
    import kubernetes_validate

    (found, *_) = [one for one in rendered("local") if one["kind"] == "Deployment"]
    found["spec"]["template"]["spec"]["containers"][0]["securityContext"][
        "readOnlyRootFileSystem"
    ] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(found, VERSIONS[0], strict=True)
