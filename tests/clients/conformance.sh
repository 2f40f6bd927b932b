#!/usr/bin/env bash
# Runs the official conformance suites against an MCP server that lets anybody in from this machine:
#   tests/clients/conformance.sh URL [SCENARIO…]
# Without scenarios: 0.1.16 with all its suites, and both requirement sets of 0.2.0-alpha.12. With
# scenarios: only these, at both protocol versions. No failure is expected; the first ends it.
set -euo pipefail
url=$1
shift
folder=$("$(dirname "$0")/install")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

run() {
    local suite=$1
    shift
    local log=$out/log
    echo "conformance $suite: $*"
    if ! "$folder/node" "$folder/node_modules/conformance-$suite/dist/index.js" \
        server --url "$url" --output-dir "$out/results" "$@" >"$log" 2>&1; then
        cat "$log"
        echo "conformance $suite: failed: $*" >&2
        exit 1
    fi
    # Nothing checked is no success.
    grep -E '^(Total|Passed): ' "$log" | grep -vE '(Total|Passed): 0' || {
        cat "$log"
        echo "conformance $suite: ran no check: $*" >&2
        exit 1
    }
}

if [ $# -eq 0 ]; then
    run first --suite all
    run second --requirements 2025-11-25
    run second --requirements 2026-07-28
else
    for scenario in "$@"; do
        run second --scenario "$scenario" --spec-version 2025-11-25
        run second --scenario "$scenario" --spec-version 2026-07-28
    done
fi
