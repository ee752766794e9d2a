# Jaeger from the program that deploy/parts/jaeger/build makes; nothing else is in the image.
FROM scratch
COPY --chmod=0755 jaeger /jaeger
USER 10001:10001
ENTRYPOINT ["/jaeger"]
