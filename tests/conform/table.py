#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/conform/table.py GMEMCTL [TAP-FILE...]: which case ran where.

Runs "GMEMCTL conform" on the real kernel and on each profile of the model,
takes in what it printed on other kernels, and prints docs/conform.md.
"""
import pathlib
import re
import subprocess
import sys
import textwrap

PROFILES = ["6.12", "6.18", "6.19", "7.2", "7.3", "inplace", "hugetlb-rfc1",
            "hugetlb-rfc2", "7.3,software", "7.3,arm64"]

HEAD = """\
<!-- SPDX-License-Identifier: MIT -->
<!-- Made by tests/conform/table.py: do not edit. -->

# What conform shows, and where

Each line is a case of `gmemctl conform`, one list for every kernel, with what
it shows: the call or object that it is about, and the rule of the kernel's.
A rule that a program easily falls over, because the kernel says nothing or
something misleading, is also a *trap*.

**x**: it ran there and the kernel behaved as the case says.
**d**: it is documented to behave differently there, and did.
**F**: it failed.  Blank: that kernel has not what the case is about.
"""


def tap(*command):
    return subprocess.run(command, check=False, text=True,
                          stdout=subprocess.PIPE).stdout


def read(text):
    """(where, {case: (row, mark, why)}) of one run; where is None if none."""
    where = re.search(r"^# (kernel \S+|model [^:\s]+)", text, re.M)
    found = {}
    for line in text.splitlines():
        m = re.match(r"(not )?ok \d+ - (\w+) \[(.*?)\](?: # (\w+):? ?(.*))?$",
                     line)
        if m:
            mark = {"SKIP": "", "differs": "d"}.get(m[4], "x")
            found[m[2]] = m[3], "F" if m[1] else mark, m[5] or ""
    return where and where[1], found


def main():
    gmemctl, *files = sys.argv[1:]
    runs = [tap(gmemctl, "conform")]
    runs += [pathlib.Path(name).read_text(encoding="utf-8") for name in files]
    runs += [tap(gmemctl, "conform", f"--model={name}") for name in PROFILES]
    runs = [(where, found) for where, found in map(read, runs) if found]
    print(HEAD)
    print("| case | shows |", " | ".join(where for where, _ in runs), "|")
    print("|---|---|" + "---|" * len(runs))
    why = {}
    for case, (row, _, _) in runs[0][1].items():
        marks = [found.get(case, ("", "", ""))[1] for _, found in runs]
        print(f"| `{case}` | {row} |", " | ".join(marks), "|")
        for where, found in runs:
            if found.get(case, ("", "", ""))[1] == "d":
                why.setdefault((case, found[case][2]), []).append(where)
    print("\n## Differences\n")
    alike = {}
    for (case, reason), wheres in why.items():
        on = "every model" if len(wheres) > 2 else ", ".join(wheres)
        alike.setdefault((on, reason), []).append(f"`{case}`")
    for (on, reason), cases in alike.items():
        print(textwrap.fill(f"{on}, {', '.join(cases)}: {reason}", 79,
                            initial_indent="* ", subsequent_indent="  ",
                            break_on_hyphens=False))


main()
