# One image for every pod of k8s/: code location, webserver, daemon, runs, dashboard, metrics.
#
#   make image BASE=docker.io/library/python:3.11-slim-bookworm@sha256:...
#
# BASE has no default on purpose. The base image is pinned by digest, a digest has to be looked up in a
# registry, and one that was copied from somewhere would only look like a pin.
ARG BASE

FROM ${BASE} AS build
# gcc for the compiled span scanner, of no named version: Debian keeps one alone. Nothing of this stage but
# /opt/attribution reaches the image
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/attribution
WORKDIR /src
COPY requirements-image.lock .
# the lock is the whole closure, each file by its hash: nothing is resolved here. PySpark is a source
# distribution; without setuptools in place, and isolation off, pip would fetch a builder by no hash
RUN awk '/^[a-z]/ {take = /^setuptools==/} take' requirements-image.lock > build.lock \
 && /opt/attribution/bin/python -m pip install --require-hashes --no-deps -r build.lock \
 && /opt/attribution/bin/python -m pip install --require-hashes --no-deps --no-build-isolation -r requirements-image.lock
COPY pyproject.toml setup.py README.md ./
COPY attribution_pipeline attribution_pipeline
RUN /opt/attribution/bin/python -m pip install --no-deps --no-build-isolation . \
 && /opt/attribution/bin/python -P -c "import attribution_pipeline.sources.otlp._native" \
 && /opt/attribution/bin/python -m pip uninstall --yes pip

FROM ${BASE}
LABEL org.opencontainers.image.title="attribution-pipeline"
RUN groupadd --gid 10001 attribution \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin attribution
COPY --from=build /opt/attribution /opt/attribution
# the root file system is read-only in every pod: nothing is written but under /tmp
ENV PATH=/opt/attribution/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DAGSTER_DISABLE_TELEMETRY=yes
USER 10001:10001
WORKDIR /tmp
CMD ["attribution", "--help"]
