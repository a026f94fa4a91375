#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl batch: good and bad scripts, real and dry."""

import ctypes
import os
import platform
import resource
import tempfile

from ctl import ACCESS, CHECK, Case, FAILED, OK, PAGE, UNSUPPORTED, USAGE
from ctl import ctl, drop_override, main, validator, without_inodes

GOOD = r"""
# Two slots of one file.
create ram 4M mmap init-shared	# behind a tab
bind ram 0 0 0 2M
	bind  ram 1 16M 2M 0x200000 hva

write ram 0 "say \"hello\" #1\n"
write ram 0x1FFFF8 hex:00112233445566778899AABBccddeeff
read ram 0 20
read ram 0x1ffff0 0x20
read ram 0 0
stat ram
attributes ram
attributes ram 4K 8K
resident ram
map ram 1M 8K nodes
populate ram 2M 1M threads=2 policy=bind nodes=0
placement ram 2M 1M policy=bind nodes=0
populate ram 3M 4K policy=local
resident ram 2M 2M
discard ram 2M 2M
resident ram 2M 2M
load ram 2M /dev/null
load ram 0x200001 "/dev/null"
policy ram
note 7 1G 64K readonly
forget 7
shared ram 0 2M
replace 0 1 with ram:2:0:0:4M
replace 2 with ram:0:0:0:2M ram:1:16M:2M:2M:hva
unbind ram 0 keep-attributes
unbind ram 1
bind ram 5 4G
unbind ram 5
close ram
create ram 64K shared
stat ram
create Other_name-2 64K unbound
"""
GOOD_TEXT = r"""
00000000  73 61 79 20 22 68 65 6c  6c 6f 22 20 23 31 0a 00  |say "hello" #1..|
00000010  00 00 00 00                                       |....|
001ffff0  00 00 00 00 00 00 00 00  00 11 22 33 44 55 66 77  |.........."3DUfw|
00200000  88 99 aa bb cc dd ee ff  00 00 00 00 00 00 00 00  |................|
ram: inode      N
ram: size       4M
ram: page size  4K
ram: mappable   yes
ram: shared     yes
ram: resident   12K
ram: slot 0 at gpa 0x0, offset 0x0, 2M, fd
ram: slot 1 at gpa 0x1000000, offset 0x200000, 2M, hva
ram: 0x0 4M shared
ram: 0x1000 8K shared
ram: resident   12K
4K per mark: '.' hole, ':' in part, '#' all resident
state: 'p' private, 's' shared, 'u' unset, 'm' several
node: '+' several, '*' one beyond 9, '?' not known
0x0000000000100000 ..
state              ss
node
ram: populated 1M at 0x200000
ram: placed: well
ram: resident: 1M
ram: misplaced: 0
ram: unknown: 0
ram: nodes: 0:1M
ram: populated 4K at 0x300000
ram: resident   1028K of 2M at 0x200000
ram: discarded 2M at 0x200000
ram: resident   0 of 2M at 0x200000
ram: loaded 0 at 0x200000
ram: loaded 0 at 0x200001
ram: policy default
ram: inode      N
ram: size       64K
ram: page size  4K
ram: mappable   yes
ram: shared     yes
ram: resident   0
"""[1:]

# On a kernel that can carry out all of it, whichever this machine has.
DRY = ("--dry-run", "--model=7.3")
DRY_TEXT = r"""
# dry run: nothing is made
# model 7.3: verified against 7.3.4 on x86-64, also built with private memory, and arm64
would create ram 4M mmap init-shared
would bind ram 0 0 0 2M
would bind ram 1 16M 2M 0x200000 hva
would write ram 0 "say \"hello\" #1\n"
would write ram 0x1FFFF8 hex:00112233445566778899AABBccddeeff
"""[1:]
MEMORY = "whether there is memory for it"
INPUT = "the file, which is not opened"

