#!/usr/bin/env bash
# Builds the bank, runs customers against its branches, lets the checker judge, stops everything.
# Here: what may be asked for, and the build. scripts/run/ starts, watches and stops the processes.
set -euo pipefail
invoked_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'USAGE'
usage: ./run_all.sh [INPUT.json] [options]         replay the customers of INPUT, judge, stop
       ./run_all.sh --against FILE [INPUT.json]    judge somebody else's bank on INPUT
       ./run_all.sh --serve [options]              leave a bank up until Ctrl-C
       ./run_all.sh --restart N [options]          start branch N of the bank that is up again

  INPUT.json                 an input of the course (default: input/three_branches.json); its form
                             says to which of the three projects it belongs
  --project N                1, 2 or 3, whatever the form says
  --order ORDER              sequential (default), converged (project 1) or concurrent; project 2 is
                             always concurrent
  --output FILE              where the answers go (default: in the run's folder)
  --form FORM                projects 2 and 3: now (default) or 2021, the older form of the answers
  --files N                  project 2: one (default), or three: FILE.1.json to FILE.3.json
  --guarantees WHICH         project 3: all (default) or none
  --replicator NAME          raft (default; projects 1 and 3) or lamport (default for project 2)
  --tls                      mutual TLS with a throw-away authority made for this run
  --base-port P              branch i listens at P+i (default: free ports; with --serve 50050);
                             with --restart: of the bank at these ports, if several are up
  --out DIR                  where the run's folder is made (environment: BANK_OUT; default: out/,
                             and a folder for temporary files if this checkout cannot be written to)
  --no-build                 use the programs as they are
  --help

  --against FILE             run the bank that FILE describes (docs/GRADING_OWN_BANK.md), judge its
                             answers; with --project, --order, --out
  --pause N, --kill N        with --against, if FILE has "wire": pause (or kill) branch N halfway

  --serve                    start a bank and leave it up. A branch that dies is told of, and the
                             others go on: on a terminal press r to start it again
  --branches N               with --serve: how many branches, 1 to 200 (default 3)
  --initial-balance X        with --serve: the shared account's first balance (default 400)
                             branch i serves its console at port P+1000+i
  --data FOLDER              with --serve: keep the branches' data here (default: the run's folder)

examples:
  ./run_all.sh
  ./run_all.sh input/fifty_branches.json --output answers.json
  ./run_all.sh input/three_branches.json --order concurrent
  ./run_all.sh --against input/against/example.json input/three_branches.json
  ./run_all.sh --serve --branches 5 --initial-balance 1000
  ./run_all.sh --restart 3

Exit codes: 0 everything held; 1 usage; 2 bad input; 3 unavailable, or somebody else's bank did not
run to its end; 4 an outcome is unknown; 6 the checker found an inconsistency. Logs, histories and
the checker's report: out/RUN/.
USAGE
}

die() { echo "run_all.sh: $2" >&2; exit "$1"; }

# --- What is asked for --------------------------------------------------------------------------
declare -A given=() # flag -> value; INPUT is the input
note() {
  [ -n "$2" ] || die 1 "$1 needs a value (see --help)"
  [ -z "${given[$1]+x}" ] || [ "$1" != INPUT ] || die 1 "one input at a time: '${given[INPUT]}' and '$2'"
  [ -z "${given[$1]+x}" ] || die 1 "$1 is given twice"
  given[$1]=$2
}
while [ $# -gt 0 ]; do
  case "$1" in
    --help | -h) usage; exit 0 ;;
    --tls | --serve | --no-build) note "$1" yes ;;
    --project | --form | --files | --guarantees | --order | --output | --replicator | --base-port | --out | --branches | --initial-balance | --data | --restart | --against | --pause | --kill)
      note "$1" "${2-}"
      shift ;;
    -*) die 1 "unknown option '$1' (see --help)" ;;
    *) note INPUT "$1" ;;
  esac
  shift
done

# A flag that would have no effect is refused.
mode=replay takes=" INPUT --project --form --files --guarantees --order --output --replicator --tls --base-port --out --no-build "
if [ -n "${given[--serve]+x}" ]; then
  mode=serve takes=" --serve --branches --initial-balance --data --replicator --tls --base-port --out --no-build "
elif [ -n "${given[--restart]+x}" ]; then
  mode=restart takes=" --restart --base-port --out "
elif [ -n "${given[--against]+x}" ]; then
  mode=against takes=" --against INPUT --project --order --pause --kill --out --no-build "
