#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl why: each answer with its exit status, rule and remedy."""

import errno
import re

from ctl import CHECK, CHECK_EXTENSION, Case, FAILED, IOCTL, OK, PAGE, UNSUPPORTED
from ctl import ctl, deny, main

BIND = ["bind", "--shared", "--slot", "1", "--gpa", "16M"]
WITH = ["--with", "0:0:0:2M"]
END = 2**63 - PAGE


class Usage(Case):
    def bad(self, *args, says):
        self.usage("why", *args, says=says, command=f"why {args[0]}")

    def test_what_is_needed(self):
        self.bad("create", says="--size is needed")
        self.bad("bind", "--slot", 0, says="--slot and --gpa are needed")
        self.bad("bind", "--gpa", 0, says="--slot and --gpa are needed")
        self.bad(*BIND, says="--len or --size is needed")
        self.bad("attributes", "--len", "2M", says="--to is needed")
        self.bad(
            "attributes", "--to", "private", says="--len or --size is needed"
        )

    def test_values(self):
        self.bad("create", "--size", "2MB", says="--size: '2MB' is not a size")
        self.bad("create", "--size", "16E", says="'16E' is beyond 2^64 - 1")
        self.bad("create", "--size", "-1", says="'-1' is not a number")
        self.bad("bind", "--slot", "0x100000000", says="is beyond 2^32 - 1")
        self.bad("attributes", "--to", "both", says="not one of private, shared")
        for with_ in ("0", "0:0:0", "0:0:0:2M:", "0:0:0:x", "4G:0:0:2M", ":::"):
            self.bad(
                *BIND,
                "--len=2M",
                f"--with={with_}",
                says="is not SLOT:GPA:OFFSET:LEN",
            )
        many = ["--with", "0:0:0:4K"] * 65
        self.bad(*BIND, *many, says="--with: more than 64 of them")


class Bounds(Case):
    """At the ends of what can be asked, on the model."""

    def rule(self, *args, model="7.3"):
        r = ctl("why", *args, "--json", f"--model={model}")
        value = self.valid(r.stdout, "why")
        if not value["rule"]:
            return value["verdict"], None, ""
        return value["step"], value["rule"]["reason"], value["rule"]["message"]

    def test_the_range_that_the_file_must_hold(self):
        top = 2**63
        for len_, offset, want in (
            (top - 1, 0, ("create", "size-limit")),
            (top, 0, ("bind", "offset-overflow")),
            (top - PAGE, 0, ("bind", "slot-too-large")),
            (top - 2 * PAGE, 2 * PAGE, ("bind", "offset-overflow")),
            (top - 3 * PAGE, 2 * PAGE, ("bind", "slot-too-large")),
            (top - PAGE, PAGE - 1, ("create", "size-limit")),
            (PAGE, top - PAGE - 1, ("create", "size-limit")),
            (PAGE, 2**64 - PAGE, ("bind", "offset-overflow")),
        ):
            with self.subTest(len=len_, offset=offset):
                got = self.rule(*BIND, f"--len={len_}", f"--offset={offset}")
                self.assertEqual(got[:2], want, got)

    def test_the_end_of_the_file_is_the_range_s(self):
        """Without --size the file ends with the last of all ranges."""
        for args, size in (
            (["--len=1M"], "0x100000"),
            (["--len=1M", "--offset=64K"], "0x110000"),
            (["--len=1M", "--with=0:0:2M:4K"], "0x201000"),
            (["--len=4M", "--with=0:0:2M:4K"], "0x400000"),
            (["--len=1M", "--with=0:0:8M:4K", "--with=2:8K:1M:4K"], "0x801000"),
        ):
            r = ctl("why", "-v", *BIND, *args, "--model")
            made = re.findall(r"KVM_CREATE_GUEST_MEMFD\(\w+, (\w+), 0x3\)", r.stderr)
            self.assertEqual(made, [size])

    def test_the_range_is_what_is_left_of_the_file(self):
        for size, offset, want in (
            ("2M", "0", ("ok", None)),
            ("2M", f"{(2 << 20) - PAGE}", ("ok", None)),
            ("2M", "2M", ("bind", "outside-file")),
            ("2M", "4M", ("bind", "outside-file")),
        ):
            got = self.rule(*BIND, f"--size={size}", f"--offset={offset}")
            self.assertEqual(got[:2], want)
        got = self.rule(*BIND, "--size=2M", "--offset=2M")
        self.assertIn(f"0x200000 + 0x{PAGE:x} ends beyond", got[2])


