#!/bin/sh
# Puts built/ARCH/*.apk into the repository: publish-packages.sh DIRECTORY SIGNING_KEY
# Packages of every arch first, then the indexes of every arch: clients never see a version whose file is missing, and
# the archs get it within the time of two renames.
set -eu
repository=$1
# On a runner without the mount, the packages would be lost.
[ -d "$repository" ] || { echo "publish-packages.sh: $repository is no directory here" >&2; exit 1; }

# A signature contains the file name of the key, which must end in .rsa.pub for apko. GitLab's file names do not.
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
key=$keys/${APK_KEY_NAME:-packages.rsa}
cp "$2" "$key"

# The content of a published version never changes: hosts and locks know its checksum. An identical file is from a job
# that was interrupted; it is published again.
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
