"""What the daemon processes of httpd.conf load, with the environment that httpd was started with."""

import os
import sys

sys.path[:0] = [path for path in os.environ["PYTHONPATH"].split(os.pathsep) if path not in sys.path]

from runtime.servers.mod_wsgi import application
