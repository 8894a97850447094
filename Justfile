# Packages, images and hosts. `just --list` shows what there is; docs/companion.md shows the way from a clone to a host.
# Every recipe runs in this one call of just, so `just --set registry R image` reaches all of them.

# Where images are published. As it is, nothing leaves this machine: `just build`, `just load` and `just image` go together.
registry := env('REGISTRY', 'localhost')
image := env('IMAGE', 'containerd')
tag := env('TAG', 'latest')
disk_image := 'bootable.img'

# Arches to publish; those of the definition if none is named. `host` is this machine's.
archs := env('ARCHS', '')

# Built packages and the key that signs them. Relative to this file: apko and melange cannot read a path with a blank.
packages := env('PACKAGES', 'out/packages')

# Further repositories and keys, for packages and images: `just --set repositories /srv/apks --set keys /srv/apks.rsa.pub …`.
repositories := env('APK_REPOSITORIES', '')
keys := env('APK_KEYS', '')

# Node as package.json pins it.
export PATH := justfile_directory() / 'node_modules/.bin:' + env('PATH')

_default:
    @just --list

# Build packages, or what an image needs (`just packages containerd.yaml`), in order, into a local repository; all if none is named.
packages *names:
    APK_REPOSITORIES='{{ repositories }}' APK_KEYS='{{ keys }}' scripts/build-packages.sh '{{ packages }}' {{ names }}

# Put the built packages into a package repository and sign its index: `just add /srv/apks`. CI does this with its own.
add repository key=(packages / 'local.rsa'):
    deploy/gitlab/images/.gitlab/publish-packages.sh '{{ repository }}' '{{ key }}' '{{ packages }}'

# Build the service and `apk-beacon-images` as packages; the CI images install the second.
apk-beacon: (packages 'deploy/apk/apk-beacon.yaml')

# Resolve and build one image for the machine's own arch into an OCI layout, out/NAME.
build name=image:
    rm -rf 'out/{{ name }}'
    mkdir -p 'out/{{ name }}'
    APK_REPOSITORIES='{{ repositories }}' APK_KEYS='{{ keys }}' scripts/apko.sh '{{ packages }}' '{{ name }}' \
        build --arch host '{{ name }}.yaml' '{{ registry }}/{{ name }}:{{ tag }}' '../out/{{ name }}'

# Put the built image where podman finds it, as REGISTRY/NAME:TAG.
load name=image:
    skopeo copy 'oci:out/{{ name }}' 'containers-storage:{{ registry }}/{{ name }}:{{ tag }}'

# Build and push, for every arch unless ARCHS says otherwise. CI does this; by hand it is for a first image.
publish name=image: _published
    APK_REPOSITORIES='{{ repositories }}' APK_KEYS='{{ keys }}' scripts/apko.sh '{{ packages }}' '{{ name }}' \
        publish {{ if archs == '' { '' } else { '--arch ' + archs } }} '{{ name }}.yaml' '{{ registry }}/{{ name }}:{{ tag }}'

_published:
    @[ '{{ registry }}' != localhost ] || { echo 'set REGISTRY, or call just --set registry …' >&2; exit 1; }

# Write the locks of all images; needs the packages of every arch.
lock:
    APK_REPOSITORIES='{{ packages }} {{ repositories }}' APK_KEYS='{{ packages }}/local.rsa.pub {{ keys }}' \
        deploy/gitlab/images/.gitlab/lock.sh "$(node companion/main.ts list)"

# Format, lint, types, tests: what CI runs, without the real-tool suite.
check:
    npm run check

# Check the companion with the real tools; needs root and what .ci/companion installs.
check-companion:
    npm run test:companion

# Podman refuses to mount what is not there: only a host with SELinux has this folder.
selinux := if path_exists('/sys/fs/selinux') == 'true' { '-v /sys/fs/selinux:/sys/fs/selinux:Z' } else { '' }

# Run a command in the image, with all that `bootc install` needs from the host.
run *arguments:
    podman run \
        --rm --privileged --pid=host \
        -it \
        {{ selinux }} \
        -v /etc/containers:/etc/containers \
        -v /var/lib/containers:/var/lib/containers \
        -v /dev:/dev \
        -v "$PWD":/data \
        --security-opt label=type:unconfined_t \
        '{{ registry }}/{{ image }}:{{ tag }}' {{ arguments }}

# bootc from the image: `just bootc status`.
bootc *arguments: (run 'bootc' arguments)

# Write the image into a disk image of the given size.
image size='20G': (_disk size) (run 'bootc install to-disk' '--composefs-backend' '--via-loopback /data/' + disk_image '--filesystem ext4' '--wipe' '--bootloader systemd')

_disk size:
    fallocate -l '{{ size }}' '{{ disk_image }}'

# Write the disk image to a stick: `just flash /dev/sdX`. Refuses everything that is not an idle, removable disk.
flash device:
    scripts/flash.sh '{{ disk_image }}' '{{ device }}'
