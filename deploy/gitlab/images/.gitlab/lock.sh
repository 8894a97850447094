#!/bin/sh
# Writes images/NAME.lock.json for the named definitions: lock.sh "bootc.yaml niri.yaml"
# With the repositories and keys the image is built with, because the lock has the address of every package.
set -eu
# The caller's list may have failed to be made.
[ -n "$1" ] || { echo 'lock.sh: no definition is named' >&2; exit 1; }
cd images

arguments=
for repository in ${APK_REPOSITORIES:-}; do
  host=${repository#*://}
  case ${host%%/*} in
    *@*) echo 'lock.sh: the lock would tell the password of a repository; HTTP_AUTH is the place for it' >&2; exit 1 ;;
  esac
  arguments="$arguments -b $repository"
done
for key in ${APK_KEYS:-}; do arguments="$arguments -k $key"; done

for definition in $1; do
  # shellcheck disable=SC2086 # one argument each
  apko lock $arguments "$definition"
done
git add --intent-to-add -- '*.lock.json'
