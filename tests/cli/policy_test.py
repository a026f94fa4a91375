#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl policy: what a file keeps, and where its pages are."""

from ctl import CHECK, Case, FAILED, OK, UNSUPPORTED, ctl, main
from foreign import Foreign, guest_memfd, resident

MIB = 1 << 20


class Usage(Case):
    def test_usage(self):
        for args, says in (
            (["--get", "--verify"], "exclude each other"),
            (["--set", "local", "--verify"], "exclude each other"),
            (["--against", "local"], "--against goes with --verify"),
            (["--strict"], "--strict goes with --set"),
            (["--nodes", "0"], "go with --set or --against"),
            (["--static-nodes"], "go with --set or --against"),
            (["--set", "bind", "--nodes", "0-"], "'0-' is not a set of nodes"),
            (["--set", "bind", "--nodes", " 0"], "' 0' is not a set of nodes"),
            (["--set", "bind", "--nodes", "file:/"], "is not a set of nodes"),
            (["--set", "bind", "--nodes", ""], "'' is not a set of nodes"),
            (["--set", "bound"], "--set: 'bound' is not one of default,"),
        ):
            self.usage("policy", "--fd", 3, *args, says=says, command="policy")


class Policy(Case):
    need = ("kvm",)

    def policy(self, fd, *args):
        return ctl("policy", "--fd", fd, *args, pass_fds=[fd])

    def json(self, fd, *args, status=OK):
        r = self.policy(fd, "--json", *args)
        self.assertEqual(r.returncode, status, r)
        return self.valid(r.stdout, "policy")

    def obeyed(self):
        """Whether this kernel has files keep a policy."""
        r = ctl("probe", "--format=env")
        return "\nGMEM_HAS_MEMPOLICY=1\n" in r.stdout

    def test_set_and_get(self):
        fd = guest_memfd(self, 4 * MIB)
        self.assertEqual(self.ended(self.policy(fd), OK).stdout, "default\n")
        got = self.json(fd)
        self.assertEqual((got["mode"], got["nodes"]), ("default", None))
        r = self.policy(fd, "--set=bind", "--nodes=0", "--offset=2M")
        if not self.obeyed():
            self.ended(r, UNSUPPORTED, "[policy-ignored]; use Linux 6.19, or ")
            got = self.json(fd, "--set=local", status=UNSUPPORTED)
            self.assertEqual(got["error"]["reason"], "policy-ignored")
            return
        self.ended(r, OK)
        self.assertEqual(self.policy(fd, "--get").stdout, "default\n")
        r = self.policy(fd, "--get", "--offset=3M")
        self.assertEqual(self.ended(r, OK).stdout, "bind 0\n")

    def test_refused(self):
        fd = guest_memfd(self, 4 * MIB)
        for args in (
            ["--set=bind"],
            ["--set=local", "--nodes=0"],
            ["--set=bind", "--nodes=1000"],
            ["--set=interleave", "--nodes=0,1000"],
            ["--set=bind", "--nodes=0,1000", "--static-nodes"],
        ):
            self.ended(self.policy(fd, *args), FAILED, "[policy-nodes]; ")
        for mode in ("bind", "interleave"):
            r = self.policy(fd, f"--set={mode}", "--nodes=0", "--numa-balancing")
            self.ended(r, FAILED, "[policy-balancing]; leave the flag")
        fd = guest_memfd(self, MIB, 0)
        for args in ([], ["--set=bind", "--nodes=0"]):
            r = self.policy(fd, *args)
            self.assertNotEqual(r.returncode, OK)
            self.assertIn("[policy-unmappable]; ", r.stderr)

    def test_verify(self):
        fd = guest_memfd(self, 4 * MIB)
        ctl("populate", "--fd", fd, "--len=1M", pass_fds=[fd])
        against = ["--verify", "--against=bind", "--nodes=all", "--shared"]
        got = self.json(fd, *against)
        self.assertEqual((got["placed"], got["resident"]), ("well", MIB))
        self.assertEqual((got["misplaced"], got["unknown"]), (0, 0))
        self.assertEqual(sum(n["bytes"] for n in got["node_bytes"]), MIB)
        r = self.ended(self.policy(fd, *against), OK)
        self.assertTrue(r.stdout.startswith("placed: well\nresident: 1M\n"))
        self.assertEqual(self.json(fd, "--verify", "--shared")["placed"], "well")
        self.assertEqual(resident(fd), MIB)

    def test_verify_what_cannot_be_looked_at(self):
        fd = guest_memfd(self, 4 * MIB, 1)
        ctl("populate", "--fd", fd, "--len=1M", pass_fds=[fd])
        against = ["--verify", "--against=bind", "--nodes=0"]
        for shared in ([], ["--shared"]):
            got = self.json(fd, *against, *shared, status=CHECK)
            self.assertEqual((got["placed"], got["unknown"]), ("unknown", MIB))
            self.assertEqual(got["node_bytes"], [])
            self.assertIn(got["why"], ("private", "placement-unknown"))
        r = self.policy(fd, *against)
        self.assertIn("nodes: none\nwhy: ", r.stdout)

    def test_of_another_process(self):
        held = Foreign(self, "three").held[2]
        r = ctl(
            *("policy", "--verify", "--against=bind", "--nodes=all", "--shared"),
            *("--json", "--pid", held.pid, "--fd", held.fd),
        )
        got = self.valid(self.ended(r, OK).stdout, "policy")
        self.assertEqual(got["resident"], held.resident)
        self.assertEqual(got["pid"], held.pid)


main()
