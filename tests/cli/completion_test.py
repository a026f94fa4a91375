#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bash completion, which the build makes from the table of commands."""

import pathlib
import subprocess
import sys

from ctl import Case, GMEMCTL, SOURCE, ctl, main

HUGE = ["hugetlb-rfc1", "hugetlb-page-order"]
SCRIPT = pathlib.Path(GMEMCTL).parent / "gmemctl.bash"
TRY = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_gmemctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words):
    r = subprocess.run(
        ["bash", "-uc", TRY, "bash", SCRIPT, "gmemctl", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return r.stdout.split()


class Completion(Case):
    def test_the_script_of_the_build_is_current(self):
        r = subprocess.run(
            [sys.executable, SOURCE / "cli" / "completion.py"],
            input=ctl("commands", "--json").stdout,
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual(r.stdout, SCRIPT.read_text())

    def test_commands(self):
        self.assertEqual(complete("p"), ["probe", "ps", "populate", "policy"])
        self.assertEqual(complete("do"), ["doctor"])
        self.assertEqual(complete("--device", "x", "w"), ["why"])
        self.assertEqual(complete("why", "b"), ["bind"])
        self.assertEqual(complete("help", "ba"), ["batch"])

    def test_options_and_their_values(self):
        self.assertEqual(complete("why", "bind", "--sl"), ["--slot"])
        self.assertEqual(complete("probe", "--format", "j"), ["json"])
        self.assertEqual(complete("run", "--vm-type", "sn"), ["snp"])
        self.assertEqual(complete("policy", "--set", "in"), ["interleave"])
        self.assertEqual(complete("why", "bind", "--slot", ""), [])
        self.assertEqual(complete("--device", "/dev/nul"), ["/dev/null"])

    def test_values_behind_an_equals_sign(self):
        self.assertEqual(complete("probe", "--format", "=", "j"), ["json"])
        self.assertEqual(complete("probe", "--model", "=", "h"), HUGE + ["help"])
        self.assertIn("inplace", complete("--model", "="))
        self.assertEqual(complete("--model", "=", "7.3", "conf"), ["conform"])
        self.assertEqual(complete("--model", "conf"), ["conform"])

    def test_required_options_come_first(self):
        self.assertEqual(complete("stat", ""), ["--fd"])
        self.assertEqual(complete("why", "bind", ""), ["--slot", "--gpa"])
        self.assertEqual(complete("why", "bind", "--slot", "0", ""), ["--gpa"])
        self.assertEqual(complete("load", "--fd", "=", "3", "/dev/nul"), ["/dev/null"])
        self.assertNotIn("--fd", complete("load", "--fd", "3", ""))
        self.assertIn("--json", complete("stat", "-"))

    def test_operands(self):
        self.assertEqual(complete("batch", "/dev/nul"), ["/dev/null"])
        self.assertEqual(complete("load", "--fd", "3", "/dev/nul"), ["/dev/null"])
        self.assertIn("env", complete("run", "en"))
        self.assertEqual(complete("run", "env", "--sha"), [])


main()
