import sys
from pathlib import Path

import pytest
from flask import Flask

from runtime import loader
from runtime.loader import LoadError


@pytest.fixture(autouse=True)
def _apps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "apps"))


@pytest.mark.parametrize(
    "spec", ["shop:app", "shop:create()", "shop:create('x')", "shop:create(name='x')"]
)
def test_the_ways_to_name_an_app(spec: str) -> None:
    assert isinstance(loader.load_app(spec), Flask)


SHOULD = "APP: should be module:attribute or module:factory(), not"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("shop:ap", "APP: module 'shop' has no attribute 'ap'; did you mean 'app'?"),
        ("shop", f"{SHOULD} 'shop'"),
        ("shop:", f"{SHOULD} 'shop:'"),
        ("shop:create(open)", f"{SHOULD} 'shop:create(open)'"),
        ("shop:a b", f"{SHOULD} 'shop:a b'"),
        ("shop:number", "APP: 'shop:number' is int, not a WSGI application"),
        ("shop:number()", "APP: 'shop:number()' calls int, which is not callable"),
        ("shop:nothing()", "APP: 'shop:nothing()' is NoneType, not a WSGI application"),
        (
            "shop:create",
            "APP: 'shop:create' takes no (environ, start_response); "
            "a factory is written 'shop:create()'",
        ),
    ],
)
def test_a_wrong_one_says_what_was_found(spec: str, words: str) -> None:
    with pytest.raises(LoadError) as raised:
        loader.load_app(spec)
    assert str(raised.value) == words


def test_a_missing_module_lists_its_neighbours() -> None:
    with pytest.raises(LoadError, match=r"^APP: no module named 'shopp' in .*found there: .*shop"):
        loader.load_app("shopp:app")


def test_a_failing_import_names_error_and_place(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(LoadError) as raised:
        loader.load_app("broken:app")
    assert "importing 'broken' failed: RuntimeError: no such flavour (" in str(raised.value)
    assert str(raised.value).endswith("broken.py:3)")
    assert "\n" not in str(raised.value)
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    "source",
    [
        'raise SystemExit("KEY is not set")',
        'import click\nraise click.UsageError("KEY is not set")',
    ],
)
def test_an_app_that_refuses_to_start_is_quoted(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "picky.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "picky", raising=False)
    with pytest.raises(LoadError) as raised:
        loader.load_app("picky:app")
    assert str(raised.value) == "APP: importing 'picky' failed: KEY is not set"
    assert caplog.text == ""


def test_a_module_missing_inside_the_app_is_the_apps_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needy.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(LoadError, match=r"importing 'needy' failed: .*needy\.py:1\)$"):
        loader.load_app("needy:app")


def test_ready_is_a_function() -> None:
    assert loader.load_check("shop:ready").__name__ == "ready"
    for wrong in ("shop:number", "shop", "shop:", "shop:a b"):
        with pytest.raises(LoadError, match="READY: should be module:function, not "):
            loader.load_check(wrong)