class Why(Case):
    need = ("kvm",)

    def why(self, *args, status, rule=None, step=None, mode=None):
        """Text and JSON agree on the answer."""
        text = self.ended(ctl("why", *args), status)
        r = self.ended(ctl("why", *args, "--json"), status)
        value = self.valid(r.stdout, "why")
        verdict = {OK: "ok", CHECK: "refused", UNSUPPORTED: "unsupported"}
        self.assertEqual(value["verdict"], verdict[status], value)
        self.assertEqual(value["mode"], mode)
        if status == OK:
            where = f" in {mode} mode" if mode else ""
            self.assertEqual(text.stdout, f"ok: would be accepted{where}\n")
            self.assertIsNone(value["rule"])
            return
        self.assertEqual(value["rule"]["reason"], rule)
        self.assertEqual(value["step"], step or args[0])
        at = ""
        if step:
            at = f" already at {'--' if step == 'with' else ''}{step}"
        self.assertEqual(
            text.stdout,
            f"{verdict[status]}{at}: {value['rule']['message']}\n"
            f"rule: {rule}\n"
            f"remedy: {value['rule']['remedy']}\n",
        )

    def test_create(self):
        create = ["create", "--size", "2M"]
        self.why(*create, "--shared", status=OK)
        self.why(*create, "--mmap", "--init-shared", status=OK)
        self.why(*create, "--mmap", "--guest-only", status=OK)
        self.why(*create, "--unbound", status=OK)
        self.why(*create, status=CHECK, rule="never-used")
        self.why(*create, "--mmap", status=CHECK, rule="guest-only")
        self.why(
            *create, "--init-shared", status=CHECK, rule="init-shared-unmappable"
        )
        self.why("create", "--size=0", status=CHECK, rule="zero-size")
        self.why(
            "create", "--shared", f"--size={PAGE - 1}", status=CHECK, rule="unaligned"
        )
        self.why("create", "--shared", "--size=8E", status=CHECK, rule="size-limit")
        self.why("create", "--shared", f"--size={END}", status=OK)

    def test_create_in_huge_pages(self):
        huge = ["create", "--shared", "--size", "1G", "--hugetlb"]
        self.why(*huge, "3M", status=CHECK, rule="hugetlb-size")
        self.why(*huge, "2M", status=UNSUPPORTED, rule="hugetlb-unsupported")

    def test_bind(self):
        self.why(*BIND, "--len", "2M", status=OK, mode="fd")
        self.why(*BIND, "--size", "2M", status=OK, mode="fd")
        self.why(*BIND, "--size=4M", "--offset=2M", status=OK, mode="fd")
        for need in ("--dirty-log", "--readonly", "--hva"):
            self.why(*BIND, "--len=2M", need, status=OK, mode="hva")
        self.why(*BIND, "--len=2M", "--alias", *WITH, status=OK, mode="hva")

    def test_bind_refused(self):
        for args, rule in (
            (["--len=2M", *WITH], "range-bound"),
            (["--len=2M", "--gpa=1M", "--offset=2M", *WITH], "gpa-overlap"),
            (["--len=2M", "--slot=0", "--offset=2M", *WITH], "slot-in-use"),
            (["--len=2M", "--slot=40000"], "slot-limit"),
            (["--len=2M", "--gpa=1"], "unaligned"),
            (["--len=1"], "unaligned"),
            (["--len=0"], "zero-size"),
            (["--len=2M", "--size=1M"], "outside-file"),
            (["--size=2M", "--offset=4M"], "outside-file"),
            (["--len=2M", f"--offset={END}"], "offset-overflow"),
            (["--len=2M", f"--gpa={2**64 - PAGE}"], "gpa-overflow"),
            (["--len=2M", "--address-space=7"], "address-space"),
        ):
            self.why(*BIND, *args, status=CHECK, rule=rule)

    def test_bind_unsupported(self):
        for need in ("--dirty-log", "--readonly"):
            self.why(
                *BIND,
                "--len=2M",
                "--fd",
                need,
                status=UNSUPPORTED,
                rule=need[2:],
            )

    def test_an_earlier_step_refuses(self):
        self.why(
            "bind",
            "--slot=0",
            "--gpa=0",
            "--len=2M",
            status=CHECK,
            rule="never-used",
            step="create",
        )
        self.why(
            *BIND,
            "--len=2M",
            *WITH,
            "--with=0:8M:2M:2M",
            status=CHECK,
            rule="slot-in-use",
            step="with",
        )

    def test_attributes(self):
        args = ["attributes", "--shared", "--len=2M", *WITH]
        self.why(*args, "--to=shared", status=OK)
        self.why(
            *args, "--to=private", status=UNSUPPORTED, rule="no-private-memory"
        )
        self.why(
            *args,
            "--to=shared",
            "--offset=1",
            status=CHECK,
            rule="unaligned",
        )

    def test_only_a_question(self):
        """The slot asked about is not made: asking twice is no conflict."""
        r = ctl("why", *BIND, "--len=2M", "--verbose")
        self.assertEqual(r.returncode, OK)
        self.assertNotIn("KVM_SET_USER_MEMORY_REGION", r.stderr)
        r = ctl("why", "create", "--shared", "--size=64M", "--verbose")
        self.assertNotIn("0x4000000", r.stderr)

    def test_what_the_kernel_did_not_tell(self):
        """Then nothing is promised."""
        for capability, options in (
            (234, ["--unbound"]),
            (244, ["--shared"]),
            (244, ["--mmap", "--guest-only"]),
        ):
            silent = deny(IOCTL, errno.ENOMEM, CHECK_EXTENSION, capability)
            args = ["why", "create", "--size=4K", *options]
            r = self.ended(ctl(*args, preexec_fn=silent), FAILED, "is not known")
            self.assertIn(f"({capability})", r.stderr)
            self.assertEqual(r.stdout, "")
            r = self.ended(ctl(*args, "-j", preexec_fn=silent), FAILED, "ENOMEM")
            self.assertEqual(self.valid(r.stdout, "why")["error"]["code"], "ENOMEM")
        # What is not asked for need not be known.
        silent = deny(IOCTL, errno.ENOMEM, CHECK_EXTENSION, 244)
        self.ended(
            ctl("why", "create", "--size=4K", "--unbound", preexec_fn=silent), OK
        )


main()
