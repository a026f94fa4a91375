#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl doctor: what it finds here, and what it would find elsewhere."""

import errno
import os
import pathlib
import resource
import subprocess

from ctl import CHECK, CHECK_EXTENSION, Case, GMEMCTL, HANG, IOCTL, OK, USAGE
from ctl import ctl, deny, main


class Doctor(Case):
    def doctor(self, *args, **kwargs):
        """The checks by name; the exit status is the worst of them."""
        r = ctl("doctor", "--json", *args, **kwargs)
        value = self.valid(r.stdout, "doctor")
        verdicts = [c["verdict"] for c in value["checks"]]
        self.assertEqual(r.returncode, CHECK if "fail" in verdicts else OK)
        worst = max(verdicts, key=["ok", "warn", "fail"].index)
        self.assertEqual(value["verdict"], worst)
        for c in value["checks"]:
            self.assertEqual(c["remedy"] is None, c["verdict"] == "ok", c)
        return {c["name"]: c for c in value["checks"]}

    def test_formats_agree(self):
        checks = self.doctor()
        text = ctl("doctor").stdout
        tap = ctl("doctor", "--format=tap").stdout
        self.assertEqual(ctl("doctor", "--format=json").stdout[0], "{")
        self.assertTrue(tap.startswith(f"TAP version 13\n1..{len(checks)}\n"))
        for i, (name, c) in enumerate(checks.items(), 1):
            self.assertIn(f"{c['verdict']:<5}{name:<24} {c['message']}\n", text)
            ok = "not ok" if c["verdict"] == "fail" else "ok"
            self.assertIn(f"\n{ok} {i} - {name}\n# {c['verdict']}: ", tap)
            if c["remedy"]:
                self.assertIn(f"remedy: {c['remedy']}\n", text)
                self.assertIn(f"# remedy: {c['remedy']}\n", tap)

    def test_usage(self):
        r = ctl("doctor", "--json", "--format=tap")
        self.ended(r, USAGE, "exclude each other")
        self.valid(r.stdout, "doctor")

    def test_no_device(self):
        checks = self.doctor("--device=/nonexistent")
        self.assertEqual(checks["device"]["verdict"], "fail")
        self.assertIn("/nonexistent", checks["device"]["message"])
        self.assertEqual(checks["guest-memfd"]["verdict"], "warn")
        r = ctl("doctor", "--device=/nonexistent", "--format=tap")
        self.assertIn("\nnot ok 1 - device\n", self.ended(r, CHECK).stdout)

    def test_limits(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

        self.assertEqual(self.doctor(preexec_fn=few)["files"]["verdict"], "warn")
        with open("/proc/sys/vm/max_map_count") as f:
            maps = int(f.read())
        self.assertIn(f"is {maps}", self.doctor()["map-count"]["message"])

    def test_seccomp(self):
        self.assertEqual(self.doctor()["seccomp"]["verdict"], self.confined())
        checks = self.doctor(preexec_fn=deny(438, 1))
        self.assertEqual(checks["seccomp"]["verdict"], "warn")
        self.assertIn("probe --format seccomp", checks["seccomp"]["remedy"])

    def confined(self):
        with open("/proc/self/status") as f:
            return "ok" if "\nSeccomp:\t0\n" in f.read() else "warn"

    def test_rights(self):
        self.require("root")
        for lost, says in (
            ("-sys_ptrace,-ipc_lock", "no cap_sys_ptrace: "),
            ("-dac_read_search", "no cap_dac_read_search: "),
            ("-all", "no cap_sys_ptrace or cap_dac_read_search: "),
        ):
            r = subprocess.run(
                ["setpriv", f"--bounding-set={lost}"]
                + ["--", GMEMCTL, "doctor", "--format=tap"],
                capture_output=True,
                text=True,
                check=False,
                timeout=HANG,
            )
            self.assertIn(f"# warn: {says}", r.stdout)
        self.assertIn("cap_sys_ptrace", self.doctor()["rights"]["message"])

    def test_nodes(self):
        path = pathlib.Path("/sys/devices/system/node/online")
        online = path.read_text().strip() if path.exists() else "0"
        says = self.doctor()["numa"]["message"]
        if online == "0":
            self.assertIn("one NUMA node", says)
        else:
            self.assertIn(online, says)


class Kvm(Doctor):
    need = ("kvm",)

    def test_this_machine(self):
        checks = self.doctor()
        for name in ("device", "guest-memfd", "residency"):
            self.assertEqual(checks[name]["verdict"], "ok", checks[name])

    def test_without_guest_memfd(self):
        """What was not tried is not known; it is not absent."""
        self.assertEqual(self.doctor()["residency"]["verdict"], "ok")
        for said in (0, errno.ENOMEM):
            none = deny(IOCTL, said, CHECK_EXTENSION, 234)
            checks = self.doctor(preexec_fn=none)
            self.assertEqual(checks["guest-memfd"]["verdict"], "fail")
            self.assertEqual(checks["residency"]["verdict"], "warn")
            self.assertIn("is not known", checks["residency"]["message"])
            self.assertIn("guest-memfd first", checks["residency"]["remedy"])

    def test_paging(self):
        """Modules of Intel and AMD tell; without them, pre-faulting does."""
        paging = self.doctor()["two-dimensional-paging"]
        if os.uname().machine != "x86_64":
            self.assertEqual(paging["verdict"], "ok")
            return
        told = ""
        for path in ("kvm_intel/parameters/ept", "kvm_amd/parameters/npt"):
            path = pathlib.Path("/sys/module") / path
            told += path.read_text() if path.exists() else ""
        env = ctl("probe", "--format=env").stdout
        if "Y" in told or "1" in told or "GMEM_HAS_PRE_FAULT=1\n" in env:
            self.assertEqual(paging["verdict"], "ok")
        else:
            self.assertEqual(paging["verdict"], "warn")
            self.assertIn("KVM without two-dimensional", paging["message"])


main()
