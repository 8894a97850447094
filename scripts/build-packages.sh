#!/bin/sh
# Builds recipes into a local repository, signed with a key of its own: build-packages.sh REPOSITORY [NAME...]
# NAME is a package of packages/, or an image, NAME.yaml: everything that it needs is built in order. The path of a recipe
# builds this recipe alone; one that is not in packages/ is built from this checkout. Without a name, all of packages/ is
# built. Packages that are not older than their sources are not built again.
set -eu
repository=$1
shift

recipes=
named=
for name in "$@"; do
  case $name in
    */*.yaml) recipes="$recipes $name" ;;
    *) named="$named $name" ;;
  esac
done
if [ -z "$recipes" ] || [ -n "$named" ]; then
  # An assignment, whose failure ends the script.
  # shellcheck disable=SC2086 # one argument each
  ordered=$(node companion/main.ts order $named)
  for name in $ordered; do recipes="$recipes packages/$name.yaml"; done
fi

mkdir -p "$repository"
key=$repository/local.rsa
if [ ! -f "$key" ]; then
  (umask 077 && melange keygen "$key")
  chmod 0644 "$key.pub"
fi

arch=$(uname -m)
arguments="--arch $arch --runner bubblewrap --signing-key $key --out-dir $repository"
for from in "$repository" ${WOLFI_REPOSITORIES-https://packages.wolfi.dev/os https://packages.cgr.dev/extras} \
  ${APK_REPOSITORIES:-}; do
  arguments="$arguments --repository-append $from"
done
wolfi_keys='https://packages.wolfi.dev/os/wolfi-signing.rsa.pub https://packages.cgr.dev/extras/chainguard-extras.rsa.pub'
for trusted in "$key.pub" ${WOLFI_KEYS-$wolfi_keys} ${APK_KEYS:-}; do arguments="$arguments --keyring-append $trusted"; done

# An interrupt ends melange; what it leaves is handled below.
trap : INT
for recipe in $recipes; do
  case $recipe in
    packages/*) sources=${recipe%.yaml} ;;
    *) sources=. ;;
  esac
  if [ -d "$sources" ]; then from="--source-dir $sources"; else from=--empty-workspace sources=$recipe; fi
  apk=$repository/$arch/$(melange query "$recipe" '{{.Package.Name}}-{{.Package.Version}}-r{{.Package.Epoch}}').apk
  # The whole checkout changes too often to tell by.
  [ "$sources" != . ] || sources=$recipe
  if [ -f "$apk" ] && [ -z "$(find "$recipe" "$sources" -newer "$apk")" ]; then
    echo "$apk is there"
    continue
  fi
  # shellcheck disable=SC2086 # one argument each
  melange build $arguments $from "$recipe" || {
    # Subpackages and the index come after it, so it may be all that there is. Older than its sources, it is built again.
    touch -c -t 197001020000 "$apk"
    exit 1
  }
done
