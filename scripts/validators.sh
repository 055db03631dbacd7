#!/usr/bin/env bash
# The outside judges of a FOCUS export, each in an environment of its own: build/validators/NAME.
# focus-validator 2.2.1 needs Python 3.12 or newer; on 3.11 pip would install one that fails on import.
set -euo pipefail
pins=attribution_pipeline_tests/export/validators

newer_python() {
  local found
  for found in python3.12 python3.13 python3 "$(pyenv root 2>/dev/null)"/versions/3.1[23]*/bin/python3; do
    if "$found" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 12), (3, 13)))' 2>/dev/null; then
      echo "$found"
      return
    fi
  done
  echo "focus-validator needs Python 3.12 or 3.13: install one (its tests are skipped until then)" >&2
  return 1
}

install_into() { # name, python
  "$2" -m venv --clear "build/validators/$1"
  "build/validators/$1/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --no-deps --no-compile -r "$pins/$1.txt"
}

mkdir -p build/validators
install_into focus-data-toolkit "${PYTHON:-python3}"
if newer=$(newer_python); then
  install_into focus-validator "$newer"
fi
