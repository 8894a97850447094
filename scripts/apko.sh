#!/bin/sh
# Runs apko on a definition of images/: apko.sh PACKAGES NAME COMMAND [ARGUMENT...]
# With the local repository of packages, the image's version as a label, and without this checkout's revision: every
# commit would be an update of every host in which nothing changed.
set -eu
packages=$1 name=$2 command=$3
shift 3

version=$(node companion/main.ts version "$name.yaml")
set -- --vcs=false --sbom=false "$@"
[ -z "$version" ] || set -- --annotations "org.opencontainers.image.version:$version" "$@"
if [ -f "$packages/local.rsa.pub" ]; then
  export APK_REPOSITORIES="$packages ${APK_REPOSITORIES:-}" APK_KEYS="$packages/local.rsa.pub ${APK_KEYS:-}"
fi
arguments=$(deploy/gitlab/images/.gitlab/apko-arguments.sh)
# shellcheck disable=SC2086 # one argument each
set -- $arguments "$@"

# apko resolves `include:` against the directory it is started in.
cd images
exec apko "$command" "$@"
