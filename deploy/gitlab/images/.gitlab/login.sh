#!/bin/sh
# Logs in where the images go, for apko and cosign alike: into the project's registry, or with REGISTRY_PASSWORD into
# another one.
set -eu
if [ -n "${REGISTRY_PASSWORD:-}" ]; then
  printf %s "$REGISTRY_PASSWORD" | cosign login "${REGISTRY%%/*}" --username "$REGISTRY_USER" --password-stdin
else
  printf %s "$CI_REGISTRY_PASSWORD" | cosign login "$CI_REGISTRY" --username "$CI_REGISTRY_USER" --password-stdin
fi
