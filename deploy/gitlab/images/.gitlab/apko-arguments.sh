#!/bin/sh
# Prints the arguments that name the repositories and keys of APK_REPOSITORIES and APK_KEYS to apko.
# apko writes their addresses into locks and into every image (/etc/apko.json), so an address with a password is refused.
# Paths are relative to the root of the repository, where melange is started; apko is started in images/.
set -eu

from_images() { case $1 in *://* | /*) printf %s "$1" ;; *) printf '../%s' "$1" ;; esac; }

for address in ${APK_REPOSITORIES:-} ${APK_KEYS:-}; do
  host=${address#*://}
  case ${host%%/*} in
    *@*) echo 'APK_REPOSITORIES, APK_KEYS: everybody could read a password of these in the images; use HTTP_AUTH' >&2; exit 1 ;;
  esac
done
for repository in ${APK_REPOSITORIES:-}; do printf ' -b %s' "$(from_images "$repository")"; done
for key in ${APK_KEYS:-}; do printf ' -k %s' "$(from_images "$key")"; done
