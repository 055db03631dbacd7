"""The one part that is compiled: OTLP into columns (docs/decisions/0015).

Belongs here: that extension; everything else about the package stands in pyproject.toml, whose own
way of naming extensions setuptools still calls experimental.

It is optional: where there is no C compiler it is left out, and landing reads spans in Python.
"""

from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("attribution_pipeline/sources/otlp/native")

setup(
    ext_modules=[
        Extension(
            "attribution_pipeline.sources.otlp._native",
            sources=sorted(str(path) for path in NATIVE.glob("*.c")),
            depends=sorted(str(path) for path in NATIVE.glob("*.h")),
            extra_compile_args=["-O3"],
            py_limited_api=True,
            optional=True,
        )
    ]
)
