#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/conform/table.py GMEMCTL [LOG...]: which case ran where.

Runs "GMEMCTL conform" on the real kernel and on each profile of the model,
takes in what it printed on the kernels that the logs are named after, whatever
else these logs hold, and prints docs/conform.md.
"""
import json
import pathlib
import re
import subprocess
import sys
import textwrap

HEAD = """\
<!-- SPDX-License-Identifier: MIT -->
<!-- Made by tests/conform/table.py: do not edit. -->

# What conform shows, and where

Each line is a case of `gmemctl conform`, one list for every kernel, with what
it shows: the call or object that it is about, and the rule of the kernel.
A rule that programs easily break, because the kernel says nothing or
something misleading, is also a *trap*.

**x**: it ran there and the kernel behaved as the case says.
**d**: it is documented to behave differently there, and did.
**F**: it failed.  Blank: that kernel lacks what the case needs.

The columns: the kernel of the machine that made this table, with its release;
the kernels of [kernels.md](kernels.md) that have guest_memfd; the profiles of
the model.
"""


def tap(*command):
    return subprocess.run(command, check=False, text=True,
                          stdout=subprocess.PIPE).stdout


def read(text, where=None):
    """(where, {case: (row, mark, why)}) of one run, or of the one in a log."""
    run = re.search(r"^TAP version 13\n# (kernel [\d.]+|model [^:\s]+).*?"
                    r"^# \d+ as documented", text, re.M | re.S)
    found = {}
    for line in run[0].splitlines() if run else []:
        m = re.match(r"(not )?ok \d+ - (\w+) \[(.*?)\](?: # ([\w/]+):? ?(.*))?$",
                     line)
        if m:
            mark = {"SKIP": "", "n/a": "", "differs": "d"}.get(m[4], "x")
            found[m[2]] = m[3], "F" if m[1] else mark, m[5] or ""
    return where or (run and run[1]), found


def profiles(gmemctl):
    """Each one, and the newest release on each other machine."""
    listed = json.loads(tap(gmemctl, "--model=help", "--json"))
    return ([profile["name"] for profile in listed["profiles"]] +
            [f"{listed['default']},{name}" for name in listed["machines"]])


def main():
    gmemctl, *files = sys.argv[1:]
    logs = [pathlib.Path(name) for name in files]
    models = [read(tap(gmemctl, "conform", f"--model={name}"))
              for name in profiles(gmemctl)]
    runs = [read(tap(gmemctl, "conform"))]
    runs += [read(log.read_text(errors="replace"), log.stem) for log in logs]
    runs = [(where, found) for where, found in runs + models
            if any(mark for _, mark, _ in found.values())]
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
        able = [where for where, found in models if found[case][1]]
        if len(able) > 1 and set(able) <= set(wheres):
            wheres = [w for w in wheres if w not in able] + ["every model"]
        on = ", ".join(wheres)
        alike.setdefault((on, reason), []).append(f"`{case}`")
    for (on, reason), cases in alike.items():
        print(textwrap.fill(f"{on}, {', '.join(cases)}: {reason}", 79,
                            initial_indent="* ", subsequent_indent="  ",
                            break_on_hyphens=False))


main()
