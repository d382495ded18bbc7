#!/usr/bin/env bash
# Formats all C and C++ sources in place; with --check, lists what is not formatted and exits 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mode=(-i)
case "${1:-}" in
  --check) mode=(--dry-run -Werror) ;;
  --help | -h) sed -n '2s/^# //p' "$0"; exit 0 ;;
esac
git ls-files -z --cached --others --exclude-standard '*.h' '*.cc' '*.c' | xargs -0 clang-format "${mode[@]}"