# Lines that are no batch, alone, and what is said of them.
SYNTAX = (
    ("nosuch", "unknown command 'nosuch'"),
    ("'create'", "unknown command ''create''"),
    ('"create" x 4K', "unknown command 'create'"),
    ("Create x 4K", "unknown command 'Create'"),
    ("create", "too few words: create NAME SIZE"),
    ("create x", "too few words: create NAME SIZE"),
    ("create 1x 4K", "'1x' is not a name: a letter comes first"),
    ("create x/y 4K", "'x/y' is not a name: letters, digits"),
    ("create " + "n" * 33 + " 4K", "longer than 32 characters"),
    ("create x 4KB", "'4KB' is not a size"),
    ("create x -4K", "'-4K' is not a number"),
    ("create x 16E", "'16E' is beyond 2^64 - 1"),
    ("create x 4K nosuch", "unknown word 'nosuch': create NAME"),
    ("create x 4K mmap=1", "unknown word 'mmap=1'"),
    ("create x 4K hugetlb", "unknown word 'hugetlb'"),
    ("create x 4K hugetlb=", "'' is not a number"),
    ('create "x" 4K', '"x" may not be quoted'),
    ('create x 4K "mmap"', "unknown word 'mmap'"),
    ("create x 4K shared\ncreate x 4K", "'x' exists already"),
    ("bind y 0 0", "there is no 'y'"),
    ("close y", "there is no 'y'"),
    ("create x 4K shared\nbind x z 0", "slot 'z' is not a number"),
    ("create x 4K shared\nbind x 4294967296 0", "beyond 2^32 - 1"),
    ("create x 4K shared\nbind x 0 0 0", "too few words: bind NAME"),
    ("create x 4K shared\nreplace 0", "too few words: replace [SLOT...] with"),
    ("create x 4K shared\nreplace z with", "'z' is not a number"),
    ('create x 4K shared\nreplace "0" with', "'0' may not be quoted"),
    ("create x 4K shared\nreplace with y:0:0:0:4K", "names no file: create it first"),
    ("create x 4K shared\nreplace with x", "'x' is not NAME:SLOT:GPA:OFFSET:LEN"),
    ("create x 4K shared\nreplace with x:0:0:0", "is not NAME:SLOT:GPA:OFFSET:LEN"),
    ("create x 4K shared\nreplace with x:0:0:0:4K:", "no flag of bind"),
    ("create x 4K shared\nreplace with x:0:0:0:4K:own-addr", "no flag of bind"),
    ("create x 4K shared\nreplace with x:0:0:0:4K with", "'with' is not NAME:SLOT"),
    ("note 0 0 4K file=y", "there is no 'y'"),
    ("note 0 0 4K 4K", "unknown word '4K'"),
    ("forget", "too few words: forget SLOT"),
    ("forget 0 0", "unknown word '0'"),
    ("create x 4K shared\nwrite x 0 text", "neither \"TEXT\" nor hex:DIGITS"),
    ("create x 4K shared\nwrite x 0 hex:", "two digits make a byte"),
    ("create x 4K shared\nwrite x 0 hex:123", "two digits make a byte"),
    ("create x 4K shared\nwrite x 0 hex:0g", "is not hexadecimal"),
    ('create x 4K shared\nwrite x 0 "a', "a quote is not closed"),
    ('create x 4K shared\nwrite x 0 "a\\', "a quote is not closed"),
    ('create x 4K shared\nwrite x 0 "a\\x"', "unknown escape"),
    ('create x 4K shared\nwrite x 0 "a"b', "no blank behind a quoted text"),
    ('create x 4K shared\nwrite x 0 a"b"', "a quote inside a word"),
    ("create x 4K shared\nload x 0", "too few words: load NAME OFFSET"),
    ("create x 4K shared\nstore x 0 f", "'f' is not a number"),
    ("create x 4K shared\nstore x 0 4K", "too few words: store NAME OFFSET LEN"),
    ('create x 4K shared\nstore x 0 4K ""', "the name of the file is empty"),
    ('create x 4K shared\nload x 0 ""', "the name of the file is empty"),
    ("create x 4K shared\npopulate x threads=x", "'x' is not a number"),
    ("create x 4K shared\npopulate x nodes=0", "nodes= needs a policy: populate NAME [OFFSET LEN] [threads=N] [policy="),
    ("create x 4K shared\npopulate x policy=x", '"x" is not the name of a policy mode: default, pref'),
    ("create x 4K shared\npopulate x set=bind", "unknown word 'set=bind'"),
    ("create x 4K shared\npolicy x set=bind nodes=a", "'a' is not a set of"),
    ("create x 2M shared\nread x 0 1M1", "'1M1' is not a size"),
    ("create x 2M shared\nread x 0 0x100001", "more than one read shows (1M)"),
    ("creat x 4K", "batch --help lists them; did you mean create?"),
    ("create x\r 4K", "a control character"),
    ("create x 4K\r\r", "a control character"),
    ("create x 4K\0", "a zero byte, as text in UTF-16 has"),
    ("create x 4K shared\npopulate x threads=0", "threads='0' is not from 1 to 256"),
    ("create x 4K shared\npopulate x threads=257", "is not from 1 to 256"),
    ("# " + "x" * 4094, "longer than 4095 bytes"),
    (" ".join("x" * 33), "more than 32 words"),
)

