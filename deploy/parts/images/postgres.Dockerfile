# PostgreSQL from Debian's package, where the public image cannot be had: the same user, folders,
# variables and init folder, as far as deploy/docker/compose.yaml uses them.
ARG BASE
FROM ${BASE}
# Debian's own first cluster is not wanted: the entry point makes one in the volume.
RUN --mount=type=secret,id=sources,target=/etc/apt/sources.list,required=false \
    --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/99machine,required=false \
    groupadd --system --gid 999 postgres \
    && useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql \
      --shell /usr/sbin/nologin postgres \
    && mkdir -p /etc/postgresql-common /docker-entrypoint-initdb.d \
    && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
    && apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-15 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt \
    && install -d -o 999 -g 999 -m 0700 /var/lib/postgresql/data
COPY --chmod=0755 postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 PGDATA=/var/lib/postgresql/data
USER 999:999
# Running queries end, clients are told: SIGTERM would wait for clients that never leave.
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
