"""`runtime.wsgi:application`, what every WSGI server loads: APP inside the runtime's layers."""

from wsgiref.types import WSGIApplication

from runtime import boot

boot.check()

from runtime import (  # noqa: E402
    deadline,
    health,
    limits,
    loader,
    logs,
    metrics,
    proxies,
    settings,
    telemetry,
    tracing,
)
from runtime.servers import pool  # noqa: E402


def build(config: settings.Settings) -> WSGIApplication:
    """Build the layers from the inside out; a request meets the last line first."""
    lines = logs.configure(config)
    sums = metrics.Metrics(config)
    pool.tell(sums.queued.set)
    tracer = tracing.start(config, sums)  # before the app, so that its database is traced

    app = loader.load_app(config.app)
    check = loader.load_check(config.ready) if config.ready else None
    if config.probe:
        from runtime import probe

        app = probe.Mount(app, config.release)
    app = health.Health(app, config, sums, check)
    if config.max_body_bytes:
        app = limits.BodyLimit(app, config.max_body_bytes)
    untraced = frozenset(health.paths(config))
    app = telemetry.Telemetry(app, tracer, sums, lines, config.server, untraced, deadline.watch())
    return proxies.trust(app, config.proxy_hops)


with boot.errors_in_one_line():
    application = build(settings.read())
