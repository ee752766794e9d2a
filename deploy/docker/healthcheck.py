"""HEALTHCHECK of the image: ends with 0 where /readyz answers 200."""

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=3)
try:
    connection.request("GET", f"{os.environ.get('HEALTH_PREFIX', '')}/readyz")
    answer = connection.getresponse()
    said = answer.read(500).decode(errors="replace")
except OSError as problem:
    sys.exit(f"no answer: {problem}")
print(answer.status, said)
sys.exit(answer.status != 200)
