#!/usr/bin/env bash
# Installs what building and running the bank needs: Debian packages, nothing else.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: scripts/install.sh [--tests] [--check] [--help]

Installs the missing Debian packages (Debian 12 or 13, Ubuntu 24.04) and says which.
Root, or sudo, is needed only when something is missing.

  --tests   also what only the tests need: a browser, a Prometheus server (not started), the
            tools that the collectors are compared with, and clang, whose fuzzer is used
  --check   install nothing; list what is missing and exit 1, or exit 0

On Debian 12 the consensus library must come from the backports suite: the stock 0.15.0 loses
committed data. The script adds that suite of the mirror this machine already uses, and lets
apt take libraft, and nothing else, from it.
USAGE
}

packages=(
  # build
  build-essential cmake ninja-build ccache pkg-config git ca-certificates
  # the libraries of the bank
  libgrpc++-dev libgrpc-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libabsl-dev
  nlohmann-json3-dev libcli11-dev libspdlog-dev libfmt-dev libxxhash-dev libssl-dev
  libraft-dev
  # the console and its metrics; npm fetches one pinned package for its page
  libcpp-httplib-dev prometheus-cpp-dev
  # run_all.sh, and what builds with everything else
  libgtest-dev libgmock-dev python3 openssl
  # clients of the tests that speak to a branch as a foreign client does
  python3-grpcio python3-grpc-tools python3-protobuf
)
test_packages=(clang libclang-rt-dev procps sysstat ifstat chromium chromium-driver prometheus)
# An npm from elsewhere is as good as the distribution's, and cannot be installed beside it.
command -v npm >/dev/null || packages+=(npm)

raft_minimum=0.22

installed() { [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]; }

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    if ! installed "$package"; then
      echo "$package"
    elif [ "$package" = libraft-dev ] &&
      dpkg --compare-versions "$(dpkg-query -W -f='${Version}' libraft-dev)" lt "$raft_minimum"; then
      echo "$package"
    fi
  done
}

check=0
for argument in "$@"; do
  case "$argument" in
    --help | -h) usage; exit 0 ;;
    --check) check=1 ;;
    --tests) packages+=("${test_packages[@]}") ;;
    *) echo "install.sh: unknown argument '$argument' (see --help)" >&2; exit 1 ;;
  esac
done
mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$check" = 1 ]; then
  echo "missing packages: ${missing[*]}"
  exit 1
fi

echo "installing: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install.sh: run as root, or install sudo" >&2; exit 1; }
  as_root=(sudo)
fi
# RUNLEVEL=1: packages that bring a service (prometheus) do not start it.
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o Dpkg::Use-Pty=0 "$@"; }
write() { "${as_root[@]}" tee "$1" >/dev/null; }

raft_candidate() { apt-cache policy libraft-dev | awk '/Candidate:/ {print $2}'; }

# The address of the mirror that serves this release's main suite.
release_mirror() {
  # shellcheck disable=SC2016 # apt fills these in
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' |
    awk -v release="$1" '$1 == release {print $2; exit}'
}

apt update
if dpkg --compare-versions "$(raft_candidate)" lt "$raft_minimum"; then
  # shellcheck disable=SC1091
  . /etc/os-release
  suite="${VERSION_CODENAME}-backports"
  uri=$(release_mirror "$VERSION_CODENAME")
  if [ -z "$uri" ]; then
    echo "install.sh: no apt source for ${VERSION_CODENAME}; libraft >= $raft_minimum is needed" >&2
    exit 3
  fi
  echo "enabling the suite $suite of this machine's mirror, for libraft only"
  {
    echo "Types: deb"
    echo "URIs: $uri"
    echo "Suites: $suite"
    echo "Components: main"
    echo "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"
  } | write "/etc/apt/sources.list.d/$suite.sources"
  {
    echo "Package: *"
    echo "Pin: release n=$suite"
    echo "Pin-Priority: 1"
    echo
    echo "Package: libraft-dev libraft0 libraft-tools"
    echo "Pin: release n=$suite"
    echo "Pin-Priority: 990"
  } | write /etc/apt/preferences.d/libraft-backports
  apt update
fi
apt install -y --no-install-recommends "${missing[@]}"
mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -gt 0 ]; then
  echo "install.sh: still missing: ${missing[*]}" >&2
  exit 3
fi
