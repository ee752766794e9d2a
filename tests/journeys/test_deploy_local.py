"""`make deploy-local` and what a person does around it."""

import re
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import httpx
import pytest
from tests.journeys.conftest import ROOT, Operator

APP = """
from flask import Flask

def create():
    app = Flask(__name__)
    app.get("/")(lambda: "hello from my shop")
    return app
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """An app of the operator's own, in a folder whose name has a space."""
    folder = tmp_path / "my shop"
    folder.mkdir()
    (folder / "shop.py").write_text(APP)
    return folder


def address(output: str) -> str:
    found = re.search(r"app +(http://\S+)", output)
    assert found, output
    return found.group(1)


def test_the_first_command_shows_an_order_and_its_trace(operator: Operator) -> None:
    first = operator.types("deploy", "--local")
    assert first.returncode == 0, first.stdout + first.stderr
    assert re.search(r"placed order \S+ for \d+\.\d\d EUR", first.stdout)
    tree = first.stdout[first.stdout.index("trace ") :]
    assert re.search(r"store  POST /api/orders  201", tree)
    assert re.search(r"[├└]─ store  sqlite: INSERT INTO orders", tree)
    running = operator.processes()

    again = operator.types("deploy", "--local")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "runs already; nothing to do" in again.stdout
    assert operator.processes() == running

    told = operator.types("status")
    assert told.returncode == 0
    assert address(first.stdout) in told.stdout
    trace_id = re.search(r"trace ([0-9a-f]{32})", tree)
    assert trace_id
    assert "POST /api/orders" in operator.types("trace", trace_id.group(1)).stdout
    assert trace_id.group(1) in operator.types("traces", "--limit", "50").stdout
    assert "POST /api/orders 201" in operator.types("logs").stdout

    changed = operator.types("reload", "--workers", "3")
    assert changed.returncode == 0, changed.stderr
    assert operator.types("status").stdout.count("  worker ") == 3

    gone = operator.types("down")
    assert gone.returncode == 0
    assert operator.processes() == set()
    assert operator.types("status").returncode == 3


def test_the_first_command_shows_the_same_by_the_jaeger_exporter(operator: Operator) -> None:
    done = operator.makes("deploy-local", "TRACES_EXPORTER=jaeger")
    assert done.returncode == 0, done.stdout + done.stderr
    tree = done.stdout[done.stdout.index("trace ") :]
    assert re.search(r"store  POST /api/orders  201", tree)
    assert re.search(r"[├└]─ store  sqlite: INSERT INTO orders", tree)


def test_an_app_of_one_s_own_runs_unchanged(operator: Operator, shop: Path) -> None:
    (shop / "requirements.txt").write_text("flask>=3\n")
    flags = ("--app", "shop:create()", "--app-dir", str(shop))
    done = operator.types("deploy", *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    url = address(done.stdout)
    assert httpx.get(url, trust_env=False).text == "hello from my shop"

    wrong = operator.types("deploy", "--app", "shop:creat()", "--app-dir", str(shop))
    assert wrong.returncode == 1
    assert "module 'shop' has no attribute 'creat'; did you mean 'create'?" in wrong.stderr
    assert "serves on" in wrong.stderr
    assert "Traceback" not in wrong.stdout + wrong.stderr
    assert httpx.get(url, trust_env=False).text == "hello from my shop"


@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0])
def test_ctrl_c_leaves_nothing(operator: Operator, seconds: float) -> None:
    with subprocess.Popen(
        [str(ROOT / "moor"), "deploy"],
        env=operator.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # As a terminal gives it: what runs in the background inherits SIGINT ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        time.sleep(seconds)  # a person's hand; whatever it meets must be undone
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0].decode()
    # A shell reports both as 130: the command may not yet have been more than its first lines.
    assert process.returncode in (130, -signal.SIGINT), output
    assert "Traceback" not in output
    assert operator.processes() == set()


@pytest.mark.parametrize(
    ("argv", "env", "status", "says"),
    [
        (["deploi"], {}, 2, "no verb 'deploi'; did you mean deploy?"),
        (["deploy", "gunicron"], {}, 2, "no target 'gunicron'; did you mean gunicorn?"),
        (["deploy", "--workers", "abc"], {}, 2, "server.workers: should be a whole number"),
        (["deploy"], {"MOOR_SERVER_WORKERS": "0"}, 2, "server.workers: should be 1 or more"),
        (
            ["deploy", "docker"],
            {"MOOR_DOCKER_SERVER": "nginx"},
            2,
            "docker.server: should be one of gunicorn, uwsgi, apache, not 'nginx'",
        ),
        (["deploy", "--app-dir", "/nowhere"], {}, 2, "app.dir: there is no folder /nowhere"),
        (["deploy"], {"DATABASE_URL": "no url"}, 1, "DATABASE_URL is not a database URL"),
        (["trace", "zz"], {}, 2, "'zz' is no trace id"),
        (["reload"], {}, 1, "nothing runs that could be reloaded"),
        (["deploy", "--dry-run", "--set", "server.port"], {}, 2, "should be KEY=VALUE"),
    ],
)
def test_a_mistake_is_two_lines(
    operator: Operator, argv: list[str], env: dict[str, str], status: int, says: str
) -> None:
    done = operator.types(*argv, **env)
    assert done.returncode == status, done.stdout + done.stderr
    assert says in done.stderr
    assert "\nNext:  " in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_dry_run_prints_the_commands_and_starts_nothing(operator: Operator) -> None:
    done = operator.types("deploy", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\$ .*/bin/gunicorn' --config |^\$ .*/bin/gunicorn --config ",
                     done.stdout, re.MULTILINE)  # fmt: skip
    assert operator.processes() == set()
