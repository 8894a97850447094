#!/bin/sh
# Prints the arguments that name the repositories and keys of APK_REPOSITORIES and APK_KEYS to apko.
# apko writes their addresses into locks and into every image (/etc/apko.json), so a password in one is refused.
# Files are named from the repository's root, as melange is started there, and apko in images/.
set -eu

from_images() { case $1 in *://* | /*) printf %s "$1" ;; *) printf '../%s' "$1" ;; esac; }

for repository in ${APK_REPOSITORIES:-}; do
  host=${repository#*://}
  case ${host%%/*} in
    *@*) echo 'APK_REPOSITORIES: everybody could read the password of a repository in the images; use HTTP_AUTH' >&2; exit 1 ;;
  esac
  printf ' -b %s' "$(from_images "$repository")"
done
for key in ${APK_KEYS:-}; do printf ' -k %s' "$(from_images "$key")"; done