fi
for flag in INPUT --project --form --files --guarantees --order --output --replicator --tls --base-port --out --no-build --serve --branches --initial-balance --data --restart --against --pause --kill; do
  [ -z "${given[$flag]+x}" ] || [[ $takes == *" $flag "* ]] || case "$mode $flag" in
    "replay --pause" | "replay --kill") die 1 "$flag needs --against (see --help)" ;;
    "replay "*) die 1 "$flag needs --serve (see --help)" ;;
    *" INPUT") die 1 "--$mode takes no input: '${given[INPUT]}'" ;;
    *) die 1 "$flag has no effect with --$mode (see --help)" ;;
  esac
done

choice() { # FLAG VALUE...: what was given is one of these
  local flag=$1 value=${given[$1]-$2} one
  shift
  for one in "$@"; do [ "$value" != "$one" ] || return 0; done
  die 1 "$flag: '$value' is not one of: $(printf '%s, ' "$@" | sed 's/, $//')"
}
number() { # FLAG MIN MAX: what was given is a decimal number, without a sign or leading zeros
  local value=${given[$1]-$2}
  # What 19 digits can say beyond the highest number is negative to the shell.
  if [[ $value =~ ^(0|[1-9][0-9]{0,18})$ ]] && ((value >= $2 && value <= $3)); then return 0; fi
  die 1 "$1: '$value' is not a number from $2 to $3"
}
choice --order sequential converged concurrent
choice --form now 2021
choice --files one three
choice --guarantees all none
choice --replicator raft lamport
number --project 1 3
number --base-port 1 65535
number --branches 1 200
number --initial-balance 0 9223372036854775807
number --restart 1 4294967295
number --pause 1 4294967295
number --kill 1 4294967295

# Paths the user gave are relative to where the user stands.
absolute() { case "$1" in "" | /*) echo "$1" ;; *) echo "$invoked_from/$1" ;; esac; }

# --- Install and build --------------------------------------------------------------------------
bin=${BANK_BIN:-$PWD/build/release/bin}
programs=(branch customer bankctl checker) # no tests
me=$(id -un 2>/dev/null || id -u)
folder=build/release
while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done
if [ "$mode" = restart ] || [ -n "${given[--no-build]+x}" ]; then
  :
elif [ -w "$folder" ]; then
  scripts/install.sh
  scripts/build.sh release "${programs[@]}"
else
  [ -x "$bin/branch" ] || die 3 "nothing is built yet, and $me may not write to $PWD/$folder: let its owner run scripts/build.sh, or copy the checkout to a folder of your own"
  echo "$me may not write to $PWD/$folder: the programs are used as they are"
fi
for program in "${programs[@]}"; do
  [ -x "$bin/$program" ] || die 3 "there is no program $bin/$program: build it first (scripts/build.sh)"
done

# --- Run ----------------------------------------------------------------------------------------
set -- "$mode" --bin "$bin"
out=$(absolute "${given[--out]-${BANK_OUT-}}")
[ -z "$out" ] || set -- "$@" --out "$out"
[ -z "${given[--base-port]+x}" ] || set -- "$@" --base-port "${given[--base-port]}"
[ -z "${given[--tls]+x}" ] || set -- "$@" --tls
case "$mode" in
  replay)
    set -- "$@" --input "$(absolute "${given[INPUT]-$PWD/input/three_branches.json}")"
    for flag in --project --form --files --guarantees --order --replicator; do
      [ -z "${given[$flag]+x}" ] || set -- "$@" "$flag" "${given[$flag]}"
    done
    [ -z "${given[--output]+x}" ] || set -- "$@" --output "$(absolute "${given[--output]}")" ;;
  against)
    set -- "$@" --input "$(absolute "${given[INPUT]-$PWD/input/three_branches.json}")" --against "$(absolute "${given[--against]}")"
    for flag in --project --order --pause --kill; do [ -z "${given[$flag]+x}" ] || set -- "$@" "$flag" "${given[$flag]}"; done ;;
  serve)
    set -- "$@" --branches "${given[--branches]-3}" --initial-balance "${given[--initial-balance]-400}"
    set -- "$@" --replicator "${given[--replicator]-raft}"
    [ -z "${given[--data]+x}" ] || set -- "$@" --data "$(absolute "${given[--data]}")" ;;
  restart) set -- "$@" --branch "${given[--restart]}" ;;
esac
exec python3 -B scripts/run/main.py "$@"
