#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl map: the picture, and the runs it is made from."""

import os
import re

from ctl import Case, FAILED, OK, PAGE, ctl, main
from foreign import Foreign, guest_memfd, resident

MIB = 1 << 20


class Usage(Case):
    def test_a_width_out_of_range_is_refused(self):
        for width in "0", "1", "20", "4097":
            self.usage(
                *("map", "--fd", 3, f"--width={width}"),
                says=f"--width: '{width}' is not from 21 to 4096",
                command="map",
            )

    def test_nodes(self):
        self.usage(
            *("map", "--fd", 3, "--nodes"), says="needs --shared", command="map"
        )


class Map(Case):
    need = ("kvm",)

    def map(self, fd, *args, **kwargs):
        return ctl("map", "--fd", fd, *args, pass_fds=[fd], **kwargs)

    def file(self, flags, *ranges):
        fd = guest_memfd(self, 4 * MIB, flags)
        for offset, length in ranges:
            ctl(
                *("populate", "--fd", fd, "--offset", offset, "--len", length),
                pass_fds=[fd],
            )
        return fd

    def picture(self, r):
        """The marks alone."""
        lines = self.ended(r, OK).stdout.splitlines()
        return "".join(x.split(" ", 1)[1] for x in lines if x.startswith("0x"))

    def test_marks(self):
        fd = self.file(3, (0, MIB), (2 * MIB, PAGE))
        args = ["--width=40"]
        self.assertEqual(
            self.picture(self.map(fd, *args)), "#" * 64 + "." * 64 + ":" + "." * 127
        )
        for option, state in (
            ([], "private or shared (not told by a descriptor): "),
            (["--shared"], "shared: "),
        ):
            r = self.map(fd, *args, *option)
            self.assertTrue(r.stdout.startswith(f"16K per mark, {state}"))
            self.assertNotIn("state", r.stdout)
        fd = self.file(0, (MIB, MIB))
        self.assertEqual(
            self.picture(self.map(fd, *args)), "." * 64 + "#" * 64 + "." * 128
        )

    def test_width(self):
        fd = self.file(3)
        for args, env, want in (
            (["--width=64"], {}, 44),
            ([], {"COLUMNS": "50"}, 30),
            ([], {"COLUMNS": "nonsense"}, 60),
            ([], {}, 60),
            (["--width=21"], {}, 1),
            (["--width=4096"], {}, 1024),
            ([], {"COLUMNS": "1"}, 1),
        ):
            clean = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
            r = self.map(fd, *args, env={**clean, **env})
            row = self.ended(r, OK).stdout.splitlines()[1]
            self.assertEqual(len(row), 19 + want, args)

    def test_nodes(self):
        fd = self.file(3, (0, MIB))
        r = self.map(fd, "--shared", "--nodes", "--width=147")
        rows = re.findall(r"(?m)^node {15}([^ '\n]+)", self.ended(r, OK).stdout)
        self.assertRegex("".join(rows), r"^[0-9*+]+$")
        self.assertEqual(resident(fd), MIB)

    def test_runs(self):
        fd = self.file(3, (PAGE, PAGE), (3 * PAGE, 2 * PAGE), (MIB, MIB))
        want = [
            (0, PAGE, False),
            (PAGE, PAGE, True),
            (2 * PAGE, PAGE, False),
            (3 * PAGE, 2 * PAGE, True),
            (5 * PAGE, MIB - 5 * PAGE, False),
            (MIB, MIB, True),
            (2 * MIB, 2 * MIB, False),
        ]
        for args, state in (
            ([], None),
            (["--shared"], "shared"),
            (["--shared", "--nodes"], "shared"),
        ):
            r = self.ended(self.map(fd, "--json", *args), OK)
            value = self.valid(r.stdout, "map")
            runs = [(x["offset"], x["len"], x["resident"]) for x in value["runs"]]
            if "--nodes" in args:
                nodes = {x["node"] for x in value["runs"] if x["resident"]}
                self.assertNotIn(None, nodes)
                if len(nodes) > 1:
                    continue  # a run may end where the node changes
            self.assertEqual(runs, want)
            self.assertEqual(value["state"], state)

    def test_runs_of_a_part(self):
        fd = self.file(3, (0, 4 * MIB))
        for args in ([], ["--shared", "--nodes"]):
            args = ["--offset=1M", "--len=64K", *args]
            value = self.valid(self.map(fd, "-j", *args).stdout, "map")
            first, last = value["runs"][0], value["runs"][-1]
            self.assertEqual(first["offset"], MIB)
            self.assertEqual(last["offset"] + last["len"], MIB + 65536)

    def test_of_another_process(self):
        held = Foreign(self, "three").held[0]
        r = ctl("map", "--json", "--pid", held.pid, "--fd", held.fd)
        value = self.valid(self.ended(r, OK).stdout, "map")
        total = sum(x["len"] for x in value["runs"] if x["resident"])
        self.assertEqual(total, held.resident)
        self.assertEqual(value["state"], "private")

    def test_range(self):
        fd = self.file(3)
        r = self.map(fd, "--offset=8M", "--len=4K")
        self.assertEqual(self.ended(r, FAILED, "[outside-file]").stdout, "")


main()
