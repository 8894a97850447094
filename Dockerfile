# The service as an image: a bundle on a runtime that has Node and no shell.
#
#   docker build -t apk-beacon .
#   docker run --rm -p 3000:3000 --read-only -v apk-beacon:/var/cache/apk-beacon apk-beacon
#
# Both images can be replaced with --build-arg; the runtime has to have a node of at least 22.19 at NODE. Renovate raises
# the two lines below and pins their digests.
ARG BUILD_IMAGE=docker.io/library/node:24.21.0-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

# What is built is the same for every arch, so nothing is emulated.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY scripts/build.ts scripts/
COPY src src
RUN npm run build -- /out/usr/lib/apk-beacon && mkdir -p /out/var/cache/apk-beacon
# `apk-beacon` in the PATH, for `kubectl exec`: there is neither a shell nor an env to start it with.
ARG NODE=/nodejs/bin/node
RUN mkdir -p /out/usr/bin && \
    printf '#!%s\nimport("/usr/lib/apk-beacon/apk-beacon.mjs");\n' "$NODE" > /out/usr/bin/apk-beacon && \
    chmod 755 /out/usr/bin/apk-beacon

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="apk-beacon" \
      org.opencontainers.image.description="Which versions of this APK package exist? A verified update signal for APK repositories." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/usr /usr
COPY --from=build --chown=65532:65532 /out/var/cache/apk-beacon /var/cache/apk-beacon
ENV PATH=/nodejs/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_ENV=production \
    APK_BEACON_CACHE_DIR=/var/cache/apk-beacon
USER 65532:65532
WORKDIR /
EXPOSE 3000
# GitLab waits for the port by itself; Docker and compose ask this.
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s --retries=3 \
  CMD ["node", "--max-semi-space-size=4", "--no-allocation-site-pretenuring", "--v8-pool-size=1", "/usr/lib/apk-beacon/apk-beacon.mjs", "health"]
# Less memory for short-lived objects, one helper thread for V8 (docs/decisions/008).
ENTRYPOINT ["node", "--max-semi-space-size=4", "--no-allocation-site-pretenuring", "--v8-pool-size=1", "/usr/lib/apk-beacon/apk-beacon.mjs"]
