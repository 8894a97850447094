#!/usr/bin/env bash
# Makes the two images that the Dockerfile starts from out of what is installed here, where no registry can be asked:
# localhost/apk-beacon-test/build (Node, npm and a shell) and localhost/apk-beacon-test/runtime (Node and nothing else).
# usage: local-images.sh NODE
set -euo pipefail
node=$1
# `npm root --global` would tell of the Node that runs it, which may have no npm of its own.
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Copies a program with the libraries that it loads; $1 is the root, $2 where it goes to, $3 where it is.
install_program() {
  mkdir -p "$1$(dirname "$2")"
  cp -L "$3" "$1$2"
  ldd "$3" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$1$(dirname "$library")"
    cp -Ln "$library" "$1$library"
  done
}

# Makes the image $1 of the root $2; the rest are options of buildah config.
commit() {
  local container
  container=$(buildah from scratch)
  buildah copy --quiet "$container" "$2" / >"$work/copied"
  buildah config "${@:3}" "$container"
  buildah commit --quiet --rm "$container" "$1" >"$work/committed"
}

install_program "$work/runtime" /nodejs/bin/node "$node"
mkdir -p "$work/runtime"/{dev,etc,proc,sys,tmp}
cp /etc/nsswitch.conf "$work/runtime/etc/"
commit localhost/apk-beacon-test/runtime "$work/runtime"

cp -a "$work/runtime" "$work/build"
for program in sh env mkdir rm cp chmod uname; do
  install_program "$work/build" "/bin/$program" "$(command -v "$program")"
done
mkdir -p "$work/build"/{usr/bin,usr/local/bin,root} "$work/build/etc/ssl"
cp -L "$(command -v env)" "$work/build/usr/bin/env"
cp -RL "$npm" "$work/build/npm"
printf '#!/bin/sh\nexec node /npm/bin/npm-cli.js "$@"\n' >"$work/build/usr/local/bin/npm"
chmod +x "$work/build/usr/local/bin/npm"
cp -RL /etc/ssl/certs "$work/build/etc/ssl/certs"
settings=(--env PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin)
# A company's CA and proxies are needed for npm ci here as they are outside.
for name in NODE_EXTRA_CA_CERTS http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  if [[ -n ${!name:-} ]]; then settings+=(--env "$name=${!name}"); fi
done
commit localhost/apk-beacon-test/build "$work/build" "${settings[@]}"
