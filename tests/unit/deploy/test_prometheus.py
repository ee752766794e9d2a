"""Alert rules and dashboard name only what the app really exports."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PART = ROOT / "deploy" / "parts" / "prometheus"

#: Counts one of everything in a worker of its own, and prints what /metrics says then.
EXPORTED = """
import os, socket
from pathlib import Path
from runtime.metrics import Metrics
from runtime.settings import Settings
listener = socket.create_server(("127.0.0.1", 0))
os.environ["BIND"] = "127.0.0.1:%d" % listener.getsockname()[1]
metrics = Metrics(Settings(metrics_dir=Path(os.environ["FOLDER"])))
metrics.begin()
metrics.end(("GET", "http", "/", 200, ""), 0.1)
metrics.connections.labels("used").set(1)
print(metrics.render()[0].decode())
"""

#: What Prometheus adds to a sample, and what is no label but a part of a template.
ADDED = {"job", "instance", "le"}
WORDS = {"by", "sum", "rate", "increase", "histogram_quantile", "min_over_time", "absent", "or"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return the labels of each series that a worker exports."""
    folder = tmp_path_factory.mktemp("metrics")
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "service"), "FOLDER": str(folder)}
    argv = [sys.executable, "-c", EXPORTED]
    ran = subprocess.run(argv, env=environ, check=True, capture_output=True, text=True, timeout=60)
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", ran.stdout, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def rules() -> dict[str, str]:
    groups = yaml.safe_load((PART / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def panels() -> dict[str, str]:
    board = json.loads((PART / "dashboard.json").read_text())
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in board["panels"]
        for target in panel["targets"]
    }


@pytest.mark.parametrize("expr", [*rules().values(), *panels().values()])
def test_every_name_is_exported(exported: dict[str, set[str]], expr: str) -> None:
    plain = re.sub(r'"[^"]*"|\[[^\]]*\]', "", expr)
    grouped = {word for group in re.findall(r"by \(([^)]*)\)", plain) for word in group.split(", ")}
    plain = re.sub(r"by \([^)]*\)", "", plain)
    labels = grouped | set(re.findall(r"(\w+)=~?", plain))
    names = set(re.findall(r"\b[a-z_]{4,}\b", re.sub(r"\{[^}]*\}", "", plain))) - WORDS
    assert names
    assert names <= exported.keys()
    known = set().union(*(exported[name] for name in names)) | ADDED
    assert labels <= known


def test_alerts_cover_what_they_should() -> None:
    assert {"ErrorRate", "Latency", "ConnectionsWait", "SpansDropped"} <= rules().keys()


def test_one_burst_of_lost_spans_is_told() -> None:
    """`increase` sees it for its window alone: an alert that waits as long never fires."""
    groups = yaml.safe_load((PART / "alerts.yml").read_text())["groups"]
    (rule,) = (one for group in groups for one in group["rules"] if one["alert"] == "SpansDropped")
    assert rule.get("for", "0m") == "0m"


def test_the_page_names_every_metric(exported: dict[str, set[str]]) -> None:
    page = (PART / "README.md").read_text()
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported
                if not name.endswith("_created")} - {"db_client_connection"}  # fmt: skip
    assert [name for name in families if f"`{name}`" not in page] == []
    assert "`db_client_connection_count`" in page
