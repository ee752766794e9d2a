"""Find the application that APP names; what is wrong with it is said in one line."""

import ast
import difflib
import importlib
import importlib.util
import inspect
import logging
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any
from wsgiref.types import WSGIApplication

_log = logging.getLogger("runtime.loader")


class LoadError(Exception):
    """APP or READY names nothing that can be used; its text says what was found instead."""


def load_app(spec: str) -> WSGIApplication:
    """Return the application of `module:attr` or `module:factory(...)`; raises LoadError."""
    target, arguments = _target(spec, "APP")
    app = target if arguments is None else _make(target, arguments, spec)
    if not callable(app):
        raise LoadError(f"APP: {spec!r} is {type(app).__name__}, not a WSGI application")
    if inspect.isfunction(app) and not _takes_two(app):
        hint = f"a factory is written '{spec}()'"
        raise LoadError(f"APP: {spec!r} takes no (environ, start_response); {hint}")
    return app  # type: ignore[no-any-return]


def load_check(spec: str) -> Callable[[], Any]:
    """Return the function that READY names; raises LoadError."""
    target, arguments = _target(spec, "READY")
    if arguments is not None or not callable(target):
        raise LoadError(f"READY: should be {_FORM['READY']}, not {spec!r}")
    return target  # type: ignore[no-any-return]


_FORM = {"APP": "module:attribute or module:factory()", "READY": "module:function"}

_Arguments = tuple[list[Any], dict[str, Any]]


def _target(spec: str, name: str) -> tuple[Any, _Arguments | None]:
    module_name, _, expression = spec.partition(":")
    if not module_name or not expression:
        raise LoadError(f"{name}: should be {_FORM[name]}, not {spec!r}")
    attribute, arguments = _parse(expression, spec, name)
    module = _import(module_name, name)
    if not hasattr(module, attribute):
        near = _near(attribute, module)
        raise LoadError(f"{name}: module {module_name!r} has no attribute {attribute!r}{near}")
    return getattr(module, attribute), arguments


def _parse(expression: str, spec: str, name: str) -> tuple[str, _Arguments | None]:
    """Take `attr` or `factory(literals)` apart, as Flask and Gunicorn allow it; nothing is run."""
    wrong = LoadError(f"{name}: should be {_FORM[name]}, not {spec!r}")
    try:
        node = ast.parse(expression, mode="eval").body
        if isinstance(node, ast.Name):
            return node.id, None
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            raise wrong
        arguments = [ast.literal_eval(argument) for argument in node.args]
        named = {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}
    except (SyntaxError, ValueError):
        raise wrong from None
    return node.func.id, (arguments, named)


def _import(module_name: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise LoadError(_not_found(error.name, name)) from None
        raise _broken(f"{name}: importing {module_name!r} failed", error) from error
    # SystemExit too: a module that leaves while it is imported would end the worker in silence.
    except (Exception, SystemExit) as error:
        raise _broken(f"{name}: importing {module_name!r} failed", error) from error


def _make(factory: Any, arguments: _Arguments, spec: str) -> Any:
    if not callable(factory):
        raise LoadError(f"APP: {spec!r} calls {type(factory).__name__}, which is not callable")
    try:
        return factory(*arguments[0], **arguments[1])
    except (Exception, SystemExit) as error:
        raise _broken(f"APP: calling {spec!r} failed", error) from error


def _broken(what: str, error: BaseException) -> LoadError:
    """Name the error and its place; the traceback goes to the log, as the fault is the app's."""
    if refusal := _refusal(error):
        return LoadError(f"{what}: {refusal}")
    _log.error("%s", what, exc_info=error)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" ({last[0].filename}:{last[0].lineno})" if last else ""
    words = " ".join("".join(traceback.format_exception_only(error)).split())
    return LoadError(f"{what}: {words}{place}")


def _refusal(error: BaseException) -> str:
    """Return what an app says that refuses to start on purpose: sys.exit("why"), or click's way."""
    if isinstance(error, SystemExit) and isinstance(error.code, str):
        return " ".join(error.code.split())
    speak = getattr(error, "format_message", None)
    return " ".join(str(speak()).split()) if callable(speak) else ""


def _not_found(module_name: str, name: str) -> str:
    folders = [folder for folder in _own_folders() if folder]
    found = sorted({module.name for module in pkgutil.iter_modules(folders)})
    where = ", ".join(folders) or "an empty PYTHONPATH"
    hint = f"; found there: {', '.join(found[:12])}" if found else ""
    return f"{name}: no module named {module_name!r} in {where}{hint}"


def _own_folders() -> list[str]:
    """Return the folders of sys.path that hold the operator's code, not Python's or packages."""
    base = (sys.prefix, sys.base_prefix)
    return [os.path.abspath(folder) for folder in sys.path if not folder.startswith(base)]


def _near(attribute: str, module: ModuleType) -> str:
    names = [name for name in vars(module) if not name.startswith("_")]
    close = difflib.get_close_matches(attribute, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind({}, None)
    except TypeError:
        return False
    return True
