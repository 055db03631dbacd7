#!/usr/bin/env bash
# make ui: the dashboard, and Dagster's webserver and daemon, on the demo or on the deployment of
# $ATTRIBUTION_CONFIG. All stop together: on Ctrl-C, and where one of them ends.
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
port=${PORT:-3000}

# once, before two processes would both create the same SQLite files
python -c "import dagster as dg; dg.DagsterInstance.get().dispose()"

started=()
# each once: Dagster's code servers wait for their parents
trap 'trap - EXIT INT TERM; kill "${started[@]}" 2>/dev/null || true; wait 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
attribution dashboard --no-browser --port "${DASHBOARD_PORT:-3001}" --dagster "http://127.0.0.1:$port" &
started+=($!)
dagster-daemon run -w workspace.yaml &
started+=($!)
echo "Dagster on http://127.0.0.1:$port/assets/attribution_ledger (Ctrl-C stops both)"
dagster-webserver -h 127.0.0.1 -p "$port" -w workspace.yaml &
started+=($!)
wait -n "${started[@]}"
