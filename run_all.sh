#!/usr/bin/env bash
# Builds the bank, runs customers against its branches, lets the checker judge, stops everything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
invoked_from=$OLDPWD

usage() {
  cat <<'USAGE'
usage: ./run_all.sh [INPUT.json] [options]         replay the customers of INPUT, judge, stop
       ./run_all.sh --serve [options]              leave a bank up until Ctrl-C

  INPUT.json                 an input of the exercise (default: input/three_branches.json)
  --order ORDER              sequential (default), converged or concurrent
  --output FILE              where the answers go (default: in the run's folder)
  --replicator NAME          raft (default)
  --tls                      mutual TLS with a throw-away authority made for this run
  --base-port P              branch i listens at P+i (default: free ports; with --serve 50050)
  --serve                    start a bank and leave it up
  --branches N               with --serve: how many branches (default 3)
  --initial-balance X        with --serve: the shared account's first balance (default 400)
                             branch i serves its console at port P+1000+i
  --data FOLDER              with --serve: keep the branches' data here (default: the run's folder)
  --no-build                 use the programs as they are
  --help

examples:
  ./run_all.sh
  ./run_all.sh input/fifty_branches.json --output answers.json
  ./run_all.sh input/three_branches.json --order concurrent
  ./run_all.sh --serve --branches 5 --initial-balance 1000

Exit codes: 0 everything held; 1 usage; 2 bad input; 3 unavailable; 4 an outcome is unknown;
6 the checker found an inconsistency. Logs, histories and the checker's report: out/RUN/.
USAGE
}

die() { echo "run_all.sh: $2" >&2; exit "$1"; }
need_value() { [ $# -ge 2 ] || die 1 "$1 needs a value (see --help)"; }
is_number() { [[ $1 =~ ^[0-9]+$ ]]; }

input="" order=sequential output="" tls=0 base_port="" serve=0 branches=3 balance=400 data="" build=1
while [ $# -gt 0 ]; do
  case "$1" in
    --help | -h) usage; exit 0 ;;
    --order) need_value "$@"; order=$2; shift ;;
    --output) need_value "$@"; output=$2; shift ;;
    --replicator) need_value "$@"; [ "$2" = raft ] || die 1 "--replicator: '$2' is not one of: raft"; shift ;;
    --tls) tls=1 ;;
    --base-port) need_value "$@"; base_port=$2; shift ;;
    --serve) serve=1 ;;
    --branches) need_value "$@"; branches=$2; shift ;;
    --initial-balance) need_value "$@"; balance=$2; shift ;;
    --data) need_value "$@"; data=$2; shift ;;
    --no-build) build=0 ;;
    -*) die 1 "unknown option '$1' (see --help)" ;;
    *) [ -z "$input" ] || die 1 "one input at a time: '$input' and '$1'"; input=$1 ;;
  esac
  shift
done
case "$order" in sequential | converged | concurrent) ;; *)
  die 1 "--order: '$order' is not one of: sequential, converged, concurrent" ;;
esac
[ -z "$base_port" ] || { is_number "$base_port" && [ "$base_port" -ge 1 ] && [ "$base_port" -le 65000 ]; } ||
  die 1 "--base-port: '$base_port' is not a port from 1 to 65000"
is_number "$branches" && [ "$branches" -ge 1 ] && [ "$branches" -le 200 ] ||
  die 1 "--branches: '$branches' is not a number from 1 to 200"
is_number "$balance" || die 1 "--initial-balance: '$balance' is not an integer >= 0"
[ "$serve" = 0 ] || [ -z "$input" ] || die 1 "--serve takes no input"

