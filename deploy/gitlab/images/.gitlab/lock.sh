#!/bin/sh
# Writes images/NAME.lock.json for the named definitions: lock.sh "bootc.yaml niri.yaml"
# With the repositories and keys of the build, because the lock has the address of every package.
set -eu
# Empty if the command that makes the list failed.
[ -n "$1" ] || { echo 'lock.sh: no definition is named' >&2; exit 1; }
arguments=$("$(dirname "$0")/apko-arguments.sh")
cd images

# A definition that cannot be locked, such as one whose pin was withdrawn, leaves the others theirs.
failed=
for definition in $1; do
  # shellcheck disable=SC2086 # one argument each
  apko lock $arguments "$definition" || failed="$failed $definition"
done
git add --intent-to-add -- '*.lock.json'
[ -z "$failed" ] || { echo "lock.sh: no fresh lock of$failed" >&2; exit 1; }
