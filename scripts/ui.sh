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
port=${PORT:-3000} dashboard=${DASHBOARD_PORT:-3001}
for taken in "$port" "$dashboard"; do
  if (exec 3<>"/dev/tcp/127.0.0.1/$taken") 2>/dev/null; then
    echo "port $taken is in use: \`make ui PORT=3100 DASHBOARD_PORT=3101\` takes others" >&2
    exit 2
  fi
done

# once, before two processes would both create the same SQLite files
python -c "import dagster as dg; dg.DagsterInstance.get().dispose()"

started=()
# each once: Dagster's code servers wait for their parents
trap 'trap - EXIT INT TERM; kill "${started[@]}" 2>/dev/null || true; wait 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
attribution dashboard --no-browser --port "$dashboard" --dagster "http://127.0.0.1:$port" &
started+=($!)
# a code server that is told to end says so as a warning, each minute
dagster-daemon run --code-server-log-level error -w workspace.yaml &
started+=($!)
echo "Dagster on http://127.0.0.1:$port/assets/attribution_ledger (Ctrl-C stops both)"
dagster-webserver --code-server-log-level error -h 127.0.0.1 -p "$port" -w workspace.yaml &
started+=($!)
wait -n "${started[@]}"