# Paths the user gave are relative to where the user stands.
absolute() { case "$1" in "" | /*) echo "$1" ;; *) echo "$invoked_from/$1" ;; esac; }
input=$(absolute "$input") output=$(absolute "$output") data=$(absolute "$data")
: "${input:=$PWD/input/three_branches.json}"

# --- Install and build --------------------------------------------------------------------------
if [ "$build" = 1 ]; then
  scripts/install.sh
  scripts/build.sh release branch customer bankctl checker  # no tests
fi
bin=${BANK_BIN:-$PWD/build/release/bin}

mkdir -p out
run=$(mktemp -d "$PWD/out/$(date +%Y%m%d-%H%M%S)-XXXX")
ln -sfn "$(basename "$run")" out/latest
customer_flags=()

if [ "$serve" = 0 ]; then
  # One line per fact: ids and balance of the branches. Says what is wrong with the input, exit code 2.
  shape=$("$bin/customer" check "$input" -w json) || exit $?
  branches=$(python3 -c 'import json,sys; print(len(json.loads(sys.argv[1])["branches"]))' "$shape")
  ids=$(python3 -c 'import json,sys; print(*json.loads(sys.argv[1])["branches"])' "$shape")
  balance=$(python3 -c 'import json,sys; print(json.loads(sys.argv[1])["balance"])' "$shape")
else
  ids=$(seq -s ' ' 1 "$branches")
  : "${base_port:=50050}"
fi
read -ra ids <<<"$ids"
highest=$(printf '%s\n' "${ids[@]}" | sort -n | tail -1)

tls_flags=()
if [ "$tls" = 1 ]; then
  scripts/make_certificates.sh "$run/tls"
  tls_flags=(--tls-ca "$run/tls/ca.pem" --tls-cert "$run/tls/bank.pem" --tls-key "$run/tls/bank.key")
fi

# --- Start and stop -----------------------------------------------------------------------------
declare -A pid_of=()
unclean="" # branches that ended neither cleanly nor because somebody killed them
stop_branches() {
  local id code
  for id in "${!pid_of[@]}"; do kill -TERM "${pid_of[$id]}" 2>/dev/null || true; done
  for id in "${!pid_of[@]}"; do
    code=0
    wait "${pid_of[$id]}" 2>/dev/null || code=$?
    case "$code" in 0 | 137 | 143) ;; *) unclean+="${unclean:+, }branch $id with exit code $code" ;; esac
  done
  pid_of=()
}
trap stop_branches EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_branches() {
  local base=$1 peers="" id http
  for id in "${ids[@]}"; do peers+="${peers:+,}$id=localhost:$((base + id))"; done
  addresses=$peers
  for id in "${ids[@]}"; do
    http=()
    [ "$serve" = 0 ] || http=(--http "localhost:$((base + 1000 + id))")
    "$bin/branch" --id "$id" --listen "localhost:$((base + id))" --peers "$peers" \
      --data "${data:-$run/data}/branch-$id" --initial-balance "$balance" \
      ${http[@]+"${http[@]}"} ${tls_flags[@]+"${tls_flags[@]}"} >"$run/branch-$id.log" 2>&1 &
    pid_of[$id]=$!
  done
}

# The ports this machine listens on or has connected, as decimal numbers.
taken_ports() {
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    awk '$2 ~ /:/ {n = split($2, a, ":"); print a[n]}' | sort -u | while read -r hex; do echo $((16#$hex)); done
}
free_base() {
  local try base id taken
  taken=" $(taken_ports | tr '\n' ' ') "
  for try in $(seq 1 100); do
    base=$((10000 + (RANDOM * 32768 + RANDOM) % (21000 - highest)))
    for id in "${ids[@]}"; do
      [[ $taken != *" $((base + id)) "* ]] || continue 2
    done
    echo "$base"
    return
  done
  die 3 "found no free ports after $try tries"
}

# Why the first branch that is gone is gone: the last line of its log.
dead_branch() {
  local id
  for id in "${ids[@]}"; do
    kill -0 "${pid_of[$id]}" 2>/dev/null || { echo "$id"; return; }
  done
}

word=branches
[ "${#ids[@]}" -ne 1 ] || word=branch
for attempt in 1 2 3; do
  base=${base_port:-$(free_base)}
  echo "starting ${#ids[@]} $word at localhost:$((base + ids[0]))..$((base + highest))"
  start_branches "$base"
  status=0
  "$bin/bankctl" wait-ready --at "$addresses" --timeout 60 ${tls_flags[@]+"${tls_flags[@]}"} \
    >"$run/wait-ready.log" 2>&1 &
  waiter=$!
  # Returns as soon as either the bank is ready or a branch has given up.
  wait -n "$waiter" "${pid_of[@]}" || status=$?
  dead=$(dead_branch)
  if [ -z "$dead" ]; then
    wait "$waiter" 2>/dev/null || true
    [ "$status" = 0 ] && break
    die 3 "the bank did not become ready: $(tail -n 1 "$run/wait-ready.log") (logs: $run)"
  fi
  kill "$waiter" 2>/dev/null || true
  status=0
  wait "${pid_of[$dead]}" || status=$?
  reason=$(tail -n 1 "$run/branch-$dead.log")
  stop_branches
  if [ -n "$base_port" ] || [ "$attempt" = 3 ] || [ "$status" != 3 ]; then
    die "$status" "branch $dead stopped: $reason (logs: $run)"
  fi
done

if [ "$serve" = 1 ]; then
  echo "the bank serves; account 'shared' was opened with $balance"
  echo "branches: $addresses"
  echo "console: http://localhost:$((base + 1000 + ids[0]))/"
  echo "data, logs: ${data:-$run}"
  echo "Ctrl-C stops it"
  status=0
  wait -n "${pid_of[@]}" || status=$?
  die 3 "branch $(dead_branch) stopped with exit code $status (logs: $run)"
fi

# --- Replay and judge ---------------------------------------------------------------------------
: "${output:=$run/output.json}"
status=0
"$bin/customer" replay "$input" --order "$order" --at "$addresses" --output "$output" \
  --history "$run/history.jsonl" ${tls_flags[@]+"${tls_flags[@]}"} || status=$?
if [ "$status" != 0 ]; then
  echo "run_all.sh: the customers ended with exit code $status (logs: $run)" >&2
fi
"$bin/bankctl" digests --at "$addresses" --output "$run/digests.jsonl" \
  ${tls_flags[@]+"${tls_flags[@]}"} >"$run/digests.log" 2>&1 ||
  { cat "$run/digests.log" >&2; die 3 "the branches' digests could not be read (logs: $run)"; }
verdict=0
"$bin/checker" "$run/history.jsonl" --digests "$run/digests.jsonl" --html "$run/timeline.html" || verdict=$?
stop_branches
echo "output: ${output#"$PWD"/}   history, timeline, logs: ${run#"$PWD"/}/"
[ "$status" = 0 ] || exit "$status"
[ "$verdict" = 0 ] || exit "$verdict"
[ -z "$unclean" ] || die 3 "stopped badly: $unclean (logs: $run)"
