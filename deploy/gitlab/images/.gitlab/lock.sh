#!/bin/sh
# Writes images/NAME.lock.json for the named definitions: lock.sh "bootc.yaml niri.yaml"
# With the repositories and keys the image is built with, because the lock has the address of every package.
set -eu
# The caller's list may have failed to be made.
[ -n "$1" ] || { echo 'lock.sh: no definition is named' >&2; exit 1; }
arguments=$("$(dirname "$0")/apko-arguments.sh")
cd images

for definition in $1; do
  # shellcheck disable=SC2086 # one argument each
  apko lock $arguments "$definition"
done
git add --intent-to-add -- '*.lock.json'
