#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl on the model, each allocation or each system call failing in turn:
an exit status and a message, never a crash or a wrong answer.

gmemctl_test.py alloc|ERRNO: allocations, or system calls with that error.
"""

import contextlib
import errno
import os
import re
import signal
import socket
import struct
import subprocess
import sys

from ctl import ACCESS, Case, GMEMCTL, HANG, OK, main, without_inodes

PRELOAD = os.environ["PRELOAD"]

CONVERT = """\
create ram 256K shared
bind ram 0 0
write ram 0 "hello"
private ram 64K 64K
attributes ram
read ram 0 5
populate ram 128K 64K threads=2
load ram 192K /dev/null
policy ram
resident ram
map ram
discard ram 64K 64K
shared ram 0 256K unbacked
stat ram
unbind ram 0
close ram
"""
BY_GPA = """\
create ram 256K
bind ram 0 0
shared ram 64K 64K unbacked
attributes ram
populate ram
discard ram 0 128K
resident ram
unbind ram 0
"""
PRIVATE = ("--vm-type", "sw-protected", "-")
RUNS = (
    (("batch", "--model=inplace", *PRIVATE), CONVERT),
    (("batch", "--json", "--model=7.3", *PRIVATE), BY_GPA),
    (("probe", "--model=6.12"), ""),
    (("why", "--model=7.3", "create", "--size=5000"), ""),
)
# What says itself that it is not all; the last is a row of a picture.
UNSURE = re.compile(r'or more|unknown|: null,|_reason": |^0x[0-9a-f]{16} .*[?]')


class Server:
    """gmemctl with these arguments and this input, to be run many times by
    the library PRELOAD; standard output and error are files in memory."""

    def __init__(self, args, text, what, error):
        self.args = args
        self.files = [os.memfd_create(name) for name in ("in", "out", "err")]
        os.write(self.files[0], text.encode())
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(HANG)
        stdin, stdout, stderr = self.files
        with theirs:
            self.process = subprocess.Popen(
                [GMEMCTL, *args],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=dict(
                    os.environ,
                    LD_PRELOAD=PRELOAD,
                    FAULT_WHAT=what,
                    FAULT_ERRNO=str(error),
                    FAULT_SOCKET=str(theirs.fileno()),
                ),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def close(self):
        self.socket.close()
        self.process.wait()
        for fd in self.files:
            os.close(fd)

    def run(self, nth):
        """The run with one failure, and how many there could have been."""
        for fd in self.files:
            os.lseek(fd, 0, os.SEEK_SET)
        for fd in self.files[1:]:
            os.ftruncate(fd, 0)
        self.socket.sendall(struct.pack("Q", nth))
        try:
            answer = self.socket.recv(16)
        except TimeoutError:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise TimeoutError(
                f"{self.args}, failure {nth}: killed, for it had not ended "
                f"after {HANG} s"
            ) from None
        status, total = struct.unpack("QQ", answer)
        result = subprocess.CompletedProcess(
            self.args,
            os.waitstatus_to_exitcode(status),
            *(os.pread(fd, os.fstat(fd).st_size, 0).decode() for fd in self.files[1:]),
        )
        return result, total


class Fault(Case):
    def every(self, args, text, what, error):
        with contextlib.closing(Server(args, text, what, error)) as server:
            good, total = server.run(0)
            self.assertEqual(good.stderr, "")
            self.assertGreater(total, 0)
            failed = 0
            for nth in range(1, total + 1):
                r, _ = server.run(nth)
                with self.subTest(args=args, what=what, nth=nth, error=error):
                    failed += r.returncode != good.returncode
                    self.check(r, good)
            self.assertGreater(failed, 0)

    def check(self, r, good):
        self.assertIn(r.returncode, range(OK, ACCESS + 1), r)
        if r.returncode != good.returncode:
            self.assertRegex(r.stderr, r"\Agmemctl: .*\n\Z")
            return
        self.assertEqual(r.stderr, "")
        lines = without_inodes(good.stdout).splitlines()
        for line in without_inodes(r.stdout).splitlines():
            if not UNSURE.search(line):
                self.assertIn(line, lines, r)

    def test(self):
        failure = sys.argv[1]
        for args, text in RUNS:
            if failure == "alloc":
                self.every(args, text, "alloc", errno.ENOMEM)
            else:
                self.every(args, text, "call", getattr(errno, failure))


main()
