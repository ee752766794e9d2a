# Jaeger from the program that deploy/parts/jaeger/build makes; nothing else is in the image.
ARG BASE
FROM ${BASE} AS folders
RUN install -d -o 10001 -g 10001 -m 0700 /traces

FROM scratch
COPY --chmod=0755 jaeger /jaeger
# Where a volume comes to lie: a new one has the owner of what was there.
COPY --from=folders --chown=10001:10001 /traces /var/lib/jaeger
USER 10001:10001
ENTRYPOINT ["/jaeger"]
