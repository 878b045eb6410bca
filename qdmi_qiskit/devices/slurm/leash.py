"""A child process that ends when we do, even if we are killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

# prctl(PR_SET_PDEATHSIG, SIGTERM), then srun. Done in Python because a hook between fork and exec
# may hang a process that has threads.
_LEASH = (
    "import ctypes,os,sys;ctypes.CDLL(None).prctl(1,15);"
    "os.getppid()==int(sys.argv[1]) or sys.exit(1);os.execv(sys.argv[2],sys.argv[2:])"
)


def leashed(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program with three pipes, told to end (SIGTERM) when the calling thread has ended.

    Args:
        command: An absolute path, and arguments.
        environ: All of its environment.

    Raises:
        OSError: It does not start.
    """
    return subprocess.Popen(  # noqa: S603 - an absolute path and checked options
        [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *command],
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,  # Ctrl-C is for the call, not for the allocation
    )
