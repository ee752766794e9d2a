# Jaeger from the program that deploy/parts/jaeger/build makes, and the wget of the public image, which
# is BusyBox's too, for a healthcheck; nothing else is in the image.
ARG BASE
FROM ${BASE} AS parts
RUN --mount=type=secret,id=sources,target=/etc/apt/sources.list,required=false \
    --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/99machine,required=false \
    install -d -o 10001 -g 10001 -m 0700 /traces \
    && apt-get update \
    && apt-get install --yes --no-install-recommends busybox-static

FROM scratch
COPY --chmod=0755 jaeger /jaeger
COPY --from=parts /bin/busybox /usr/bin/wget
# Where a volume comes to lie: a new one has the owner of what was there.
COPY --from=parts --chown=10001:10001 /traces /var/lib/jaeger
USER 10001:10001
ENTRYPOINT ["/jaeger"]