# What any kernel refuses.
RULES = (
    ("create x 0 shared", "zero-size"),
    ("create x 1000 shared", "unaligned"),
    ("create x 8E shared", "size-limit"),
    ("bind x 0 1", "unaligned"),
    ("bind x 0 0 1 4K", "unaligned"),
    ("bind x 0 0 0 1", "unaligned"),
    ("bind x 0 0 0 0", "zero-size"),
    ("bind x 0 0 0 4M", "outside-file"),
    ("bind x 0 0 2M 4K", "outside-file"),
    ("bind x 0 0xfffffffffffff000", "gpa-overflow"),
    ("bind x 0 0 0 1M\nbind x 0 4M 1M 1M", "slot-in-use"),
    ("bind x 0 0 0 1M\nbind x 1 0xff000 1M 1M", "gpa-overlap"),
    ("note 0 0 1M\nbind x 1 0 0 4K", "gpa-overlap"),
    ("note 0 1 1M", "unaligned"),
    ("note 0 0 1", "unaligned"),
    ("note 0 0 1M\nnote 0 4M 1M", "slot-in-use"),
    ("bind x 0 0\nclose x", "still-bound"),
    ("unbind x 3", "not-bound"),
    ("replace 3 with", "not-bound"),
    ("bind x 0 0\nreplace 0 0 with", "slot-twice"),
    ("note 0 0 1M\nreplace 0 with", "noted-slot"),
    ("bind x 0 0 0 1M\nreplace 0 with x:0:0:0:1M x:0:2M:1M:1M", "slot-in-use"),
    ("bind x 0 0 0 1M\nreplace 0 with x:0:0:0:1M x:1:512K:1M:1M", "gpa-overlap"),
    ("bind x 0 0\nreplace 0 with x:0:0:0:4M", "outside-file"),
    ("note 0 0 1M\nforget 0\nforget 0", "not-bound"),
    ("populate x 1 4K", "unaligned"),
    ("populate x 0 4M", "outside-file"),
    ("discard x 0 0", "zero-size"),
    ("resident x 4K 1", "unaligned"),
    ("policy x 4M 4K", "outside-file"),
    ("placement x 0 1", "unaligned"),
    ("load x 2M /dev/null", "outside-file"),
    ("read x 2M 1", "outside-file"),
    ('write x 0x1fffff "ab"', "outside-file"),
    ("attributes x 0 3M", "outside-file"),
)


CREATE = "create x 2M shared\n"
# What a kernel that has mmap, and a default VM, refuse.
KERNEL = (
    ("create x 2M", FAILED, "never-used"),
    ("create x 2M init-shared", FAILED, "init-shared-unmappable"),
    ("create x 2M mmap", FAILED, "guest-only"),
    ("create x 2M shared hugetlb=2M", UNSUPPORTED, "hugetlb-unsupported"),
    (CREATE + "bind x 40000 0", FAILED, "slot-limit"),
    (CREATE + "bind x 0 0 fd dirty-log", UNSUPPORTED, "dirty-log"),
    (CREATE + "bind x 0 0\nbind x 1 4M", FAILED, "range-bound"),
    (CREATE + "private x 0 4K", UNSUPPORTED, "no-private-memory"),
    (CREATE + "populate x policy=bind", FAILED, "policy-nodes"),
    (CREATE + "populate x policy=bind nodes=999", FAILED, "policy-nodes"),
    ("create x 4K unbound\npolicy x", UNSUPPORTED, "policy-unmappable"),
    ("create x 4K mmap guest-only\nload x 0 /etc/passwd", FAILED, "private"),
    ("create x 4K mmap guest-only\nread x 0 1", FAILED, "private"),
    ("create x 4K unbound\nread x 0 1", UNSUPPORTED, "not-mappable"),
)


def call_it_2_6():
    """Makes the kernel of a program, as preexec_fn, say that it is 2.6."""
    uname26 = 0x0020000
    ctypes.CDLL(None).personality(uname26)


class Files(Case):
    """As other systems' editors write them."""

    def test_dos_lines_and_a_mark_are_understood(self):
        lines = "create x 64K shared", "# a", "", 'write x 0 "a"', "read x 0 1"
        with tempfile.NamedTemporaryFile("wb", suffix=".batch") as f:
            for mark in b"", b"\xef\xbb\xbf":
                for end in b"\n", b"\r\n":
                    f.seek(0)
                    f.truncate()
                    f.write(mark + b"".join(x.encode() + end for x in lines))
                    f.flush()
                    r = self.ended(ctl("batch", "--model", f.name), OK)
                    self.assertTrue(r.stdout.endswith("|a|\n"), r)

    def test_a_mark_elsewhere_is_a_character(self):
        r = ctl("batch", "--model", "-", input="# \n\ufeffclose x\n")
        self.ended(r, USAGE, r"-:2: unknown command '\xef\xbb\xbfclose'")

    def test_utf_16_is_named(self):
        with tempfile.NamedTemporaryFile("wb", suffix=".batch") as f:
            for kind in "utf-16-le", "utf-16-be":
                f.seek(0)
                f.write("close x\n".encode(kind))
                f.flush()
                r = ctl("batch", "--model", f.name)
                self.ended(r, USAGE, ":1: a zero byte, as text in UTF-16 has")


