"""Who may speak for the client: the last PROXY_HOPS proxies, and nobody by default."""

from wsgiref.types import WSGIApplication

from werkzeug.middleware.proxy_fix import ProxyFix


def trust(app: WSGIApplication, hops: int) -> WSGIApplication:
    """Take client, scheme and host from what exactly `hops` proxies appended; 0 takes nothing."""
    if not hops:
        return app
    return ProxyFix(app, x_for=hops, x_proto=hops, x_host=hops)
