# Gunicorn's settings. By hand, from the clone:
#   PYTHONPATH=service gunicorn -c deploy/gunicorn/gunicorn.conf.py
# What differs from one installation to the next comes from the environment (see README.md).
import os

from runtime import capacity, settings
from runtime.boot import errors_in_one_line
from runtime.servers import gunicorn as hooks

with errors_in_one_line():
    settings.read()  # what the workers will read: a wrong value stops the server here, once
    fitting = capacity.measure().workers  # into the cgroup, whatever the host has
    workers = settings.whole(os.environ, "WEB_CONCURRENCY", fitting, "workers", least=1)
    threads = settings.whole(os.environ, "THREADS", 4, "threads", least=1)
    graceful_timeout = settings.whole(os.environ, "GRACEFUL_TIMEOUT", 30, "seconds", least=1)
    keepalive = settings.whole(os.environ, "KEEP_ALIVE", 5, "seconds")
    timeout = settings.whole(os.environ, "TIMEOUT", 60, "seconds")
    max_requests = settings.whole(os.environ, "MAX_REQUESTS", 0, "requests")

bind = os.environ.get("BIND") or "127.0.0.1:8000"
# Threads: a sync worker resets the connections that wait in its queue when it stops.
workers_kind = os.environ.get("WORKER_CLASS") or "gthread"
worker_class = hooks.worker_class(workers_kind)
wsgi_app = hooks.application(workers_kind)
if workers_kind != "gthread":
    threads = 1  # with more, Gunicorn makes gthread of sync, and warns of asgi
proc_name = f"moorings {os.environ.get('RELEASE', '')}".strip()

# At random, so that not all workers are replaced at once.
max_requests_jitter = max_requests // 2

# Each worker loads the app itself: no database connection or exporter thread crosses a fork.
preload_app = False
# The heartbeat in memory: on a slow or full disk healthy workers would be killed.
worker_tmp_dir = hooks.memory_folder()
# It would write below the home folder, which the service's user need not have.
control_socket_disable = True

# Requests that no client of ours sends: refused before they reach the app.
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 16380

# Nobody may set the scheme: PROXY_HOPS alone says who speaks for the client. An empty list of
# headers, as connections over a Unix socket are trusted whatever the list of addresses says.
forwarded_allow_ips = ""
secure_scheme_headers = {}
forwarder_headers = ""
header_map = "drop"

# One stream for all lines; the runtime writes the access lines, with their traces.
logger_class = hooks.Logger
accesslog = None

when_ready = hooks.when_ready
post_fork = hooks.post_fork
post_worker_init = hooks.post_worker_init
pre_request = hooks.pre_request
worker_exit = hooks.worker_exit
child_exit = hooks.child_exit
on_exit = hooks.on_exit
