"""uWSGI's side: `runtime.servers.uwsgi:application`, which deploy/uwsgi/uwsgi.ini names.

Loaded by each worker after its fork. A worker is deaf to its master's SIGHUP until it accepts: a
stop that comes while the app is loaded would wait for it for ever. So the first thing is to hear.
"""

import os
import signal

# uWSGI's own handler takes its place as soon as the worker accepts.
signal.signal(signal.SIGHUP, lambda *_: os._exit(0))

try:
    from runtime import boot

    boot.check()
    from runtime.servers.uwsgi_worker import application
except SystemExit:
    # Said already. This is uWSGI's own status for an app that cannot be loaded: with any other one
    # the master would start a worker again and again, and with `need-app` it ends.
    os._exit(22)

__all__ = ["application"]
