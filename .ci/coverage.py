#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""coverage.py BUILD: what the tests run in BUILD reached of lib/ and model/.

Prints a table of files, and each statement that was not reached and that
tests/coverage.txt does not list with its reason.  A listed statement is known
by its function and text, not by its number, and stands for those behind it
that were not reached either.  Fails on statements that are not listed and on
entries that fit none.
"""
import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "tests/coverage.txt"
OBJECTS = ["lib/CMakeFiles/gmem_core.dir", "model/CMakeFiles/gmem_model_core.dir"]


def counts(build):
    """{path: {line: (function, how often)}} of all objects together."""
    found = collections.defaultdict(dict)
    notes = [str(note.resolve()) for folder in OBJECTS
             for note in sorted((build / folder).glob("*.gcno"))]
    out = subprocess.run(["gcov", "--stdout", "--json-format", *notes],
                         check=True, capture_output=True, cwd=build).stdout
    for report in out.splitlines():
        report = json.loads(report)
        for file in report["files"]:
            path = pathlib.Path(report["current_working_directory"],
                                file["file"]).resolve()
            if not path.is_relative_to(ROOT):
                continue
            lines = found[str(path.relative_to(ROOT))]
            for line in file["lines"]:
                number = line["line_number"]
                before = lines.get(number, ("", 0))[1]
                lines[number] = (line.get("function_name", ""),
                                 before + line["count"])
    return found


def statements(path):
    """[number of the line where the statement of each line starts]"""
    starts, depth, start = [0], 0, None
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"),
                  (ROOT / path).read_text(), flags=re.S)
    for number, line in enumerate(text.split("\n"), 1):
        line = re.sub(r'"(\\.|[^"\\])*"', '""', line).strip()
        if start is None:
            start, head = number, line
        starts.append(start)
        depth += line.count("(") - line.count(")")
        if depth == 0 and (
                line[-1:] in (*";{}:", "") or line[0] == "#" or
                re.match(r"(\} )?(if|for|while|switch|else|do)\b", head)):
            start = None
    return starts


def runs(path, lines):
    """Yields (key, reached, first like it) of each statement.

    The key is "FILE FUNCTION: TEXT"; gcov may say of parts of a statement
    that was reached that they were not.
    """
    source = (ROOT / path).read_text().split("\n")
    starts = statements(path)
    reached = {}
    for number, (function, count) in sorted(lines.items()):
        start = starts[number]
        reached[start] = (function, reached.get(start, (0, 0))[1] or count > 0)
    last = None
    for number, state in sorted(reached.items()):
        function, is_reached = state
        yield (f"{path} {function}: {source[number - 1].strip()}", is_reached,
               state != last)
        last = state


def entries():
    """[(entry, pattern)]: lines indented under a reason; * is any text."""
    found = []
    for line in LIST.read_text().split("\n"):
        if line.startswith("\t"):
            text = line.strip()
            pattern = ".*".join(map(re.escape, text.split("*")))
            if ": " not in text:  # a whole function
                pattern += ": .*"
            found.append((text, re.compile(pattern)))
    return found


def main():
    listed = entries()
    fits = set()
    strangers = []
    total = missed = 0
    print("statements  missed  reached")
    for path, lines in sorted(counts(pathlib.Path(sys.argv[1])).items()):
        known = False
        found = list(runs(path, lines))
        bad = sum(not reached for _, reached, _ in found)
        total += len(found)
        missed += bad
        print(f"{len(found):10}  {bad:6}  {1 - bad / len(found):7.1%}  {path}")
        for key, reached, first in found:
            names = {entry for entry, pattern in listed
                     if pattern.fullmatch(key)}
            fits |= names
            if first:
                known = bool(names)
            if first and not reached and not known:
                strangers.append(key)
    print(f"{total:10}  {missed:6}  {1 - missed / total:7.1%}  in all")
    for key in strangers:
        print(f"not reached, not in {LIST.relative_to(ROOT)}: {key}")
    gone = [entry for entry, _ in listed if entry not in fits]
    for entry in gone:
        print(f"in {LIST.relative_to(ROOT)}, but no such statement: {entry}")
    return bool(strangers or gone)


sys.exit(main())
