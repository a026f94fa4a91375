# SPDX-License-Identifier: MIT
"""What tests/summary.py counts and lists of what the tests print."""
import os
import subprocess
import sys
import tempfile
import xml.sax.saxutils

import meta

CMOCKA = """\
[ RUN      ] one
[       OK ] one
[ RUN      ] two
[  REASON  ] numa: one NUMA node
[  SKIPPED ] two
[ RUN      ] three
[  N/A     ] mmap: needs 6.18
[  SKIPPED ] three
[ RUN      ] four
[  SKIPPED ] four
[ RUN      ] five
[  FAILED  ] five
[  SKIPPED ] 3 test(s), listed below:
[  SKIPPED ] two
"""

TAP = """\
TAP version 13
ok 1 - one [fd: read]
ok 2 - two [fd: write] # differs: a memfd
ok 3 - three [policy: obeyed] # SKIP one NUMA node
ok 4 - four [huge pages: sizes] # n/a: no huge pages
not ok 5 - five [fd: dup]
# it gives 1, expected 0
1..5
"""

# Of programs that ran to their end: nothing of them applies, all is skipped.
NOTHING = "[ RUN      ] one\n[  N/A     ] mmap: needs 6.18\n[  SKIPPED ] one\n"
SKIPPED = "[ RUN      ] one\n[  REASON  ] kvm: none\n[  SKIPPED ] one\n"


def test(name, status, output):
    skip = '<skipped message="SKIP_RETURN_CODE=77"/>' \
        if status == "notrun" else ""
    return (f'<testcase name="{name}" status="{status}" time="1">{skip}'
            f"<system-out>{xml.sax.saxutils.escape(output)}</system-out>"
            "</testcase>")


def said(*tests):
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "dev"))  # the preset
        junit = os.path.join(folder, "dev", "junit.xml")
        with open(junit, "w", encoding="utf-8") as f:
            f.write("<testsuite>" + "".join(tests) + "</testsuite>")
        return meta.output(sys.executable, "-B",
                           meta.SOURCE / "tests/summary.py", junit,
                           os.devnull).splitlines()


def expect(want, *tests):
    have = said(*tests)
    if have[-len(want):] != want:
        yield f"{have} does not end with {want}"


def what_does_not_apply_is_neither_counted_nor_listed_cmocka():
    yield from expect(["skipped: no reason given (1: live/file)",
                       "skipped: numa: one NUMA node (1: live/file)",
                       "failed: live/file five",
                       "  alone: tests/run dev -R '^live/file$'",
                       "1 passed, 1 failed, 2 skipped"],
                      test("live/file", "fail", CMOCKA))


def what_does_not_apply_is_neither_counted_nor_listed_tap():
    yield from expect(["skipped: one NUMA node (1: conform/7.3)",
                       "failed: conform/7.3 five [fd: dup]",
                       "  alone: tests/run dev -R '^conform/7[.]3$'",
                       "2 passed, 1 failed, 1 skipped"],
                      test("conform/7.3", "fail", TAP))


def a_program_of_which_nothing_applies_counts_nothing():
    yield from expect(["skipped: kvm: none (1: live/vm)",
                       "1 passed, 0 failed, 1 skipped"],
                      test("live/map", "notrun", NOTHING),
                      test("live/vm", "notrun", SKIPPED),
                      test("unit/none", "run", "said nothing\n"))


def a_reason_is_one_line_however_many_tests_skipped_for_it():
    yield from expect(["skipped: kvm: none (5: live/a, live/b, live/c, "
                       "and 2 more)",
                       "0 passed, 0 failed, 5 skipped"],
                      *(test(f"live/{name}", "notrun", SKIPPED)
                        for name in "edcba"))


meta.run(what_does_not_apply_is_neither_counted_nor_listed_cmocka,
         what_does_not_apply_is_neither_counted_nor_listed_tap,
         a_program_of_which_nothing_applies_counts_nothing,
         a_reason_is_one_line_however_many_tests_skipped_for_it)