class Batch(Case):
    def batch(self, text, *args):
        with tempfile.NamedTemporaryFile("w", suffix=".batch") as f:
            f.write(text)
            f.flush()
            self.name = f.name
            return ctl("batch", *args, f.name)

    def refused(self, text, status, says, *args):
        """Refused at the last line, in text and in JSON."""
        line = text.count("\n") + 1
        r = self.batch(text, *args)
        self.ended(r, status, f"gmemctl: batch: {self.name}:{line}: ")
        self.assertIn(says, r.stderr)
        self.assertEqual(len(r.stderr.splitlines()), 1)
        r = self.batch(text + "\nstat nosuch", "--json", *args)
        self.assertEqual(r.returncode, status)
        value = self.valid(r.stdout, "batch")
        self.assertEqual(value["error"]["line"], line)
        self.assertEqual([x["line"] for x in value["results"]], [*range(1, line)])
        return value["error"]


class Usage(Batch):
    def test_usage(self):
        for args in ([], ["a", "b"]):
            self.usage("batch", *args, says="one file", command="batch")

    def test_the_file(self):
        r = ctl("batch", "--dry-run", "/nonexistent")
        self.ended(r, FAILED, "gmemctl: batch: /nonexistent: No such file")
        value = self.valid(ctl("batch", "-j", "/nonexistent").stdout, "batch")
        self.assertEqual(
            value["error"]["message"], "/nonexistent: No such file or directory"
        )
        r = ctl("batch", "--dry-run", "/")
        self.ended(r, FAILED, "gmemctl: batch: /:0: Is a directory")

    def test_a_file_that_may_not_be_read(self):
        self.require("root")
        with tempfile.NamedTemporaryFile() as f:
            os.fchmod(f.fileno(), 0)
            os.fchown(f.fileno(), 1, 1)
            r = ctl("batch", "--dry-run", f.name, preexec_fn=drop_override)
        self.ended(r, ACCESS, "Permission denied")


