#!/bin/sh
# Puts BUILT/ARCH/*.apk into the repository: publish-packages.sh DIRECTORY SIGNING_KEY [BUILT]
# Packages of every arch first, then the indexes of every arch: clients never see a version whose file is missing, and
# the archs get it within the time of two renames.
set -eu
repository=$1
built=${3:-built}
# On a runner without the mount, the packages would be lost.
[ -d "$repository" ] || { echo "publish-packages.sh: $repository is no directory here" >&2; exit 1; }

# A signature contains the file name of the key, which must end in .rsa.pub for apko. GitLab's file names do not.
case ${APK_KEY_NAME:=packages.rsa} in
  *.rsa) ;;
  *) echo "publish-packages.sh: APK_KEY_NAME is $APK_KEY_NAME; it must end in .rsa" >&2; exit 1 ;;
esac
# One at a time. `resource_group` holds for the jobs of one project only: others, and `just add`, write the indexes, too.
exec 9> "$repository/.lock"
flock 9

keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
key=$keys/$APK_KEY_NAME
cp "$2" "$key"

# When the sources of a package last changed: .build-package sets this date.
date_of() { tar -xzOf "$1" .PKGINFO | sed -n 's/^builddate = //p'; }

# The content of a published version never changes: hosts and locks know its checksum. An interrupted job or another
# pipeline, such as the nightly one, may have published a build of the same sources: then that file replaces the new one.
for apk in "$built"/*/*.apk; do
  target=$repository/${apk#"$built"/}
  if [ ! -e "$target" ] || cmp -s "$apk" "$target"; then continue; fi
  date=$(date_of "$target")
  if [ -z "$date" ] || [ "$(date_of "$apk")" != "$date" ]; then
    echo "$target is published already, from other sources; raise the epoch" >&2
    exit 1
  fi
  cp "$target" "$apk"
done

for directory in "$built"/*/; do
  arch=$(basename "$directory")
  mkdir -p "$repository/$arch"
  for apk in "$directory"*.apk; do
    target=$repository/$arch/$(basename "$apk")
    cp "$apk" "$target.new"
    mv "$target.new" "$target"
  done
done

for directory in "$built"/*/; do
  arch=$(basename "$directory")
  index=$repository/$arch/APKINDEX.tar.gz
  mkdir -p "$repository/$arch/.new"
  if [ -e "$index" ]; then set -- --merge --source "$index"; else set --; fi
  melange index --arch "$arch" "$@" --signing-key "$key" -o "$repository/$arch/.new/APKINDEX.tar.gz" "$directory"*.apk
done

for directory in "$built"/*/; do
  arch=$(basename "$directory")
  mv "$repository/$arch/.new/APKINDEX.tar.gz" "$repository/$arch/APKINDEX.tar.gz"
  rmdir "$repository/$arch/.new"
done
