"""Lines that wait: none is lost, none is cut, none is late."""

import contextlib
import fcntl
import json
import logging
import os
import select
import termios
import threading
import time
from array import array
from collections import deque
from collections.abc import Iterator

import pytest

from runtime import logs
from runtime.settings import Settings
from runtime.writer import Writer, block


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_no_block_is_larger_than_a_pipe_keeps_whole() -> None:
    lines = [b"x" * size + b"\n" for size in (1000, 3000, 90, 5000, 10, 4095)]
    waiting = deque(lines)
    found = []
    while waiting:
        found.append(block(waiting))
    assert b"".join(found) == b"".join(lines)
    assert [len(block) for block in found] == [4093, 5001, 11, 4096]
    assert all(len(one) <= select.PIPE_BUF for one in found if one.count(b"\n") > 1)


def test_lines_wait_and_are_written_by_themselves(pipe: tuple[int, int]) -> None:
    writer = Writer(pipe[1])
    writer.later(b"one\n")
    writer.later(b"two\n")
    assert select.select([pipe[0]], [], [], 10)[0]
    assert os.read(pipe[0], 99) == b"one\ntwo\n"
    writer.later(b"three\n")
    assert select.select([pipe[0]], [], [], 10)[0]


def test_a_line_that_does_not_wait_comes_after_those_that_do(pipe: tuple[int, int]) -> None:
    writer = Writer(pipe[1])
    writer.later(b"one\n")
    writer.now(b"two\n")
    assert os.read(pipe[0], 99) == b"one\ntwo\n"
    writer.later(b"three\n")
    writer.close()
    writer.later(b"four\n")
    assert os.read(pipe[0], 99) == b"three\nfour\n"


def test_threads_lose_no_line(pipe: tuple[int, int]) -> None:
    writer = Writer(pipe[1])
    threads = [
        threading.Thread(target=lambda: [writer.later(b"line\n") for _ in range(2000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    read = 0
    while read < 4 * 2000 * 5:
        assert select.select([pipe[0]], [], [], 10)[0]
        read += len(os.read(pipe[0], 65536))
    for thread in threads:
        thread.join()


def test_a_fork_writes_no_line_twice(pipe: tuple[int, int]) -> None:
    writer = Writer(pipe[1])
    writer._closed = True  # so that this process writes when it is asked alone
    writer._lines.append(b"parent\n")
    pid = os.fork()
    if not pid:
        writer.close()
        os._exit(0)
    os.waitpid(pid, 0)
    writer.flush()
    assert os.read(pipe[0], 99) == b"parent\n"


def test_a_line_is_what_json_makes_of_it(pipe: tuple[int, int]) -> None:
    fields = {
        "message": 'quote " and \\ and \u2028 é \x00', "status": 200, "duration_ms": 0.125,
        "incomplete": True, "nothing": None, "left out": "", "trace_id": "ab",
    }  # fmt: skip
    lines = logs.Lines(Settings(log_format="json", release="r1"), pipe[1])
    lines.write(1763900000.9996, "info", dict(fields))
    found = os.read(pipe[0], 4096).decode()
    assert found == json.dumps(json.loads(found)) + "\n"
    stamp = {"time": "2025-11-23T12:13:20.999Z", "level": "info"}
    del fields["left out"]
    assert json.loads(found) == {**stamp, **fields, "release": "r1", "pid": os.getpid()}


def full(pipe: tuple[int, int], blocking: bool) -> int:
    """Fill a pipe to the brim, as a reader does that sleeps; return how much is in it."""
    os.set_blocking(pipe[1], False)
    with contextlib.suppress(BlockingIOError):
        while os.write(pipe[1], b"." * 4096):
            pass
    os.set_blocking(pipe[1], blocking)
    inside = array("i", [0])
    fcntl.ioctl(pipe[0], termios.FIONREAD, inside)
    return inside[0]


def read(pipe: tuple[int, int], count: int) -> bytes:
    """Read so much, by small pieces: a pipe that is not blocking then takes parts of lines."""
    found = b""
    while len(found) < count:
        assert select.select([pipe[0]], [], [], 10)[0], f"{len(found)} bytes of {count} came"
        found += os.read(pipe[0], min(1000, count - len(found)))
    return found


@pytest.mark.parametrize("blocking", [True, False])
def test_where_nobody_reads_for_a_while_no_line_is_lost_and_nobody_waits_long(
    pipe: tuple[int, int], blocking: bool
) -> None:
    before = full(pipe, blocking)
    writer, began = Writer(pipe[1]), time.monotonic()
    lines = [b"%d " % number + b"x" * 400 + b"\n" for number in range(200)]
    for line in lines:
        writer.now(line)
    assert time.monotonic() - began < 2
    read(pipe, before)
    assert read(pipe, sum(map(len, lines))) == b"".join(lines)


def test_a_line_that_is_taken_in_parts_comes_whole_and_alone(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    writer = Writer(pipe[1])
    lines = [b"x" * 300_000 + b"\n", b"short\n"]
    for line in lines:
        writer.now(line)
    assert read(pipe, sum(map(len, lines))) == b"".join(lines)


def test_what_has_no_room_is_counted_and_said(
    pipe: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    before = full(pipe, blocking=False)
    writer = Writer(pipe[1], room=3)
    writer.now(b"0\n")  # it is on its way
    for number in range(1, 9):
        writer.later(b"%d\n" % number)
    read(pipe, before)
    with caplog.at_level(logging.WARNING):
        assert read(pipe, 8) == b"0\n1\n2\n3\n"
        deadline = time.monotonic() + 10
        while not caplog.records and time.monotonic() < deadline:
            writer.flush()
    (said,) = caplog.messages
    assert said.startswith("5 lines of the log were lost")


def test_where_the_reader_has_gone_nobody_waits_and_nothing_stays() -> None:
    reader, descriptor = os.pipe()
    os.close(reader)
    writer, began = Writer(descriptor), time.monotonic()
    for _ in range(1000):
        writer.now(b"line\n")
    assert time.monotonic() - began < 1
    assert writer.flush()
    os.close(descriptor)
