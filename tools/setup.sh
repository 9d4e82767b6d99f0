#!/usr/bin/env bash
# Installs the distribution's packages that a group of work needs: build run test check lint bench.
# Quiet and quick when nothing is missing, so every make target may call it. Works on Debian 12,
# Debian 13 and Ubuntu 24.04 (and their likes), as root or with sudo.
#   usage: tools/setup.sh GROUP…
set -euo pipefail

declare -A PACKAGES=(
  [build]="gcc libc6-dev make meson ninja-build pkg-config ccache python3
           libllhttp-dev libyyjson-dev libyaml-dev libuv1-dev libsqlite3-dev libssl-dev libsodium-dev
           libarchive-dev libnl-3-dev libnl-route-3-dev libnftables-dev libcmocka-dev"
  [run]="crun runc conmon skopeo mmdebstrap nftables iproute2 e2fsprogs util-linux procps curl
         ca-certificates openssl zstd xz-utils debian-archive-keyring"
  [check]="clang-format shellcheck"
  [lint]="cppcheck clang-tidy"
  [test]="clang libclang-rt-dev valgrind strace sqlite3 git docker-registry
          python3-pytest python3-hypothesis python3-yaml gcovr"
  [bench]="nginx wrk nghttp2-client hyperfine sqlite3 slurm-wlm munge busybox-static"
)
# Services that come with a package and that berth's tests and benchmarks start by themselves, on
# ports of their own: a fresh install must not start them here.
SERVICES="nginx docker-registry munge slurmctld slurmd"
# What Debian 12 lacks and Debian 13's archive has in a form that Debian 12's libc runs.
FROM_TRIXIE="libllhttp-dev libllhttp9.2 libyyjson-dev libyyjson0"

say() { printf 'setup: %s\n' "$*"; }
die() {
  printf 'setup: %s\n' "$1" >&2
  shift
  for hint in "$@"; do printf '       %s\n' "$hint" >&2; done
  exit 1
}

wanted_packages() {
  local group package
  for group in "$@"; do
    for package in ${PACKAGES[$group]}; do echo "$package"; done
    # configurable-http-proxy runs on any Node.js; a machine that has one keeps its own.
    if [ "$group" = bench ] && ! command -v npm >/dev/null; then printf 'nodejs\nnpm\n'; fi
  done | sort -u
}

# Package names on stdin → those that are not installed.
not_installed() {
  # shellcheck disable=SC2016  # dpkg's own variables
  grep -vxF -f <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p') ||
    true
}

