#!/usr/bin/env bash
# Runs a container as `podman run --read-only --user` would where runc cannot: in a mount namespace of its own, on a
# root that is mounted read-only, as the user and with the environment that the image names.
# usage: run-image.sh ROOT USER DATA [NAME=VALUE…] -- PROGRAM ARGUMENT…
# DATA is a folder that the container sees at /tmp, read-only as well.
set -euo pipefail
root=$1 user=$2 data=$3
shift 3
environment=()
while [[ $1 != -- ]]; do
  environment+=("$1")
  shift
done
shift
if [[ -z ${APK_BEACON_IN_NAMESPACE:-} ]]; then
  APK_BEACON_IN_NAMESPACE=1 exec unshare --mount "$0" "$root" "$user" "$data" "${environment[@]}" -- "$@"
fi
mount --bind "$root" "$root"
mount --bind /dev "$root/dev"
mount --bind "$data" "$root/tmp"
mount -o remount,ro,bind "$root/tmp"
mount -o remount,ro,bind "$root"
exec env --ignore-environment "${environment[@]}" "$(command -v chroot)" --userspec="$user" "$root" "$@"
