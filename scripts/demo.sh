#!/usr/bin/env bash
# make demo: a made-up company written, its days materialized through Dagster, the bill tied out.
set -euo pipefail
folder=$1 days=$2 spans=$3

rm -rf "$folder"
attribution demo "$folder" --days "$days" --spans-per-day "$spans"

# the UI shows the same runs: they are recorded here
DAGSTER_HOME="$(realpath "$folder")/.dagster"
export DAGSTER_HOME
mkdir -p "$DAGSTER_HOME"
cp dagster.yaml "$DAGSTER_HOME/"

first=$(sed -n 's/^first_day: //p' "$folder/attribution.yaml")
last=$(date -u -d "$first + $((days - 1)) days" +%F)
attribution run --config "$folder/attribution.yaml" --from "$first" --to "$last"

cat <<TEXT

What is alerted above is on purpose: calls that do not say whose they are, a budget that is overspent, a
gateway that counts at an old price list. So is the Azure export without its manifest, which is not read.

Who caused it, tenant by tenant:
  $(command -v attribution | sed "s|^$PWD/||") ledger --config $folder/attribution.yaml --by tenant_id,component

The same days to click through, and in Dagster with their checks:
  make ui        then open http://127.0.0.1:3001 and http://127.0.0.1:3000/assets/attribution_ledger
TEXT
