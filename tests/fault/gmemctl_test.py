#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl on the model, each allocation or each system call failing in turn:
an exit status and a message, never a crash or a wrong answer.

gmemctl_test.py alloc|ERRNO: allocations, or system calls with that error.
"""

import errno
import os
import sys

from ctl import ACCESS, Case, OK, ctl, main

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
# What says itself that it is not all.
UNSURE = ("or more", "unknown")


def run(args, text, what, nth, error):
    """The run with one failure, and how many there could have been."""
    r, w = os.pipe()
    env = dict(
        os.environ,
        LD_PRELOAD=PRELOAD,
        FAULT_WHAT=what,
        FAULT_NTH=str(nth),
        FAULT_ERRNO=str(error),
        FAULT_REPORT=str(w),
    )
    result = ctl(*args, input=text, env=env, pass_fds=[w])
    os.close(w)
    with os.fdopen(r) as report:
        return result, int(report.read() or 0)


class Fault(Case):
    def every(self, args, text, what, error):
        good, total = run(args, text, what, 0, error)
        self.assertEqual(good.stderr, "")
        self.assertGreater(total, 0)
        failed = 0
        for nth in range(1, total + 1):
            with self.subTest(args=args, what=what, nth=nth, error=error):
                r, _ = run(args, text, what, nth, error)
                failed += r.returncode != good.returncode
                self.check(r, good)
        self.assertGreater(failed, 0)

    def check(self, r, good):
        self.assertIn(r.returncode, range(OK, ACCESS + 1), r)
        if r.returncode != good.returncode:
            self.assertRegex(r.stderr, r"\Agmemctl: .*\n\Z")
            return
        self.assertEqual(r.stderr, "")
        lines = good.stdout.splitlines()
        for line in r.stdout.splitlines():
            if not any(word in line for word in UNSURE):
                self.assertIn(line, lines, r)

    def test(self):
        failure = sys.argv[1]
        for args, text in RUNS:
            if failure == "alloc":
                self.every(args, text, "alloc", errno.ENOMEM)
            else:
                self.every(args, text, "call", getattr(errno, failure))


main()
