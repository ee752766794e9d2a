"""An app that takes longer to boot than a lost worker may be missed."""

import time

import flask

time.sleep(8)
app = flask.Flask(__name__)
