#!/usr/bin/env bash
# Installs what is missing, builds a release and runs every test: tests/run.sh [ctest arguments]
# For example: tests/run.sh -L unit
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case "${1:-}" in --help | -h) sed -n '2,3s/^# //p' "$0"; exit 0 ;; esac
scripts/install.sh --tests
scripts/lint.sh
scripts/build.sh release
scripts/build.sh fuzz fuzzer
exec ctest --test-dir build/release --output-on-failure --no-tests=error --parallel 2 "$@"
