import pytest

from runtime.headers import VARIABLE, Capture

ENVIRON = {
    "HTTP_X_TENANT": "fruit",
    "HTTP_X_PLAN": "p" * 500,
    "HTTP_COOKIE": "session=hush",
    "HTTP_AUTHORIZATION": "Bearer hush",
    "HTTP_X_API_KEY": "hush",
    "HTTP_X_FORWARDED_AUTHORIZATION": "hush",
    "HTTP_X_ORIGINAL_COOKIE": "hush",
    "HTTP_COOKIE2": "hush",
    "HTTP_X_AUTH": "hush",
    "HTTP_X_SESSION_ID": "hush",
    "HTTP_X_PASSWORD": "hush",
    "HTTP_X_CSRFTOKEN": "hush",
    "PATH_INFO": "/",
}


def test_nothing_is_captured_unless_it_is_wanted() -> None:
    assert not Capture("")
    assert Capture("").of(ENVIRON) == {}


def test_named_headers_are_captured_and_long_ones_cut() -> None:
    found = Capture("X-Tenant, x-plan,missing").of(ENVIRON)
    assert found == {
        "http.request.header.x-tenant": ("fruit",),
        "http.request.header.x-plan": ("p" * 256,),
    }


NAMES = ",".join(
    key[5:].lower().replace("_", "-") for key, sent in ENVIRON.items() if sent == "hush"
)


@pytest.mark.parametrize(
    "wanted", ["cookie,authorization,x-api-key", ".*", "(?i:COOKIE|auth.*)", NAMES]
)
def test_what_lets_its_reader_act_for_the_client_never_is(wanted: str) -> None:
    assert "hush" not in str(Capture(wanted).of(ENVIRON))


def test_a_pattern_finds_what_it_matches() -> None:
    assert Capture("x-t.*").of(ENVIRON) == {"http.request.header.x-tenant": ("fruit",)}


@pytest.mark.parametrize("wanted", ["content-type,Content-Length", "content-.*"])
def test_the_headers_of_a_body_are_found_too(wanted: str) -> None:
    sent = {"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "3"}
    assert Capture(wanted).of({**ENVIRON, **sent}) == {
        "http.request.header.content-type": ("text/plain",),
        "http.request.header.content-length": ("3",),
    }
    assert Capture(wanted).of({**ENVIRON, "CONTENT_TYPE": "", "CONTENT_LENGTH": ""}) == {}


def app(_environ, start_response):  # type: ignore[no-untyped-def]
    start_response("200 OK", [])
    return [b""]


def test_they_are_on_the_span(layer, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv(VARIABLE, "x-tenant")
    layer.ask(app, "/", headers={"X-Tenant": "fruit", "Cookie": "hush"})
    (span,) = layer.spans()
    assert span.attributes["http.request.header.x-tenant"] == ("fruit",)
    assert "hush" not in span.to_json()
