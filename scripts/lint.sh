#!/usr/bin/env bash
# Prints every include and dependency against the arrows of scripts/arrows.txt, every file too large to
# belong into a repository, and exits 1 if there is one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case "${1:-}" in --help | -h) sed -n '2,3s/^# //p' "$0"; exit 0 ;; esac
exec python3 scripts/lint.py "$@"
