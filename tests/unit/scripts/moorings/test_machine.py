"""What was put on the machine is remembered; a list that is broken is never run."""

from pathlib import Path

import pytest

from moorings import machine
from moorings.machine import Item

USER = Item("user", "shop", ["userdel", "shop"])


def test_it_is_remembered_once_and_forgotten(tmp_path: Path) -> None:
    for _ in range(2):
        machine.remember(tmp_path, USER)
    assert machine.items(tmp_path) == [USER]
    machine.forget(tmp_path, [USER])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "3",
        "[3]",
        '["ab"]',
        '{"kind": 1}',
        "\udc80",
        '[{"kind": "user", "name": "shop", "undo": []}]',
        '[{"kind": "user", "name": "shop", "undo": "userdel"}]',
        '[{"kind": "user", "name": "shop", "undo": ["userdel", 3]}]',
    ],
)
def test_a_broken_list_is_said_and_put_aside(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "machine.json"
    file.write_bytes(content.encode(errors="surrogateescape"))
    assert machine.items(tmp_path) == []
    assert "started anew" in capsys.readouterr().err
    assert not file.exists()
    assert (tmp_path / "machine.broken").exists()