class DryRun(Batch):
    def lines(self, text, *args, **kwargs):
        """What is said of each line."""
        r = self.ended(ctl("batch", *args, "-", input=text, **kwargs), OK)
        head, model, *lines = r.stdout.splitlines()
        self.assertEqual(head, "# dry run: nothing is made")
        self.assertTrue(model.startswith("# model "), model)
        return lines

    def test_good(self):
        text = self.ended(self.batch(GOOD, *DRY), OK).stdout
        self.assertTrue(text.startswith(DRY_TEXT), text)
        said = [line for line in text.splitlines() if line[0] != "#"]
        self.assertEqual(len(said), 35)
        for line in said:
            self.assertTrue(line.startswith("would "), line)
        r = self.ended(self.batch(GOOD, *DRY, "--json"), OK)
        value = self.valid(r.stdout, "batch")
        self.assertTrue(value["dry_run"])
        self.assertEqual(value["model"], "7.3")
        self.assertEqual(len(value["results"]), 35)
        keys = {"line", "command", "object", "object_reason", "unchecked"}
        for result in value["results"]:
            self.assertLessEqual(set(result), keys)

    def test_takes_no_memory_and_opens_no_input(self):
        text = "create x 64M shared\npopulate x\npopulate x 0 4K threads=2\n"
        text += "load x 0 /nonexistent\n"
        said = self.lines(text, *DRY)
        self.assertEqual(
            [line.partition("  # not checked: ")[2] for line in said],
            ["", MEMORY, MEMORY, INPUT],
        )
        r = self.batch(text, *DRY, "--verbose")
        self.assertIn("KVM_CREATE_GUEST_MEMFD(", r.stderr)
        self.assertNotIn("fallocate(", r.stderr)
        value = self.valid(self.batch(text, *DRY, "-j").stdout, "batch")
        self.assertEqual(
            [x.get("unchecked") for x in value["results"]],
            [None, MEMORY, MEMORY, INPUT],
        )

    def test_checks_what_it_does_not_do(self):
        create = "create x 2M shared\n"
        private = "create x 4K mmap guest-only\n"
        for text, reason in (
            (create + "populate x policy=bind", "policy-nodes"),
            (create + "load x 2M /dev/null", "outside-file"),
            (private + "load x 0 /dev/null", "private"),
            (create + "store x 2M 4K /dev/null", "outside-file"),
            (private + "store x 0 4K /dev/null", "private"),
        ):
            with self.subTest(text):
                error = self.refused(text, FAILED, f"[{reason}]; ", *DRY)
                self.assertEqual(error["reason"], reason)

    def test_refuses_as_the_kernel_does(self):
        for text, status, reason in KERNEL:
            with self.subTest(text):
                for args in (DRY, DRY[1:]):
                    error = self.refused(text, status, f"[{reason}]; ", *args)
                    self.assertEqual(error["reason"], reason)

    def releases(self):
        """The profiles that are a release, as pairs of numbers, in order."""
        value = self.valid(ctl("--model=help", "--json").stdout, "model")
        names = [p["name"].split(".") for p in value["profiles"]]
        return sorted((int(a), int(b)) for a, b in [n for n in names if n[1:]])

    def test_the_nearest_kernel(self):
        release = tuple(map(int, platform.release().split("-")[0].split(".")[:2]))
        known = self.releases()
        near = max([v for v in known if v <= release], default=known[0])
        value = self.valid(self.batch("", "--dry-run", "-j").stdout, "batch")
        machine = ",arm64" if platform.machine() == "aarch64" else ""
        self.assertEqual(value["model"], f"{near[0]}.{near[1]}{machine}")

    def test_a_kernel_older_than_all_profiles(self):
        r = ctl("batch", "--dry-run", "-j", "-", input="", preexec_fn=call_it_2_6)
        model = self.valid(r.stdout, "batch")["model"]
        self.assertEqual(model.partition(",")[0], "{}.{}".format(*self.releases()[0]))

    def test_more_files_than_the_model_has_descriptors_for(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

        text = "".join(f"create x{i} 4K shared\n" for i in range(60))
        text += "bind x59 0 0\nbind x59 0 0\nnote 1 1M 4K file=x59 addr=1M\n"
        text += "forget 1\nstat x59\nreplace 0 with x59:3:4M:0:4K\n"
        text += "unbind x59 3\nclose x59\nclose x58\n"
        text += "bind x0 1 0\ncreate x58 4K shared\n"
        said = self.lines(text, *DRY, preexec_fn=few)
        self.assertEqual(len(said), 71)
        self.assertEqual(said[0], "would create x0 4K shared")
        self.assertIn("# not checked: the model takes up to three", said[59])
        for line in said[60:69]:
            self.assertIn("# not checked: the model could not make", line)
        self.assertEqual(said[69], "would bind x0 1 0")
        r = ctl("batch", *DRY, "-", input=text + "stat x59\n", preexec_fn=few)
        self.ended(r, USAGE, ":72: there is no 'x59'")
        # What can be checked without the file is.
        text += "create y 1 shared\n"
        r = ctl("batch", *DRY, "-", input=text, preexec_fn=few)
        self.ended(r, FAILED, ":72: create: ")

    def test_files_beyond_the_limit(self):
        def small():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        said = self.lines("create x 1M shared\n", *DRY, preexec_fn=small)
        self.assertIn("# not checked: RLIMIT_FSIZE", said[0])
        # It is closed after its slots, as the real one would be.
        text = "create a 1G shared\nbind a 0 0\nclose a\nforget 0\n"
        r = ctl("batch", *DRY, "-", input=text, preexec_fn=small)
        self.ended(r, FAILED, ":3: close: the file is bound to slot 0")
        text = "create a 1G shared\nbind a 0 0\nunbind a 0\nclose a\n"
        r = ctl("batch", *DRY, "-", input=text, preexec_fn=small)
        self.ended(r, OK)

    def test_without_a_device(self):
        r = self.batch("note 0 0 1M", "--dry-run", "--device", "/nonexistent")
        self.ended(r, OK)

    def test_standard_input(self):
        self.ended(ctl("batch", *DRY, "-", input=GOOD), OK)
        r = ctl("batch", *DRY, "-", input="\nstat x")
        self.ended(r, USAGE, "gmemctl: batch: -:2: there is no 'x'")

    def test_empty(self):
        for text in ("", "\n", "# only a comment", " \t\n\n"):
            self.ended(self.batch(text, "--dry-run"), OK)

    def test_what_cannot_be_printed(self):
        said = self.lines(
            'create x 4K shared\nwrite x 0 "\\t\\\\\x9b\\""\nload x 0 f\x85', *DRY
        )
        self.assertEqual(said[1], r'would write x 0 "\t\\\xc2\x9b\""')
        self.assertIn(r"load x 0 f\xc2\x85  #", said[2])

    def test_rules_that_stay_behind_a_close(self):
        self.refused("create x 4K shared\nclose x\nstat x", USAGE, "no 'x'", *DRY)
        self.refused(
            "create x 1M shared\nbind x 0 0\nunbind x 0\nunbind x 0",
            FAILED,
            "[not-bound]",
            *DRY,
        )


class Part(Batch):
    """The output shows what a command did before it failed."""

    def part(self, text, command, says, done, *args, data=""):
        with tempfile.NamedTemporaryFile("w", suffix=".batch") as f:
            f.write(text)
            f.flush()
            line = text.count("\n") + 1
            r = ctl("batch", *args, f.name, input=data)
            j = ctl("batch", "--json", *args, f.name, input=data)
            dry = ctl("batch", "--dry-run", *args, f.name, input=data)
        self.assertEqual((r.returncode, j.returncode), (CHECK, CHECK))
        first, second = r.stderr.splitlines()
        at = f"gmemctl: batch: {f.name}:{line}: "
        self.assertTrue(first.startswith(f"{at}{command}: "), first)
        self.assertEqual(second, at + says)
        value = self.valid(j.stdout, "batch")
        self.assertEqual(value["error"]["done"], done)
        self.assertEqual(value["error"]["line"], line)
        return dry

    def test_load(self):
        text = "create x 8K shared\nload x 8188 /dev/stdin"
        dry = self.part(text, "load", "loaded 4 of 4", 4, "--model=7.3", data="x" * 9)
        self.ended(dry, OK)

    def test_write(self):
        size = 4 * PAGE
        text = f"create x {size} shared\nbind x 0 0\n"
        text += f"private x {2 * PAGE} {PAGE}\n"
        text += f'write x {2 * PAGE - 4} "0123456789"'
        private = ("--model=inplace", "--vm-type", "sw-protected")
        dry = self.part(text, "write", "written 4 of 10", 4, *private)
        # It did nothing, not even a part.
        self.ended(dry, FAILED, "[private]")
        self.assertEqual(len(dry.stderr.splitlines()), 1)

    def test_nothing_of_it(self):
        text = CREATE + "populate x 0 4M"
        self.assertEqual(self.refused(text, FAILED, "", "--model=7.3")["done"], 0)
        text = CREATE + "attributes x 0 4M"
        self.assertNotIn("done", self.refused(text, FAILED, "", "--model=7.3"))


class Shape(Batch):
    """A line shows in JSON what the command on one file does."""

    def like(self, command, line, more=()):
        """The result of a line, valid as what the command shows."""
        text = "create x 2M shared\nbind x 0 0\n" + line
        r = self.ended(self.batch(text, "--json", "--model=7.3"), OK)
        result = self.valid(r.stdout, "batch")["results"][2]
        shown = {k: v for k, v in result.items() if k not in more}
        if command == "map":
            shown["runs"] = [{**run} for run in shown["runs"]]
            self.assertEqual([run.pop("state") for run in shown["runs"]], ["shared"])
        for key in ("line", "command", "object"):
            del shown[key]
        shown |= {"schema": f"gmemctl.{command}/1", "fd": 3}
        shown |= {"pid": None, "pid_reason": "an inherited descriptor"}
        validator(command).validate(shown)
        return result

    def test_populate(self):
        result = self.like("populate", "populate x 1M 4K")
        self.assertEqual((result["offset"], result["len"]), (1 << 20, 4096))
        self.assertEqual((result["done"], result["resident"]), (4096, 4096))

    def test_discard(self):
        result = self.like("discard", "discard x")
        self.assertEqual((result["done"], result["resident"]), (2 << 20, 0))

    def test_load(self):
        result = self.like("load", "load x 1M /dev/null")
        self.assertEqual((result["offset"], result["len"]), (1 << 20, 1 << 20))
        self.assertEqual((result["done"], result["resident"]), (0, 0))
        result = self.like("load", "load x 1 /dev/null")
        self.assertIn("is not a multiple of", result["resident_reason"])

    def test_store(self):
        result = self.like("store", "store x 1M 64K /dev/null")
        self.assertEqual((result["offset"], result["len"]), (1 << 20, 64 << 10))
        self.assertEqual((result["done"], result["resident"]), (64 << 10, 0))

    def test_stat(self):
        result = self.like("stat", "stat x", ["slots"])
        self.assertEqual((result["mappable"], result["shared"]), (True, True))

    def test_resident(self):
        text = "create x 2M shared\npopulate x\nresident x 1M 4K"
        r = self.ended(self.batch(text, "--json", "--model=7.3"), OK)
        result = self.valid(r.stdout, "batch")["results"][2]
        shown = {"resident": 4096, "lower_bound": False}
        self.assertEqual({**result, **shown, "offset": 1 << 20, "len": 4096}, result)

    def test_map(self):
        for line in ("map x", "map x 4K 8K nodes"):
            self.assertEqual(self.like("map", line)["size"], 2 << 20)

    def test_policy(self):
        result = self.like("policy", "policy x 1M 4K")
        self.assertEqual((result["mode"], result["nodes"]), ("default", None))
        result = self.like("policy", "policy x set=bind nodes=0,1")
        self.assertEqual((result["mode"], result["nodes"]), ("bind", "0,1"))

    def test_placement(self):
        result = self.like("policy", "placement x policy=bind nodes=1")
        self.assertEqual((result["placed"], result["misplaced"]), ("well", 0))


class Replace(Batch):
    BOUND = "create x 2M shared\nbind x 0 0\nprivate x 512K 1M\n"
    PRIVATE = ("--model=inplace", "--vm-type", "sw-protected")

    def slots(self, value):
        return [
            (s["slot"], s["gpa"], s["offset"], s["len"], s["mode"])
            for s in value["slots"]
        ]

    def test_splits_merges_and_moves_with_the_attributes(self):
        text = self.BOUND
        text += "replace 0 with x:0:0:0:1M x:1:4M:1M:1M\nstat x\nattributes x\n"
        text += "replace 1 0 with x:7:8M:0:2M:fd\nstat x\nattributes x\n"
        text += "replace 7 with\nstat x\nreplace with x:3:0:4K:4K:hva\nstat x"
        r = self.ended(self.batch(text, "--json", *self.PRIVATE), OK)
        done = {x["line"]: x for x in self.valid(r.stdout, "batch")["results"]}
        half, size = 1 << 20, 2 << 20
        split = [(0, 0, 0, half, "fd"), (1, 4 << 20, half, half, "fd")]
        self.assertIsNone(done[4]["object"])
        self.assertEqual({s["object"] for s in done[4]["slots"]}, {"x"})
        for line, slots in (
            (4, split),
            (5, split),
            (7, [(7, 8 << 20, 0, size, "fd")]),
            (8, [(7, 8 << 20, 0, size, "fd")]),
            (10, []),
            (11, []),
            (12, [(3, 0, 4096, 4096, "hva")]),
            (13, [(3, 0, 4096, 4096, "hva")]),
        ):
            self.assertEqual(self.slots(done[line]), slots, line)
        for line in (6, 9):
            runs = [(x["len"], x["state"]) for x in done[line]["runs"]]
            quarter = 512 << 10
            shared = (quarter, "shared")
            self.assertEqual(runs, [shared, (half, "private"), shared])

    def test_a_refusal_changes_nothing(self):
        text = self.BOUND + "replace 0 with x:0:0:0:1M x:1:512K:1M:1M"
        error = self.refused(text, FAILED, "[gpa-overlap]", *self.PRIVATE)
        self.assertNotIn("done", error)

    def test_dry_run(self):
        text = self.BOUND + "replace 0 with x:2:0:0:2M\nunbind x 2\nbind x 0 0"
        said = self.ended(self.batch(text, "--dry-run", *self.PRIVATE), OK).stdout
        self.assertIn("would replace 0 with x:2:0:0:2M\n", said)


class Real(Batch):
    need = ("kvm",)

    def test_good(self):
        r = self.ended(self.batch(GOOD), OK)
        self.assertEqual(without_inodes(r.stdout), GOOD_TEXT)

    def test_good_json(self):
        value = self.valid(self.batch(GOOD, "--json").stdout, "batch")
        self.assertFalse(value["dry_run"])
        self.assertNotIn("error", value)
        done = {x["line"]: x for x in value["results"]}
        self.assertEqual(done[4]["mode"], "fd")
        self.assertEqual(done[5]["mode"], "hva")
        self.assertEqual(
            bytes.fromhex(done[9]["data"]), b'say "hello" #1\n' + bytes(5)
        )
        self.assertEqual(done[11]["data"], "")
        self.assertEqual(
            done[12]["slots"],
            [
                {"slot": 0, "gpa": 0, "offset": 0, "len": 2 << 20, "mode": "fd"},
                {
                    "slot": 1,
                    "gpa": 16 << 20,
                    "offset": 2 << 20,
                    "len": 2 << 20,
                    "mode": "hva",
                },
            ],
        )
        self.assertEqual(
            done[14]["runs"], [{"offset": 4096, "len": 8192, "state": "shared"}]
        )
        self.assertEqual(done[15]["resident"], 3 * 4096)
        hole = {"offset": 1 << 20, "len": 8192, "state": "shared"}
        self.assertEqual([{**done[16]["runs"][0], **hole}], done[16]["runs"])
        self.assertFalse(done[16]["runs"][0]["resident"])
        self.assertEqual(done[18]["placed"], "well")
        self.assertEqual(done[20]["resident"], 257 * 4096)
        self.assertEqual(done[23]["done"], 0)
        self.assertEqual((done[25]["mode"], done[25]["nodes"]), ("default", None))

    def test_load(self):
        with tempfile.NamedTemporaryFile() as f:
            f.write(b"image")
            f.flush()
            create = "create x 4K shared\n"
            text = f"{create}load x 4000 {f.name}\nread x 3999 8"
            r = self.ended(self.batch(text), OK)
            self.assertIn(" 00 69 6d 61 67 65 00 00 ", r.stdout)
            text = f"{create}load x 4092 {f.name}"
            error = self.refused(text, FAILED, "has 5, and the range only 4")
            self.assertEqual(error["reason"], "outside-file")
        self.refused(create + "load x 0 /nonexistent", FAILED, "No such file")

    def test_store(self):
        """What it refuses, and a dry run, make no file and change none."""
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "a name")
            text = f'create x 64K shared\nwrite x 0 "image"\nstore x 1 16K "{name}"'
            r = self.ended(self.batch(text, "--dry-run"), OK)
            self.assertIn("store x 1 16K", r.stdout)
            self.refused(text.replace("16K", "64K"), FAILED, "[outside-file]")
            self.assertEqual(os.listdir(folder), [])
            self.ended(self.batch(text), OK)
            with open(name, "rb") as f:
                self.assertEqual(f.read(), b"mage" + bytes((16 << 10) - 4))
        self.refused(text, FAILED, "No such file")

    def test_a_dry_run_says_that_its_limit_is_the_models(self):
        text = "create x 2M shared\nbind x 0 {}"
        for model, gpa, says in (
            ("7.3", "0x1000000000000", "addresses; the model ends at 48 bits, a "
             "host may have more or fewer [gpa-limit]"),
            ("7.3", "0x10000000000000", "is beyond 52 bits [gpa-limit]"),
            ("7.3,software", "0x10000000000000", "is beyond 52 bits [gpa-limit]"),
        ):
            model = f"--model={model}"
            self.refused(text.format(gpa), FAILED, says, model, "--dry-run")
        self.refused(text.format("0x1000000000000"), FAILED,
                     "beyond the guest's addresses [gpa-limit]", "--model=7.3")
        text = text.format("0xffffffe00000")
        self.ended(self.batch(text, "--dry-run", "--model=7.3"), OK)

    def test_a_slot_that_is_named_twice_is_no_unknown_one(self):
        for words in ("0 0", "0 1 0"):
            text = "create x 8K shared\nbind x 0 0 0 4K\nbind x 1 1M 4K 4K\n"
            self.refused(text + f"replace {words} with", FAILED,
                         "slot 0 of address space 0 is named twice among those "
                         "to replace [slot-twice]", "--model=7.3")

    def test_what_only_the_kernel_can_say(self):
        for text, status, reason in KERNEL:
            with self.subTest(text):
                for args in ((), ("--dry-run",)):
                    error = self.refused(text, status, f"[{reason}]; ", *args)
                    self.assertEqual(error["reason"], reason)

    def test_nothing_is_left_behind(self):
        """What a failed batch made is released before gmemctl ends."""
        text = "create x 1M shared\nbind x 0 0\nbind x 0 0"
        r = self.batch(text, "--verbose")
        self.assertEqual(r.returncode, FAILED)
        last = r.stderr.splitlines()[-6:]
        self.assertTrue(any("close(" in line for line in last), last)


class Syntax(Batch):
    """What is no batch is refused alike by a dry run and by a real one."""

    def test_dry(self):
        for text, says in SYNTAX:
            with self.subTest(text):
                error = self.refused(text, USAGE, says, *DRY)
                self.assertEqual(error["reason"], "usage")

    def test_real(self):
        self.require("kvm")
        for text, says in SYNTAX:
            with self.subTest(text):
                self.refused(text, USAGE, says)


class Rules(Batch):
    """Rules that both know."""

    def each(self, *args):
        for text, reason in RULES:
            with self.subTest(text):
                text = f"create x 2M shared\n{text}".replace(
                    "x 2M shared\ncreate x", "x 2M shared\ncreate y"
                )
                error = self.refused(text, FAILED, f"[{reason}]; ", *args)
                self.assertEqual(error["reason"], reason)

    def test_dry(self):
        self.each(*DRY)

    def test_real(self):
        self.require("kvm")
        self.each()


main(syntax=Syntax, rules=Rules)
