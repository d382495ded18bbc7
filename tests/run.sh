#!/usr/bin/env bash
# Installs what is missing, builds a release and runs every test: tests/run.sh [ctest arguments]
# For example: tests/run.sh -L unit, which installs and builds what those tests need and nothing else
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=(--tests) targets=() fuzzer=1
case "${1:-} ${2:-}" in
  "--help "* | "-h "*) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
  "-L unit" | "-L datadriven" | "-L contract" | "-L sim") packages=() targets=("tests_$2") fuzzer=0 ;;
  "-L fuzz") targets=(tests_fuzz) ;;
  "-L e2e" | "-L fault") fuzzer=0 ;;
esac
scripts/install.sh ${packages[@]+"${packages[@]}"}
if [ ${#packages[@]} -gt 0 ]; then
  scripts/lint.sh
  scripts/format.sh --check
fi
scripts/build.sh release ${targets[@]+"${targets[@]}"}
[ "$fuzzer" = 0 ] || scripts/build.sh fuzz fuzzer
exec ctest --test-dir build/release --output-on-failure --no-tests=error --parallel 2 "$@"
