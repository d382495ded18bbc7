#!/usr/bin/env bash
# Configures (once) and builds a preset: scripts/build.sh [release|dev|plain|asan|tsan|fuzz] [target...]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 3
case "${1:-release}" in
  --help | -h) sed -n '2s/^# //p' "$0"; exit 0 ;;
esac
preset=${1:-release}
shift || true

folder=build/$preset
if [ ! -f "$folder/build.ninja" ]; then
  mkdir -p "$folder"
  cmake --preset "$preset" >"$folder/configure.log" 2>&1 ||
    { tail -n 20 "$folder/configure.log" >&2; echo "build.sh: configuring failed" >&2; exit 3; }
fi
[ -f "$folder/.ninja_log" ] || echo "building ($preset); the first time takes minutes"
export NINJA_STATUS="[%f/%t %es] "
if [ -t 1 ]; then
  exec ninja -C "$folder" --quiet "$@"
fi
# Not on a terminal: a line for every tenth of the way instead of one per file.
ninja -C "$folder" "$@" 2>&1 | tee "$folder/build.log" |
  awk -F'[][/ ]' '/^\[/ {tenth = int(10 * $2 / $3); if ($3 > 10 && tenth > last) {print; fflush(); last = tenth}}'
status=${PIPESTATUS[0]}
[ "$status" = 0 ] || grep -A 15 -E 'FAILED|error' "$folder/build.log" | head -60 >&2
exit "$status"
