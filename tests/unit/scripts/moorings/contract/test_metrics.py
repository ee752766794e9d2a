"""Prometheus text as the checks read it."""

from moorings.contract.metrics import Sample, parse, total

TEXT = """\
# HELP http_server_request_duration_seconds Duration
# TYPE http_server_request_duration_seconds histogram
http_server_request_duration_seconds_count{http_route="/a",http_request_method="GET"} 3.0
http_server_request_duration_seconds_count{http_route="/a",http_request_method="PUT"} 2.0
http_server_request_duration_seconds_count{http_route="/b \\"c\\"",http_request_method="GET"} 1e+01
http_server_active_requests 0.0
"""


def test_every_sample_is_read() -> None:
    samples = list(parse(TEXT))
    assert len(samples) == 4
    assert samples[3] == Sample("http_server_active_requests", {}, 0.0)
    assert samples[2].labels["http_route"] == r"/b \"c\""


def test_totals_are_over_the_labels_not_named() -> None:
    samples = list(parse(TEXT))
    name = "http_server_request_duration_seconds_count"
    assert total(samples, name) == 15
    assert total(samples, name, http_route="/a") == 5
    assert total(samples, name, http_route="/a", http_request_method="PUT") == 2
    assert total(samples, "unheard_of") == 0
