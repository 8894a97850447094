#!/bin/sh
# Writes a disk image to a removable disk: flash.sh IMAGE DEVICE
# The mistake to prevent is the wrong /dev/sdX: it must be a whole disk, removable, large enough and unused, and its
# name has to be typed once more.
set -eu

refuse() {
  echo "flash: $*" >&2
  exit 1
}

[ $# -eq 2 ] || refuse "usage: flash.sh IMAGE DEVICE"
image=$1
[ -f "$image" ] || refuse "$image: no such file; \`just image\` makes it"
# by-id links are accepted; they are safer.
device=$(readlink -f -- "$2") || refuse "$2: no such device"
name=${device##*/}
# Tests set another folder.
sys=${FLASH_SYS:-/sys/block}

[ -n "${FLASH_SYS:-}" ] || [ -b "$device" ] || refuse "$2: not a block device"
[ -d "$sys/$name" ] || refuse "$2: not a whole disk"
[ "$(cat "$sys/$name/ro")" = 0 ] || refuse "$2: read-only"
[ "$(cat "$sys/$name/removable")" = 1 ] || refuse "$2: not a removable disk"

mounts=${FLASH_MOUNTS:-/proc/self/mounts}
while read -r source target _; do
  case $source in
    "$device"*) refuse "$2: in use, $source is mounted on $target" ;;
  esac
done < "$mounts"
swaps=${FLASH_SWAPS:-/proc/swaps}
[ ! -e "$swaps" ] || while read -r source _; do
  case $source in
    "$device"*) refuse "$2: in use, $source is swap space" ;;
  esac
done < "$swaps"
for holder in "$sys/$name"/holders/* "$sys/$name"/"$name"*/holders/*; do
  [ -e "$holder" ] && refuse "$2: in use by ${holder##*/}"
done

# /sys counts in units of 512 bytes, whatever the disk's own sectors are.
bytes=$(($(cat "$sys/$name/size") * 512))
[ "$bytes" -ge "$(stat -c %s "$image")" ] || refuse "$2: too small for $image"

echo "Everything on $device will be lost:"
echo "  $(cat "$sys/$name/device/model" 2> /dev/null || echo 'unknown model'), $((bytes / 1000000000)) GB"
printf 'Type %s to go on: ' "$name"
read -r answer || answer=
[ "$answer" = "$name" ] || refuse "nothing was written"

dd if="$image" of="$device" bs=4M conv=fsync status=progress
