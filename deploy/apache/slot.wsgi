"""What the daemon processes of site.conf load: the release in their slot, with its environment."""

import json
import os
import sys
from pathlib import Path

import mod_wsgi

# The link may lead to the next release while this process still answers: it stays with its own.
slot = Path(__file__).with_name(mod_wsgi.process_group).resolve()
sys.path[:] = [os.path.realpath(path) for path in sys.path]
environment = slot / "environment.json"
if environment.is_file():
    # Apache hands no variables to one group of daemon processes.
    os.environ.update(json.loads(environment.read_text()))
    sys.path[:0] = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    from runtime.servers.mod_wsgi import application
else:

    def application(environ, start_response):
        """Answer that this slot is empty."""
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return []
