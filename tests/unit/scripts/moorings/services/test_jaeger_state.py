"""A Jaeger is found again by more than a pid; its ports are free ones; a broken file is no end."""

import os
import socket
from pathlib import Path

import psutil
import pytest

from moorings.services.jaeger_source import Kind
from moorings.services.jaeger_state import HOST, PORTS, State, StateFile, choose_ports
from moorings.settings import Jaeger as Settings

MINE = psutil.Process(os.getpid()).create_time()


def state(pid: int = 0, started: float = 0.0) -> State:
    # Below the ports that the kernel gives to clients: nobody takes one of these by chance.
    known = {name: 23100 + number for number, name in enumerate(PORTS)}
    return State(Kind.BINARY, "/opt/jaeger", "memory", known, pid, started)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "deeper" / "jaeger.json")
    assert file.read() is None
    file.write(state(7, 1.5))
    assert file.read() == state(7, 1.5)
    file.forget()
    file.forget()
    assert file.read() is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"kind": "build"}',
        '{"kind": "other", "what": "", "storage": "memory", "ports": {}, "pid": 0, "started": 0}',
        '{"kind": "build", "what": "", "storage": "memory", "ports": {"query": 1}, "pid": 0, '
        '"started": 0, "container": ""}',
        "\x80",
    ],
)
def test_a_file_that_cannot_be_read_is_said_once_and_forgotten(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = StateFile(tmp_path / "jaeger.json")
    file.file.write_bytes(text.encode("latin-1"))
    assert file.read() is None
    assert file.read() is None
    assert capsys.readouterr().err.count("is not readable") == 1


def test_a_pid_alone_is_not_a_process() -> None:
    assert state(os.getpid(), MINE).process() is not None
    assert state(os.getpid(), MINE - 60).process() is None
    assert state().process() is None


def test_the_ports_of_the_settings_are_taken_where_they_are_free() -> None:
    settings = Settings(**{f"{name}_port": port for name, port in state().ports.items()})
    assert choose_ports(settings, None) == state().ports


def test_a_taken_port_is_replaced_by_a_free_one_and_the_others_stay() -> None:
    with socket.create_server((HOST, 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind((HOST, 0))
        taken = {"query": tcp.getsockname()[1], "thrift_compact": udp.getsockname()[1]}
        settings = Settings(
            **{f"{name}_port": port for name, port in {**state().ports, **taken}.items()}
        )
        chosen = choose_ports(settings, None)
    assert {name for name in PORTS if chosen[name] != state().ports[name]} == set(taken)
    assert not set(chosen.values()) & set(taken.values())
    assert len(set(chosen.values())) == len(PORTS)


def test_the_ports_of_before_are_kept() -> None:
    assert choose_ports(Settings(), state()) == state().ports


def test_one_port_for_two_parts_is_given_to_one() -> None:
    settings = Settings(query_port=23110, health_port=23110)
    assert len(set(choose_ports(settings, None).values())) == len(PORTS)
