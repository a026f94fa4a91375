#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints docs/confinement.md from what tests/vm/confined printed.

confinement.py LOG KERNEL: LOG is the output of tests/vm/suite.
confinement.py --check LOG FILE: whether FILE, such a table, has the rows that
were measured, where any were.
"""
import sys

HEAD = """# Confinement

Made by `scripts/matrix`. Each cell was measured inside Linux {kernel} by
`tests/vm/confined`, never concluded. `yes` is success; anything else is the
reason that was given, with a remedy. A dash is no difference from the first
row.

| confinement | {columns} |
|---|{lines}|
"""

TAIL = """
*guest*: `hello` makes a VM and a file, binds it, writes and reads. The next six
are gmemctl: `populate` with one thread and with two; *place*: under a policy;
*policy*: of the file; *verify*: where pages are; *resident*: how many there
are, `or more` where the kernel does not count them exactly; *load*. *copy*:
`stat --pid` of another process, which *ps* sees or does not. *unknown*: what
`probe` cannot find out; *doctor*: the checks that warn or fail.

The filters are those of docker, also of before 2024, when it did not know
cachestat; of podman; of systemd 252 with `SystemCallErrorNumber=EPERM`; and one
that answers `EACCES`: of each, what it refuses of the system calls that libgmem,
gmemctl and their libraries make. Docker and podman are tried with docker's
default capabilities. The *other* process is root's, in the rows of RLIMIT_NPROC,
RLIMIT_MEMLOCK and *same user* that of the user itself, and never a child.

The examples run inside a filter that allows what `gmemctl probe --format
seccomp` lists and what any C program does (`tests/vm/confine_needs.h`), and
kills at anything else.
"""


def read(path):
    """The cells of each row by column, in order."""
    rows = {}
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            word, *rest = line.strip().split("|", 3)
            if word == "confined" and len(rest) == 3:
                rows.setdefault(rest[0], {})[rest[1]] = rest[2]
    return rows


def lines(rows):
    """The rows of the table."""
    for name, cells in rows.items():
        text = " | ".join(w.replace(" ", ", ") if c in ("unknown", "doctor") else w
                          for c, w in ((c, w or "-") for c, w in cells.items()))
        yield f"| {name} | {text} |"


def main():
    """Return: the exit status."""
    if sys.argv[1] != "--check":
        rows = read(sys.argv[1])
        columns = list(next(iter(rows.values())))
        head = HEAD.format(kernel=sys.argv[2], columns=" | ".join(columns),
                           lines="|".join("---" for _ in columns))
        print(head + "\n".join(lines(rows)) + "\n" + TAIL, end="")
        return 0
    with open(sys.argv[3], encoding="utf-8") as f:
        table = set(f.read().splitlines())
    lost = [line for line in lines(read(sys.argv[2])) if line not in table]
    for line in lost:
        print(f"not in {sys.argv[3]}: {line}")
    print(f"{'not ok' if lost else 'ok'} - confinement is as documented")
    return 1 if lost else 0


sys.exit(main())
