"""The checks as they are declared."""

from pathlib import Path

import pytest

from moorings.contract import checks, registry
from moorings.contract.column import Column
from moorings.contract.controls import CONTROLS
from moorings.contract.registry import Check
from moorings.errors import UsageError

#: What issues and documents call them; a renamed check is a broken promise.
IDS = [
    "serve.ready", "serve.idempotent", "serve.http", "serve.stream", "serve.upload",
    "serve.keepalive", "serve.smuggling", "serve.limits", "serve.slow_clients", "serve.static",
    "drain.running", "drain.queued", "drain.deadline", "deploy.broken",
    "down.clean", "reload.load", "deploy.load", "rollback.load", "deploy.lock", "trace.ledger",
    "crash.worker", "hang.worker", "recycle", "crash.master",
    "trace.arrives", "trace.edges", "trace.errors", "trace.stream", "trace.probes", "logs.json",
    "metrics.sum", "metrics.queue", "trace.outage", "trace.sampling", "trace.legacy",
    "proxy.trusted", "proxy.spoofed", "secure.headers", "secure.tls", "secure.debug", "secure.user",
    "secure.readonly", "secure.caps", "secure.published", "secure.secrets",
    "pods.load", "pods.direct", "pods.evict", "pods.node", "pods.autoscale", "secure.policy",
    "data.roles", "data.durable", "deploy.renewed",
]  # fmt: skip


def test_all_checks_are_there() -> None:
    assert [check.id for check in registry.load()] == IDS


def test_every_module_of_checks_is_loaded() -> None:
    files = {file.stem for file in Path(checks.__path__[0]).glob("[a-z]*.py")}
    assert files == set(checks.GROUPS)


@pytest.mark.parametrize("check", registry.load(), ids=str)
def test_a_check_has_a_control_or_says_why_not(check: Check) -> None:
    assert bool(check.control) != bool(check.no_control)
    if check.control:
        assert check.control in CONTROLS, f"there is no control {check.control!r}"
        assert check.id in CONTROLS[check.control].reddens


def test_no_control_declares_an_unknown_check() -> None:
    declared = {id for control in CONTROLS.values() for id in control.reddens}
    assert declared <= set(IDS)


def test_an_unknown_id_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no check 'drain.runing'; did you mean drain.running\?"):
        registry.choose(registry.load(), ["drain.runing"])


def test_only_and_quick_choose() -> None:
    known = registry.load()
    assert [one.id for one in registry.choose(known, ["secure.user", "serve.http"])] == [
        "serve.http",
        "secure.user",
    ]
    assert {one.id for one in registry.choose(known, quick=True)} == {
        "serve.ready", "serve.http", "trace.arrives", "trace.edges", "logs.json",
        "secure.debug", "secure.headers", "secure.user",
        "secure.readonly", "secure.caps", "secure.published",
    }  # fmt: skip


def test_a_group_is_chosen_by_its_name() -> None:
    chosen = registry.choose(registry.load(), ["drain", "secure.user"])
    assert [one.id for one in chosen] == [
        "drain.running", "drain.queued", "drain.deadline", "secure.user",
    ]  # fmt: skip


def test_a_check_that_is_not_quick_is_refused_with_quick() -> None:
    with pytest.raises(UsageError, match=r"deploy\.broken needs load or a restart"):
        registry.choose(registry.load(), ["serve.http", "deploy.broken"], quick=True)


def test_an_id_is_taken_once_and_a_need_must_be_known() -> None:
    def run(_column: Column) -> str:
        return ""

    with pytest.raises(ValueError, match="two checks are called"):
        registry.check("serve.ready", proves="")(run)
    with pytest.raises(ValueError, match="needs luck"):
        registry.check("serve.luck", proves="", needs=["luck"])(run)
