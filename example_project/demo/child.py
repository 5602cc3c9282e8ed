"""Runs a Python module or script so that it cannot outlive whoever started it.

``python -m example_project.demo.child (-m MODULE | SCRIPT) [ARGUMENTS]``, with a pipe as standard
input and as the leader of a process group. The pipe ends when its other side dies, even by SIGKILL;
then the whole group is killed. A pipe does this on Linux and macOS alike, and reaches the processes
that the module forks.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def die_with_parent() -> None:
    """Watch the pipe in a thread, and give the process an empty standard input instead."""
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_kill_group_at_end, args=(pipe,), name="die-with-parent", daemon=True).start()


def _kill_group_at_end(pipe: int) -> None:
    while os.read(pipe, 1024):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str]) -> None:
    die_with_parent()
    if arguments[:1] == ["-m"]:
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
