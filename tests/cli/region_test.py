#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl batch: regions, on models of kernels that convert and of others."""

import re

from ctl import Case, FAILED, OK, UNSUPPORTED, USAGE, ctl, main

KIB = 1 << 10
TYPE = ("--vm-type", "sw-protected")
# Where a region has one file, where a file and memory beside it.
DUAL = [(f"--model={name}", *TYPE) for name in ("6.12", "7.3")]
INPLACE = [("--model=inplace", *TYPE)]
MADE = "region r 256K\nbind r 0 1M\n"


class Region(Case):
    def batch(self, text, args):
        return ctl("batch", *args, "-", input=text)

    def results(self, text, args):
        r = self.ended(self.batch(text, [*args, "--json"]), OK)
        value = self.valid(r.stdout, "batch")
        return {x["line"]: x for x in value["results"]}

    def refused(self, text, status, says, args=DUAL[1]):
        """At the last line, alike by a dry run."""
        line = text.count("\n") + 1
        for more in [], ["--dry-run"]:
            r = self.batch(text, [*args, *more])
            self.ended(r, status, f"gmemctl: batch: -:{line}: ")
            self.assertIn(says, r.stderr)


class Life(Region):
    def test_the_kind_that_the_kernel_wants(self):
        for models, kind, side in ((DUAL, "dual", "anon"), (INPLACE, "inplace", "none")):
            for args in models:
                made = self.results("region r 256K", args)[1]
                self.assertEqual((made["kind"], made["shared_side"]), (kind, side))
        shared = self.results("region r 256K kind=shared", ["--model=7.3"])[1]
        self.assertEqual((shared["kind"], shared["hypercall"]), ("shared", False))
        quiet = self.results("region r 256K no-hypercall", DUAL[1])[1]
        self.assertIs(quiet["hypercall"], False)

    def test_converts_ranges_in_any_order(self):
        for args in DUAL + INPLACE:
            text = MADE + "convert r shared 64K:64K 0:4K 96K:64K\nattributes r\n"
            text += "convert r shared 0:4K\nconvert r private 0:256K\nattributes r"
            done = self.results(text, args)
            said = [done[3][k] for k in ("done", "changed", "conversions", "queued")]
            self.assertEqual(said, [100 * KIB, 0, 2, 0])
            runs = [(x["offset"] // KIB, x["state"]) for x in done[4]["runs"]]
            self.assertEqual(
                runs, [(0, "shared"), (4, "private"), (64, "shared"), (160, "private")]
            )
            self.assertEqual((done[5]["done"], done[5]["conversions"]), (4 * KIB, 0))
            self.assertEqual(done[6]["conversions"], 2)
            self.assertEqual([x["state"] for x in done[7]["runs"]], ["private"])

    def test_defer_leaves_it_for_reclaim(self):
        text = MADE + "convert r shared 0:64K\nwrite r 0 hex:01\nwrite r 4K hex:01\n"
        text += "convert r private 0:64K {}\nresident r\nreclaim r 0 4K\n"
        text += "reclaim r\nresident r\nstat r"
        for args, deferred in ((DUAL[0], 64), (DUAL[1], 64), (INPLACE[0], 0)):
            done = self.results(text.format("defer"), args)
            self.assertEqual(done[6]["queued"], deferred * KIB)
            unused = done[7]["resident_sides"]["unused"]
            self.assertEqual(unused, 8 * KIB if deferred else 0)
            freed = [done[8]["freed"], done[9]["freed"]]
            self.assertEqual(freed, [4 * KIB, 60 * KIB] if deferred else [0, 0])
            self.assertEqual(done[10]["resident_sides"]["unused"], 0)
            self.assertEqual(done[11]["counters"]["queued"], 0)
            now = self.results(text.format(""), args)
            self.assertEqual((now[6]["queued"], now[9]["freed"]), (0, 0))
            self.assertEqual(now[7]["resident_sides"]["unused"], 0)

    def test_reset_and_discard(self):
        text = MADE + "convert r shared 0:64K\nwrite r 0 hex:01\npopulate r 128K 64K\n"
        text += "discard r 0 4K\nresident r\nattributes r 0 4K\nreset r\nstat r"
        for args in DUAL + INPLACE:
            done = self.results(text, args)
            self.assertEqual(done[6]["resident"], 0)
            sides = {"private": 64 * KIB, "shared": 0, "unused": 0}
            self.assertEqual(done[7]["resident_sides"], sides)
            self.assertEqual(done[8]["runs"][0]["state"], "shared")
            self.assertEqual(done[10]["resident"], 0)
            counters = done[10]["counters"]
            self.assertEqual((counters["private"], counters["shared"]), (256 * KIB, 0))
            self.assertEqual(counters["to_shared"], 64 * KIB)

    def test_the_host_sees_shared_pages_only(self):
        text = MADE + "convert r shared 60K:8K\nwrite r 65533 \"abcdef\"\nread r 65532 8"
        for args in DUAL + INPLACE:
            done = self.results(text, args)
            self.assertEqual(bytes.fromhex(done[5]["data"]), b"\0abcdef\0")
            for line in ("read r 61439 2", "read r 69631 2", 'write r 69632 "a"'):
                self.refused(f"{text}\n{line}", FAILED, "private", args)
            for line in (
                "read r 256K 1",
                "read r 0x3ffff 2",
                "read r 260K 0",
            ):
                self.refused(f"{text}\n{line}", FAILED, "[outside-file]", args)
            none = self.results(MADE + "read r 256K 0", args)
            self.assertEqual(none[3]["data"], "")

    def test_text(self):
        text = MADE + "convert r shared 0:4K\nwrite r 0 hex:01\n"
        text += "convert r private 0:8K defer\nstat r\nreclaim r\nclose r"
        r = self.batch(text, DUAL[1])
        self.ended(r, FAILED, "[still-bound]")
        said = [x for x in r.stdout.splitlines() if "inode" not in x][1:]
        self.assertEqual(
            said,
            [
                "r: 4K shared, runs converted: 1",
                "r: 8K private, runs converted: 1, queued: 4K",
                "r: size       256K",
                "r: page size  4K",
                "r: mappable   no",
                "r: resident   4K",
                "r: of it      private 0, shared 0, not in use 4K",
                "r: kind       dual",
                "r: private    256K, shared 0",
                "r: converted  4K to private, 4K to shared, runs: 2",
                "r: queued     4K",
                "r: slot 0 at gpa 0x100000, offset 0x0, 256K, fd",
                "r: freed 4K",
            ],
        )


class Slots(Region):
    def test_any_part_by_the_verbs_of_files(self):
        text = "region r 256K\nbind r 0 0 0 64K\nbind r 1 1M 128K 64K\nstat r\n"
        text += "convert r shared 128K:4K\nreplace 0 with r:2:4M:0:32K\nattributes r\n"
        text += "unbind r 1\nunbind r 2\nclose r\nregion r 4K"
        for args in DUAL + INPLACE:
            done = self.results(text, args)
            slots = [(x["slot"], x["offset"] // KIB) for x in done[4]["slots"]]
            self.assertEqual(slots, [(0, 0), (1, 128)])
            states = [(x["len"] // KIB, x["state"]) for x in done[7]["runs"]]
            self.assertIn((4, "shared"), states)

    def test_converts_what_has_slots(self):
        text = "region r 256K\nbind r 0 0 0 64K\nconvert r shared 60K:8K"
        self.refused(text, FAILED, "[not-bound]")


class Names(Region):
    def test_a_region_is_one_object(self):
        for first in "create r 64K", "region r 64K":
            for then in "create r 64K", "region r 64K":
                says = "'r' exists already: close it first"
                self.refused(f"{first}\n{then}", USAGE, says)
        done = self.results("region r 64K\nclose r\ncreate r 64K\nclose r", DUAL[1])
        self.assertEqual([x["object"] for x in done.values()], ["r"] * 4)

    def test_what_is_no_region(self):
        for line in "convert f shared 0:4K", "reclaim f", "reset f":
            says = "'f' is no region: make one with region"
            self.refused(f"create f 64K\n{line}", USAGE, says)
        self.refused("convert f shared 0:4K", USAGE, "there is no 'f'")

    def test_only_the_region_changes_its_file(self):
        made = "create f 64K\nregion r 64K file=f\n"
        for line in "discard f", "close f":
            self.refused(made + line, FAILED, "[in-region]; change the region instead")
        for line in "private f 0 4K", "shared f 0 4K":
            self.refused(f"{made}bind r 0 0\n{line}", FAILED, "[in-region]")
        for line in "private", "shared":
            says = f"'r' is a region, which converts by: convert r {line} OFFSET:LEN ["
            self.refused(f"{made}bind r 0 0\n{line} r 0 4K", FAILED, says)
        self.refused(f"{made}region s 64K file=f", FAILED, "[in-region]")
        self.refused("create f 64K\nregion r 32K file=f", FAILED, "[region-size]")
        self.refused("region r 64K file=f", USAGE, "there is no 'f'")
        # The file is the batch's again.
        done = self.results(made + "close r\ndiscard f\nclose f", DUAL[1])
        self.assertEqual(done[2]["object"], "r")
        self.assertEqual(done[4]["done"], 64 * KIB)

    def test_words(self):
        for line, says in (
            ("region r", "too few words: region NAME SIZE"),
            ("region r 4K kind=both", '"both" is not the name of a kind of region'),
            ("region r 4K dual", "unknown word 'dual'"),
            ("region r 4K hypercall", "unknown word 'hypercall'"),
            (MADE + "convert r shared", "too few words: convert NAME private|shared"),
            (MADE + "convert r shared defer", "too few words: convert NAME"),
            (MADE + "convert r unset 0:4K", "'unset' is neither private nor shared"),
            (MADE + "convert r 0 4K", "'0' is neither private nor shared"),
            (MADE + "convert r shared 0", "'0' is not OFFSET:LEN"),
            (MADE + "convert r shared :4K", "':4K' is not OFFSET:LEN"),
            (MADE + "convert r shared 0:", "'0:' is not OFFSET:LEN"),
            (MADE + "convert r shared 0:4K:8K", "'0:4K:8K' is not OFFSET:LEN"),
            (MADE + "convert r shared 0:4K,8K:4K", "is not OFFSET:LEN"),
            (MADE + f"convert r shared {'0' * 40}:4K", "is not OFFSET:LEN"),
            (MADE + 'convert r shared "0:4K"', '"0:4K" may not be quoted'),
            (MADE + "convert r shared 0:4K nowait", "'nowait' is not OFFSET:LEN"),
            (MADE + "reset r 0 4K", "unknown word '0'"),
        ):
            with self.subTest(line):
                self.refused(line, USAGE, says)

    def test_ranges_that_the_library_refuses(self):
        for ranges, reason in (
            ("0:4097", "unaligned"),
            ("0:4K 1:4K", "unaligned"),
            ("0:512K", "outside-file"),
            ("0xfffffffffffff000:8K", "offset-overflow"),
        ):
            for args in DUAL + INPLACE:
                line = f"{MADE}convert r shared {ranges}"
                self.refused(line, FAILED, f"[{reason}]", args)


class Kinds(Region):
    def test_auto_needs_private_memory(self):
        remedy = "kind=shared"
        for args in (["--model=7.3"], ["--model=6.18"]):
            for word in "", " kind=auto", " kind=dual", " kind=inplace":
                self.refused(f"region r 1M{word}", UNSUPPORTED, "[region-kind]", args)
                self.refused(f"region r 1M{word}", UNSUPPORTED, remedy, args)
            self.ended(self.batch("region r 1M kind=shared", args), OK)

    def test_two_backings_are_refused_in_place(self):
        says = "would hide its shared pages from a guest"
        self.refused("region r 1M kind=dual", UNSUPPORTED, says, INPLACE[0])

    def test_on_this_machine(self):
        self.require("kvm")
        text = "region r 1M kind=shared\nbind r 0 0\nwrite r 0 \"hello\"\nread r 0 5\n"
        text += "stat r\nunbind r 0\nclose r"
        done = self.results(text, [])
        self.assertEqual(done[4]["data"], b"hello".hex())
        self.assertEqual(done[5]["kind"], "shared")
        self.assertEqual(done[5]["resident_sides"]["shared"], 4 * KIB)
        r = ctl("batch", "-", input="region r 1M")
        self.ended(r, UNSUPPORTED, "[region-kind]")

    def test_shared_stays_shared(self):
        text = "region r 1M kind=shared\nbind r 0 0\nconvert r private 0:4K"
        self.refused(text, UNSUPPORTED, "[region-kind]", ["--model=7.3"])


class Picture(Region):
    # Memory on both sides, on either, on none; private, and shared.
    TEXT = (
        MADE
        + "convert r shared 64K:128K\nwrite r 64K hex:01\nwrite r 72K hex:01\n"
        + "populate r 32K 36K\n"
    )

    def rows(self, args, line="map r"):
        r = self.ended(self.batch(self.TEXT + line, args), OK)
        text = r.stdout[r.stdout.index(" per mark") - 3 :]
        for x in text.splitlines():
            self.assertLessEqual(len(x), 80)
        rows = {"file": ""}
        for x in text.splitlines():
            m = re.match(r"(0x[0-9a-f]{16}|[a-z ]{18}) ([^ ']+)$", x)
            if m:
                name = m[1].strip() if m[1][0] != "0" else "file"
                rows[name] = rows.get(name, "") + m[2]
        return text, rows

    def test_both_sides(self):
        for args in DUAL:
            text, rows = self.rows(args)
            self.assertEqual(rows["file"], "." * 8 + "#" * 9 + "." * 47)
            self.assertEqual(rows["shared side"], "." * 16 + "#.#" + "." * 45)
            self.assertEqual(rows["twice"], "." * 16 + "#" + "." * 47)
            self.assertEqual(rows["state"], "p" * 16 + "s" * 32 + "p" * 16)
            for word in ("shared side:", "twice:", "'.' hole", "'p' private"):
                self.assertIn(word, text)

    def test_a_mark_for_many_pages_counts_each_page(self):
        """Pages of either side that do not meet are none twice."""
        text = "region r 8M\nbind r 0 0\nconvert r shared 0:8M\n"
        text += "write r 0 hex:01\nwrite r 8K hex:01\npopulate r 4K 4K\n"
        text += "populate r 32K 8K\nwrite r 32K hex:01\npopulate r 64K 16K\n"
        text += "".join(f"write r {64 + 4 * i}K hex:01\n" for i in range(4))
        text += "map r"
        r = self.ended(self.batch(text, DUAL[1]), OK)
        lines = r.stdout.splitlines()
        at = next(i for i, x in enumerate(lines) if x.startswith("0x"))
        self.assertTrue(lines[1].startswith("16K per mark") or "16K per mark" in r.stdout)
        file, other, twice = (x.split()[-1][:6] for x in lines[at : at + 3])
        self.assertEqual((file, other, twice), (":.:.#.", ":.:.#.", "..:.#."))

    def test_one_file_has_one_row(self):
        text, rows = self.rows(INPLACE[0])
        self.assertEqual(set(rows), {"file", "state"})
        self.assertNotIn("twice", text)

    def test_runs(self):
        for args in DUAL:
            done = self.results(self.TEXT + "map r", args)
            runs = [
                (x["offset"] // KIB, x["state"][0], x["resident"], x["shared_resident"])
                for x in done[7]["runs"]
            ]
            self.assertEqual(
                runs,
                [
                    (0, "p", False, False),
                    (32, "p", True, False),
                    (64, "s", True, True),
                    (68, "s", False, False),
                    (72, "s", False, True),
                    (76, "s", False, False),
                    (192, "p", False, False),
                ],
            )
        done = self.results(self.TEXT + "map r", INPLACE[0])
        self.assertNotIn("shared_resident", done[7]["runs"][0])


main()