# Package names as arguments → those that apt has no version of.
without_candidate() {
  local known
  known=$(apt-cache policy "$@" | awk '/^[^ ].*:$/ { name = substr($1, 1, length($1) - 1) }
                                       $1 == "Candidate:" && $2 != "(none)" { print name }')
  printf '%s\n' "$@" | grep -vxF -f <(echo "$known") || true
}

# Some other source of the machine may be unreachable; that alone is no reason to stop.
update_lists() {
  say "reading the package lists"
  local log
  log=$(mktemp)
  if ! $SUDO apt-get update -qq -o Acquire::Retries=1 >"$log" 2>&1 || grep -q '^[WE]:' "$log"; then
    say "warning: some package lists could not be read:"
    grep '^[WE]:' "$log" | head -n 3 | sed 's/^/         /' || true
  fi
  rm -f "$log"
}

# The address of the machine's own Debian 12 archive, as apt tells it.
own_debian_archive() {
  apt-cache policy | awk '
    $2 ~ /:/ && $3 ~ /\/main$/ { address = $2 }
    $1 == "release" && /o=Debian,/ && /n=bookworm,/ && /l=Debian,/ && found == "" { found = address }
    $1 == "release" { address = "" }
    END { print found }'
}

# Lets exactly the packages of FROM_TRIXIE come from Debian 13; everything else there gets a negative
# priority, so that nothing of the system moves.
add_trixie_source() {
  local archive keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  archive=$(own_debian_archive)
  if [ -z "$archive" ]; then
    update_lists
    archive=$(own_debian_archive)
  fi
  [ -n "$archive" ] || die "this Debian 12 has no readable package list of its own archive" \
    "needed to find the archive that also carries: $FROM_TRIXIE" \
    "try: apt-get update, and look at /etc/apt/sources.list"
  say "adding Debian 13 as a source of $FROM_TRIXIE only"
  $SUDO tee /etc/apt/preferences.d/berth-trixie >/dev/null <<EOF
# Written by berth's tools/setup.sh: nothing from Debian 13 but these packages.
Package: *
Pin: release n=trixie
Pin-Priority: -10

Package: $FROM_TRIXIE
Pin: release n=trixie
Pin-Priority: 500
EOF
  {
    echo "# Written by berth's tools/setup.sh; see /etc/apt/preferences.d/berth-trixie."
    printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\n' "$archive"
    if [ -e "$keyring" ]; then echo "Signed-By: $keyring"; fi
  } | $SUDO tee /etc/apt/sources.list.d/berth-trixie.sources >/dev/null
}

# Keeps services of freshly installed packages from starting, now and at boot.
install_packages() {
  local policy=/usr/sbin/policy-rc.d mine=0 service status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $SUDO tee "$policy" >/dev/null
    $SUDO chmod 755 "$policy"
    mine=1
  fi
  $SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Acquire::Retries=1 -o Dpkg::Use-Pty=0 "$@" \
    </dev/null 2>&1 | show_progress || status=1
  if [ "$mine" = 1 ]; then $SUDO rm -f "$policy"; fi
  for service in $SERVICES; do
    if printf '%s\n' "$@" | grep -qx "$service\|slurm-wlm" && command -v systemctl >/dev/null; then
      $SUDO systemctl disable -q "$service" 2>/dev/null || true
    fi
  done
  return $status
}

# apt's many lines → those that tell a person how far it is; all of them stay in the log.
show_progress() {
  tee "$LOG" | awk '
    function tell(text) { print "setup:   " text; fflush() }
    /^Need to get/ { tell($0) }
    /^E:|^Err:/ && ++errors <= 3 { tell($0) }
    /^Get:/ && ++fetched % 10 == 0 { tell("fetched " fetched " packages, now " $5) }
    /^Setting up / && ++ready % 20 == 0 { tell("set up " ready " packages, now " $3) }'
}

[ $# -gt 0 ] || die "which group?" "groups: ${!PACKAGES[*]}"
for group in "$@"; do
  [ -n "${PACKAGES[$group]:-}" ] || die "no group named '$group'" "groups: ${!PACKAGES[*]}"
done
command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
  die "this machine has no apt" "install by its own means: $(wanted_packages "$@" | tr '\n' ' ')"

mapfile -t missing < <(wanted_packages "$@" | not_installed)
[ ${#missing[@]} -gt 0 ] || exit 0

SUDO=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null ||
    die "packages are missing, and you are neither root nor have sudo" \
      "as root: apt-get install ${missing[*]}"
  SUDO=sudo
fi
LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT

say "installing for '$*': ${missing[*]}"
# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "${ID:-}-${VERSION_CODENAME:-}")
mapfile -t unknown < <(without_candidate "${missing[@]}")
if [ ${#unknown[@]} -gt 0 ]; then
  if [ "$codename" = debian-bookworm ] &&
    printf '%s\n' "${unknown[@]}" | grep -qxE 'libllhttp-dev|libyyjson-dev'; then
    add_trixie_source
  fi
  update_lists
  mapfile -t unknown < <(without_candidate "${missing[@]}")
fi
if [ ${#unknown[@]} -gt 0 ]; then
  die "no package source of this machine has: ${unknown[*]}" \
    "either the machine is offline, or this release (${codename}) lacks them" \
    "berth is built on Debian 12, Debian 13 and Ubuntu 24.04 (with universe)"
fi
# Stale lists name versions that the archive has dropped: read them anew once.
if ! install_packages "${missing[@]}"; then
  update_lists
  install_packages "${missing[@]}" || {
    die "apt could not install them" "is the machine offline? tried: apt-get install ${missing[*]}"
  }
fi
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | not_installed)
[ ${#missing[@]} -eq 0 ] || die "still not installed: ${missing[*]}"
say "done"
