#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""All that gmemctl prints on the model, compared with tests/cli/expected.

A line "$ gmemctl ..." there is a command and "< TEXT" its input; what follows
is its standard output, "! TEXT" a line of standard error, and "= N" its exit
status.  With GMEM_EXPECTED=write the test replaces what follows the commands:
look at the difference before it is committed.
"""

import concurrent.futures
import os
import pathlib
import re
import shlex

from ctl import Case, PAGE, ctl, main

EXPECTED = pathlib.Path(__file__).parent / "expected"
# Built with kernel interfaces that are not merged.
PROPOSED = os.environ.get("GMEM_PROPOSED_UAPI", "ON") == "ON"
ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if k not in ("COLUMNS", "TERM")},
    "COLUMNS": "84",
    "LC_ALL": "C",
}
VERSION = ctl("--version").stdout.split()[1]
INODE = re.compile(r"(\binode\b\W+)\d+")


def prefixed(prefix, text):
    return "".join(f"{prefix}{x}".rstrip(" ") + "\n" for x in text.splitlines())


def transcript(command, text):
    """What there is to be said of one command with this input."""
    r = ctl(*shlex.split(command)[1:], input=text, env=ENVIRONMENT)
    said = r.stdout + prefixed("! ", r.stderr) + f"= {r.returncode}\n"
    said = INODE.sub(r"\1INODE", said.replace(VERSION, "VERSION"))
    return f"$ {command}\n{prefixed('< ', text)}{said}"


def commands(path):
    """(command, input) of each in the file."""
    for part in ("\n" + path.read_text()).split("\n$ ")[1:]:
        command, *lines = part.split("\n")
        yield command, "".join(f"{x[2:]}\n" for x in lines if x[:2] in ("<", "< "))


def told(path):
    """The transcripts as they are now."""
    head = path.read_text().split("\n$ ")[0]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        each = pool.map(lambda args: transcript(*args), commands(path))
        return "\n".join([head, *each])


class Expected(Case):
    maxDiff = None


def test_of(path):
    def test(self):
        self.assertEqual(told(path), path.read_text())

    return test


for file in sorted(EXPECTED.iterdir()):
    if PAGE == 4096 and (PROPOSED or not file.name.startswith("proposed")):
        setattr(Expected, f"test_{file.name}", test_of(file))

if os.environ.get("GMEM_EXPECTED") == "write":
    for file in EXPECTED.iterdir():
        file.write_text(told(file))
else:
    main()
