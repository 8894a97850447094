#!/bin/sh
# Puts built/ARCH/*.apk into the repository: publish-packages.sh DIRECTORY SIGNING_KEY
# Packages of every arch first, then the indexes of every arch: a reader never sees a version whose file is missing,
# and sees it on both arches within the time of two renames.
set -eu
repository=$1
# A runner that does not have it would publish to nowhere.
[ -d "$repository" ] || { echo "publish-packages.sh: $repository is no directory here" >&2; exit 1; }

# A signature names the key by its file's name, which apko wants to end in .rsa.pub. GitLab's own does not.
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
key=$keys/${APK_KEY_NAME:-packages.rsa}
cp "$2" "$key"

# A published version never changes its content: hosts and locks know its checksum. What is the same was published by a
# job that did not come to its end, and is published again.
for apk in built/*/*.apk; do
  target=$repository/${apk#built/}
  if [ -e "$target" ] && ! cmp -s "$apk" "$target"; then
    echo "$target is published already; raise the epoch" >&2
    exit 1
  fi
done

for directory in built/*/; do
  arch=$(basename "$directory")
  mkdir -p "$repository/$arch"
  for apk in "$directory"*.apk; do
    target=$repository/$arch/$(basename "$apk")
    cp "$apk" "$target.new"
    mv "$target.new" "$target"
  done
done

for directory in built/*/; do
  arch=$(basename "$directory")
  index=$repository/$arch/APKINDEX.tar.gz
  mkdir -p "$repository/$arch/.new"
  if [ -e "$index" ]; then set -- --merge --source "$index"; else set --; fi
  melange index --arch "$arch" "$@" --signing-key "$key" -o "$repository/$arch/.new/APKINDEX.tar.gz" "$directory"*.apk
done

for directory in built/*/; do
  arch=$(basename "$directory")
  mv "$repository/$arch/.new/APKINDEX.tar.gz" "$repository/$arch/APKINDEX.tar.gz"
  rmdir "$repository/$arch/.new"
done
