#!/usr/bin/env bash
# Installs the Debian packages that the tests look for: sandbox, container engines, PostgreSQL, PyTorch, shells. Run as root; repeatable.
set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

packages=(
  bsdutils bubblewrap busybox-static conmon containerd docker.io faketime fish iptables openssl podman postgresql
  python3-torch runc zsh
)

if [ "$(id -u)" -ne 0 ]; then
  echo "tools/install-test-packages.sh needs root: sudo $0" >&2
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo "No apt-get here; install these by hand: ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$state" = 'install ok installed' ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "Test packages are installed: ${packages[*]}"
  exit 0
fi

# Installing must not start services: the tests start their own, in temporary folders. A policy of the host stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi

echo "Installing: ${missing[*]}"
apt-get update -qq </dev/null
apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
