#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""summary.py JUNIT LOG: reads both files of a ctest run; reports case by case.

Cases are the lines that cmocka and TAP print for each; a program that prints
neither is one case.  Ends with what was skipped, a line for each reason, with
what failed and how to run it alone, and with "N passed, N failed, N skipped".

A case that no machine and no configuration could run with this kernel or build
is not applicable, "[  N/A     ] WHY" before cmocka's line and "# n/a: WHY" in
TAP: it is neither counted nor listed.
"""
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

TAIL = 60

# So many tests are named with a reason why cases were skipped.
NAMED = 3

# Lines that say nothing about a failure.
QUIET = r"\[ +(RUN|OK|REASON|N/A|SKIPPED) +\]|\[(=+|  PASSED  )\]|ok\b|# running "


def cases(output):
    """Yields (name, result, reason) of each case in a program's output."""
    running = reason = ""
    skip = "skipped"
    for line in output.splitlines():
        m = re.match(r"\[ +(RUN|REASON|N/A) +\] (.*)", line)
        if m and m[1] == "RUN":
            running = m[2]
        elif m:
            reason = m[2]
            skip = "not applicable" if m[1] == "N/A" else "skipped"
        m = re.match(r"\[ +(OK|FAILED|SKIPPED) +\] (.*)", line)
        if m and m[2] == running:  # cmocka lists some again at the end
            result = {"OK": "passed", "FAILED": "failed"}.get(m[1], skip)
            yield m[2], result, reason
            running = reason = ""
            skip = "skipped"
        m = re.match(r"(not )?ok\b[ \d]*(?:- )?(.*?)"
                     r"(?: # (SKIP|n/a:) ?(.*))?$", line)
        if m:
            result = "failed" if m[1] else "passed"
            if m[3]:
                result = "skipped" if m[3] == "SKIP" else "not applicable"
            yield m[2], result, m[4]


def endings(log):
    """{test: how it ended} of those that did not end by themselves."""
    with open(log, encoding="utf-8", errors="replace") as f:
        return dict(re.findall(
            r"^ *\d+/\d+ Test +#\d+: (\S+) \.*\*\*\*(Timeout|Exception: \S+)",
            f.read(), re.M))


def ending(case, how):
    """A sentence on a program that did not end by itself, or nothing."""
    if not how:
        return ""
    running = ""
    for line in (case.findtext("system-out") or "").splitlines():
        m = re.match(r"(?:\[ +RUN +\]|# running) (.*)", line)
        if m:
            running = f", in {m[1]}"
        elif re.match(r"\[ +(OK|FAILED|SKIPPED) +\]|(not )?ok\b", line):
            running = ""
    if how == "Timeout":
        how = f"killed, for it had not ended after {float(case.get('time')):.0f} s"
    return f": {how}{running}"


def program(case):
    """Returns [(name, result, reason)] of one <testcase>."""
    output = case.findtext("system-out") or ""
    found = list(cases(output))
    status = case.get("status")
    skip = case.find("skipped")
    if status == "run":
        return found or [("", "passed", "")]
    if skip is not None and skip.get("message").startswith("SKIP_"):
        lines = output.strip().splitlines() or ["no reason given"]
        return found or [("", "skipped", lines[-1])]
    if not any(result == "failed" for _, result, _ in found):
        found.append(("", "failed", ""))
    return found


def skips(skipped):
    """Yields a line for each reason of {reason: {test: cases}}."""
    for reason, tests in sorted(skipped.items()):
        names = sorted(tests)
        if len(names) > NAMED:
            names[NAMED:] = [f"and {len(names) - NAMED} more"]
        yield f"skipped: {reason} ({sum(tests.values())}: {', '.join(names)})"


def main():
    count = collections.Counter()
    skipped = collections.defaultdict(collections.Counter)
    broken = []
    ended = endings(sys.argv[2])
    preset = pathlib.Path(sys.argv[1]).parent.name
    for case in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
        found = program(case)
        test = case.get("name")
        failed = [name for name, result, _ in found if result == "failed"]
        for _, result, reason in found:
            count[result] += 1
            if result == "skipped":
                skipped[reason or "no reason given"][test] += 1
        if failed:
            pattern = test.replace(".", "[.]")
            print(f"output of {test}:")
            said = (case.findtext("system-out") or "").splitlines()
            said = [line for line in said if not re.match(QUIET, line)]
            for line in said[-TAIL:]:
                print("  | " + line)
            broken += ["failed: " + " ".join([test, *failed]).strip() +
                       ending(case, ended.get(test)),
                       f"  alone: tests/run {preset} -R '^{pattern}$'"]
    for line in [*skips(skipped), *broken]:
        print(line)
    print(f"{count['passed']} passed, {count['failed']} failed, "
          f"{count['skipped']} skipped")


if __name__ == "__main__":
    main()
