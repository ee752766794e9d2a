"""Lines that wait: none is lost, none is cut, none is late."""

import json
import os
import select
import threading
from collections.abc import Iterator

import pytest

from runtime import logs
from runtime.settings import Settings
from runtime.writer import Writer, blocks


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_no_block_is_larger_than_a_pipe_keeps_whole() -> None:
    lines = [b"x" * size + b"\n" for size in (1000, 3000, 90, 5000, 10, 4095)]
    found = list(blocks(lines))
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
