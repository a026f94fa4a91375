#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl conform: its output; what the cases find is the tier conform."""

import os
import re

from ctl import Case, OK, SOURCE, UNSUPPORTED, ctl, main

LINE = (
    r"ok (\d+) - ([a-z0-9_]+) \[([A-Za-z0-9 ]+: [^][]+)\]"
    r"( # SKIP .+| # n/a: .+| # differs: .+)?"
)


def listed(*words):
    """(name, row) of each case that --list shows."""
    lines = ctl("conform", "--list", *words).stdout.splitlines()
    return [re.fullmatch(r"(\S+) +\[(.*)\]", line).groups() for line in lines]


class Cases(Case):
    def test_list(self):
        cases = listed()
        names = [name for name, _ in cases]
        self.assertGreater(len(names), 140)
        self.assertEqual(len(set(names)), len(names))
        value = self.valid(ctl("conform", "--list", "--json").stdout, "conform")
        self.assertEqual([(c["name"], c["shows"]) for c in value["cases"]], cases)

    def test_rows_are_words(self):
        for _, row in listed():
            for part in row.split("; "):
                self.assertRegex(part, r"^[A-Za-z][A-Za-z0-9 ]*: \S")

    def test_choice(self):
        cases = listed()
        self.assertEqual(listed("size_zero"), [c for c in cases if c[0] == "size_zero"])
        self.assertEqual(
            listed("huge pages", "size_zero"),
            [c for c in cases if c[0] == "size_zero" or "huge pages" in c[1]],
        )
        traps = listed("trap")
        self.assertEqual(traps, [c for c in cases if "; trap: " in c[1]])
        self.assertGreater(len(traps), 20)

    def test_no_such_case(self):
        for word in ("size", "Create", "", "size_zero "):
            self.usage(
                "conform",
                "--model",
                "size_zero",
                word,
                says=f"'{word}' is no case: gmemctl conform --list has",
                command="conform",
            )


    def test_a_case_that_may_have_been_meant(self):
        says = "and rows; did you mean size_zero?"
        self.usage("conform", "sise_zero", says=says, command="conform")


class Model(Case):
    def test_tap(self):
        r = self.ended(ctl("conform", "--model"), OK)
        first, where, plan, *lines, end = r.stdout.splitlines()
        self.assertEqual(first, "TAP version 13")
        self.assertTrue(where.startswith("# model 7.3: "), where)
        self.assertEqual(plan, f"1..{len(lines)}")
        found = [re.fullmatch(LINE, line).groups() for line in lines]
        self.assertEqual([(name, row) for _, name, row, _ in found], listed())
        self.assertEqual([int(n) for n, *_ in found], [*range(1, len(found) + 1)])
        notes = [note or "" for *_, note in found]
        skipped = sum(note.startswith(" # SKIP") for note in notes)
        never = sum(note.startswith(" # n/a: ") for note in notes)
        self.assertEqual(
            end,
            f"# {len(found) - skipped - never} as documented, 0 otherwise, "
            f"{skipped} skipped, {never} not applicable",
        )

    def test_not_applicable(self):
        for model, case, why in (
            ("6.12", "from_the_file", "no GUEST_MEMFD_FLAG_MMAP"),
            ("7.3", "huge_sizes", "no huge pages in guest_memfd"),
            ("7.3", "before_6_18_mmap", "6.18 or later"),
            ("7.3,arm64", "kvm_by_address", "not x86-64"),
            ("inplace", "attribute_refusals", "attributes are not the VM's"),
            ("7.3,software", "two_backings", "no software-protected VM type"),
        ):
            r = self.ended(ctl("conform", f"--model={model}", case), OK)
            _, _, _, line, end = r.stdout.splitlines()
            self.assertTrue(line.endswith(f"] # n/a: {why}"), line)
            self.assertEqual(
                end, "# 0 as documented, 0 otherwise, 0 skipped, 1 not applicable"
            )

    def test_chosen_cases(self):
        r = self.ended(ctl("conform", "--model=inplace", "in_use", "size_zero"), OK)
        self.assertRegex(
            r.stdout,
            r"(?s)\n1\.\.2\nok 1 - size_zero \[.*\nok 2 - in_use \[[^\n]*\]\n# 2 as",
        )

    def test_json(self):
        r = self.ended(ctl("conform", "--model=7.3,arm64", "--json"), OK)
        value = self.valid(r.stdout, "conform")
        self.assertEqual(value["model"], "7.3,arm64")
        cases = value["cases"]
        self.assertEqual([(c["name"], c["shows"]) for c in cases], listed())
        for result in ("ok", "skipped", "failed", "not-applicable"):
            of = [c for c in cases if c["result"] == result]
            self.assertEqual(len(of), value[result.replace("-", "_")])
        self.assertEqual(value["skipped"], 0)
        by_name = {c["name"]: c for c in cases}
        self.assertIn("memfd", by_name["no_write"]["difference"])
        self.assertEqual(by_name["from_the_file"]["result"], "ok")
        self.assertEqual(by_name["from_userspace_addr"]["result"], "not-applicable")


class Table(Case):
    def test_what_docs_conform_md_says_of_the_models(self):
        rows = [
            [cell.strip() for cell in line.strip("|\n").split(" | ")]
            for line in (SOURCE / "docs" / "conform.md").open(encoding="utf-8")
            if line.startswith("| ")
        ]
        marks = {"# differs": "d", "# n/a": "", "": "x"}
        for column, head in enumerate(rows[0]):
            if not head.startswith("model "):
                continue
            model = head.removeprefix("model ")
            said = self.ended(ctl("conform", f"--model={model}"), OK).stdout
            for row in rows[1:]:
                name = row[0].strip("`")
                note = re.search(rf"\nok \d+ - {name} \[.*\](?: (# \S+).*)?", said)[1]
                if note == "# SKIP":
                    continue
                mark = marks[(note or "").rstrip(":")]
                self.assertEqual((model, name, row[column]), (model, name, mark))


class Device(Case):
    def test_none(self):
        r = ctl("conform", "--device", "/nonexistent")
        self.ended(r, UNSUPPORTED, "[no-device]")
        self.assertEqual(
            r.stdout,
            "TAP version 13\n1..0 # SKIP there is no KVM device at /nonexistent\n",
        )
        r = ctl("conform", "--device", "/nonexistent", "--json")
        self.assertEqual(r.returncode, UNSUPPORTED)
        error = self.valid(r.stdout, "conform")["error"]
        self.assertEqual(error["reason"], "no-device")

    def test_something_else(self):
        r = ctl("conform", "--device", "/dev/null")
        self.ended(r, 1, "[not-kvm]")
        self.assertTrue(r.stdout.startswith("TAP version 13\nBail out! "))


class Kernel(Case):
    need = ("kvm",)

    def test_kernel(self):
        r = self.ended(ctl("conform", "size_zero"), OK)
        self.assertRegex(r.stdout, r"^TAP version 13\n# kernel \d+\.\d+\S*\n1\.\.1\nok 1")
        value = self.valid(ctl("conform", "--json", "size_zero").stdout, "conform")
        self.assertIsNone(value["model"])
        self.assertEqual(value["kernel"], os.uname().release)


main()
