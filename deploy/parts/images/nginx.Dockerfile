# nginx from Debian's package, where the public image cannot be had; same user, same way to stop.
ARG BASE
FROM ${BASE}
RUN --mount=type=secret,id=sources,target=/etc/apt/sources.list,required=false \
    --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/99machine,required=false \
    groupadd --system --gid 101 nginx \
    && useradd --system --uid 101 --gid 101 --no-create-home --shell /usr/sbin/nologin nginx \
    && apt-get update \
    && apt-get install --yes --no-install-recommends nginx-light \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
