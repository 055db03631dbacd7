#!/usr/bin/env bash
# make ui: Dagster's webserver and daemon on the demo, or on the deployment of $ATTRIBUTION_CONFIG.
set -euo pipefail
folder=$1
export ATTRIBUTION_CONFIG=${ATTRIBUTION_CONFIG:-$PWD/$folder/attribution.yaml}
if [ ! -f "$ATTRIBUTION_CONFIG" ]; then
  echo "no deployment at $ATTRIBUTION_CONFIG: run \`make demo\` first, or set ATTRIBUTION_CONFIG" >&2
  exit 2
fi
export DAGSTER_HOME=${DAGSTER_HOME:-$(dirname "$ATTRIBUTION_CONFIG")/.dagster}
mkdir -p "$DAGSTER_HOME"
[ -f "$DAGSTER_HOME/dagster.yaml" ] || cp dagster.yaml "$DAGSTER_HOME/"

# once, before two processes would both create the same SQLite files
python -c "import dagster as dg; dg.DagsterInstance.get().dispose()"

dagster-daemon run -w workspace.yaml &
daemon=$!
trap 'kill $daemon 2>/dev/null || true' EXIT
echo "Dagster on http://127.0.0.1:${PORT:-3000}/assets/attribution_ledger (Ctrl-C stops it)"
dagster-webserver -h 127.0.0.1 -p "${PORT:-3000}" -w workspace.yaml
