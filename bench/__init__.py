"""`make bench`: what traces, metrics and log lines cost, against bare Flask and the usual way."""
