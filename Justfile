# Images and hosts. `just --list` shows what there is.

registry := env('REGISTRY', 'ghcr.io/vaskozl')
image := env('IMAGE', 'niri')
disk_image := 'bootable.img'

# Own repositories and keys, one argument each: `just --set apko_arguments '-b /srv/apks -k packages.rsa.pub' build niri`.
apko_arguments := ''

_default:
    @just --list

# Resolve and build one image for the machine's own arch into an OCI layout, out/NAME.
build name=image:
    mkdir -p "out/{{ name }}"
    cd images && apko build --vcs=false --sbom=false --arch host {{ apko_arguments }} \
        "{{ name }}.yaml" "{{ registry }}/{{ name }}:local" "../out/{{ name }}"

# Format, lint, types, tests: what CI runs, without the real-tool suite.
check:
    npm run check

# Check the companion with the real tools; needs root and what .ci/companion installs.
check-companion:
    npm run test:companion

# Write the locks of all images.
lock:
    deploy/gitlab/images/.gitlab/lock.sh "$(cd images && ls -- *.yaml)"

# Build for every arch and push. CI does this; by hand it is for a first image.
publish name=image tag='latest':
    cd images && apko publish --vcs=false --sbom=false {{ apko_arguments }} "{{ name }}.yaml" "{{ registry }}/{{ name }}:{{ tag }}"

# Run a command in the image, with all that `bootc install` needs from the host.
run *arguments:
    podman run \
        --rm --privileged --pid=host \
        -it \
        -v /sys/fs/selinux:/sys/fs/selinux:Z \
        -v /etc/containers:/etc/containers \
        -v /var/lib/containers:/var/lib/containers \
        -v /dev:/dev \
        -v "$PWD":/data \
        --security-opt label=type:unconfined_t \
        "{{ registry }}/{{ image }}:latest" {{ arguments }}

# bootc from the image: `just bootc status`.
bootc *arguments:
    just --set image '{{ image }}' run bootc {{ arguments }}

# Write the image into a disk image of the given size.
image size='20G':
    fallocate -l "{{ size }}" "{{ disk_image }}"
    just --set image '{{ image }}' bootc install to-disk \
        --composefs-backend \
        --via-loopback "/data/{{ disk_image }}" \
        --filesystem ext4 \
        --wipe \
        --bootloader systemd

# Write the disk image to a stick: `just flash /dev/sdX`. Refuses everything that is not an idle, removable disk.
flash device:
    scripts/flash.sh "{{ disk_image }}" "{{ device }}"
