#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl doctor: what it finds here, and what it would find elsewhere."""

import errno
import os
import pathlib
import resource
import subprocess
import tempfile

from ctl import ACCESS, CHECK, CHECK_EXTENSION, Case, GMEMCTL, HANG, IOCTL, OK, USAGE
from ctl import ctl, deny, drop_override, main


# The same number on every architecture.
CACHESTAT = 451


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

    def test_what_a_filter_refuses_is_named(self):
        for number, name in (279, "move_pages"), (310, "process_vm_readv"):
            if os.uname().machine != "x86_64":
                break
            checks = self.doctor(preexec_fn=deny(number, errno.EACCES))
            says = f"a filter confines this process, and refuses or lacks {name}"
            self.assertEqual(checks["seccomp"]["message"], says)
        for number in 434, 438:  # pidfd_open, pidfd_getfd
            checks = self.doctor(preexec_fn=deny(number, errno.EPERM))
            self.assertEqual(checks["copies"]["verdict"], "warn")
            self.assertIn("EPERM even on this process", checks["copies"]["message"])

    def test_yama_is_named(self):
        yama = "/proc/sys/kernel/yama/ptrace_scope"
        for scope, caps, says in (
            (0, "all", "--pid works on processes of all users"),
            (2, "all", "--pid works on processes of all users"),
            (3, "all", f"{yama} is 3: --pid fails"),
            (0, "-sys_ptrace", "--pid works on processes of this user"),
            (1, "-sys_ptrace", f"{yama} is 1: without cap_sys_ptrace --pid fails"),
        ):
            self.require("root")
            self.require("mounts")
            script = (
                "mount -t tmpfs none /proc/sys &&"
                f"mkdir -p {os.path.dirname(yama)} && echo {scope} >{yama} &&"
                'exec setpriv --bounding-set="$0" -- "$@"'
            )
            bounding = "+all" if caps == "all" else caps
            r = subprocess.run(
                ["unshare", "--mount", "sh", "-c", script, bounding]
                + [GMEMCTL, "doctor", "--format=tap"],
                capture_output=True,
                text=True,
                check=False,
                timeout=HANG,
            )
            says = says.replace(yama, "kernel.yama.ptrace_scope")
            self.assertIn(f": {says}", r.stdout, r.stderr)

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

    def test_a_device_that_may_not_be_opened(self):
        """Who may is said, by number where there is no name."""
        self.require("root")
        for user, group, says in (
            (0, 0, "owner root and group root"),
            (54321, 54322, "owner 54321 and group 54322"),
        ):
            with tempfile.NamedTemporaryFile() as f:
                os.fchmod(f.fileno(), 0o040)
                os.fchown(f.fileno(), user, group)
                device = f"--device={f.name}"
                kwargs = {"preexec_fn": drop_override}
                says = f"{f.name} has mode 0040, {says}, and user root has no cap_dac_"
                remedy = self.doctor(device, **kwargs)["device"]["remedy"]
                self.assertIn(f": {says}", remedy)
                self.assertIn("group", remedy.split(":")[0])
                for args in (["probe"], ["why", "create", "--size=4K", "--shared"]):
                    r = ctl(*args, device, **kwargs)
                    self.ended(r, ACCESS, f": {says}")
                    self.assertIn("[device-access]", r.stderr)
                os.fchmod(f.fileno(), 0o666)
                self.assertNotIn("mode 0", self.doctor(device)["device"]["remedy"])

    def test_a_device_that_not_even_root_may_open(self):
        self.require("root")
        self.require("mounts")
        script = 'cd "$0" && mount -t tmpfs -o nodev none . && cd "$0"'
        script += ' && mknod kvm c 10 232 && chmod 640 kvm && exec "$@"'
        with tempfile.TemporaryDirectory() as folder:
            r = subprocess.run(
                ["unshare", "--mount", "sh", "-euc", script, folder]
                + [GMEMCTL, "doctor", "--json", f"--device={folder}/kvm"],
                capture_output=True,
                text=True,
                check=False,
                timeout=HANG,
            )
        if "mknod" in r.stderr:
            self.skipTest(r.stderr)
        (c,) = [c for c in self.valid(r.stdout, "doctor")["checks"] if c["name"] == "device"]
        self.assertEqual(c["verdict"], "fail")
        self.assertIn("mode 0640 does not refuse it, since this process has cap_", c["remedy"])

    def test_the_format_may_be_said_twice(self):
        for args in (["--format=json"], ["--json", "--format=json"]):
            r = ctl("doctor", *args)
            self.valid(r.stdout, "doctor")
            self.assertEqual(r.stderr, "")

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

    def test_without_files_that_the_host_can_touch(self):
        none = deny(IOCTL, 0, CHECK_EXTENSION, 244)
        found = self.doctor(preexec_fn=none)["guest-memfd"]
        self.assertEqual(
            (found["verdict"], found["message"]),
            ("warn", "there is guest_memfd, but no file that the host can touch"),
        )
        self.assertNotEqual(found["remedy"], "")

    def test_without_cachestat(self):
        says = "no cachestat: only a lower bound of what is allocated is known"
        none = deny(CACHESTAT, errno.ENOSYS)
        found = self.doctor(preexec_fn=none)["residency"]
        self.assertEqual((found["verdict"], found["message"]), ("warn", says))
        self.assertIn("6.5", found["remedy"])

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


HUGE = "/sys/kernel/mm/hugepages/hugepages-{}/nr_hugepages"
SYS = {"/sys/kernel/mm/x": ""}
EPT = "/sys/module/kvm_intel/parameters/ept"
NPT = "/sys/module/kvm_amd/parameters/npt"
CGROUP = "/sys/fs/cgroup"
HEADER = "/usr/include/linux/version.h"
MAP_COUNT = "/proc/sys/vm/max_map_count"
NONE = "--device=/nonexistent"

PLACED = "NUMA nodes {}; whether files keep a policy is not known"
UNPLACED = PLACED + ": there is no mappable file to try it on"
LIMITED = "a memory cgroup limits this process, and its guest_memfds count, to {}"
FREE = "no memory cgroup limits this process"
HEADERS = "headers of {} are older than Linux {}: linux/kvm.h lacks what the kernel offers"
RELEASE = os.uname().release
CONFIG = f"/boot/config-{RELEASE}"
SEV = "CONFIG_KVM_AMD_SEV"


class Types(Doctor):
    """Each VM type, as probe sees it."""

    need = ("kvm",)

    def test_no_default_vm_is_called_private(self):
        checks = self.doctor()
        self.assertNotIn("private", checks["guest-memfd"]["message"])
        r = ctl("probe", "--json", "--vm-type=all")
        types = self.valid(r.stdout, "probe")["vm_types"]
        private = [
            name
            for name, t in types.items()
            if t["features"]
            and "yes"
            in [t["features"][f"{x}-attributes"]["support"] for x in ("vm", "file")]
        ]
        ready = checks["confidential-vms"]
        real = {"snp", "tdx"} & set(private)
        self.assertEqual(ready["verdict"], "ok" if real else "warn")
        self.assertIn("ready: " if real else "not ready: ", ready["message"])
        for name in ("sw-protected", "sev", "sev-es", "snp", "tdx"):
            c = checks[f"vm-{name}"]
            if os.uname().machine != "x86_64":
                self.assertIn("a type of x86-64", c["message"])
            elif types.get(name, {}).get("features"):
                says = "with private" if name in private else "without private"
                self.assertEqual(c["verdict"], "ok")
                self.assertIn(f"offered, {says}", c["message"])
            else:
                self.assertEqual(c["verdict"], "warn")
                self.assertIn("offered", c["message"])

    def test_without_a_vm_nothing_is_known(self):
        checks = self.doctor("--device=/nonexistent")
        for name, c in checks.items():
            if name.startswith("vm-") or name == "confidential-vms":
                self.assertEqual(c["message"], "no VM could be made to find out")


class Host(Case):
    """Hosts of every kind: /sys, the headers and parts of /proc are others."""

    need = ("root", "mounts")

    def checks(self, files, *args):
        """{name: (verdict, message, remedy)} where there are these files."""
        script = "mount -t tmpfs none /sys; mount -t tmpfs none /usr/include\n"
        script += "mount -t tmpfs none /boot\n"
        for i, (path, text) in enumerate(files.items()):
            to = path
            if path.startswith("/proc/"):
                script += f"mkdir /sys/{i}\n"
                to = f"/sys/{i}/file"
            script += f"mkdir -p {pathlib.Path(to).parent}; printf '{text}' >{to}\n"
            if to != path:
                script += f"mount --bind {to} {path.replace('self', '$$')}\n"
        r = subprocess.run(
            ["unshare", "--mount", "sh", "-euc", script + 'exec "$0" "$@"']
            + ["env", f"LD_PRELOAD={os.environ.get('CGROUP_PRELOAD', '')}"]
            + [GMEMCTL, "doctor", "--json", *args],
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG,
        )
        self.assertIn(r.returncode, (OK, CHECK), r)
        return {
            c["name"]: (c["verdict"], c["message"], c["remedy"])
            for c in self.valid(r.stdout, "doctor")["checks"]
        }

    def found(self, check, files, verdict, message, remedy=None, args=(NONE,)):
        found = self.checks(files, *args)[check]
        with self.subTest(check=check, files=files):
            self.assertEqual(found[:2], (verdict, message))
            if remedy:
                self.assertIn(remedy, found[2])
            else:
                self.assertIsNone(found[2])

    def test_map_count(self):
        is_ = "vm.max_map_count is"
        less = "many slots in HVA mode do not fit"
        enough = "sysctl vm.max_map_count=65530"
        for text, *want in (
            ("65530", "ok", f"{is_} 65530"),
            ("65529", "warn", f"{is_} 65529: {less}", enough),
            ("none", "warn", "vm.max_map_count cannot be read", "mount /proc"),
            ("9x", "warn", f"{is_} 9: {less}", enough),
            ("0", "warn", f"{is_} 0: {less}", enough),
            ("/5", "warn", "vm.max_map_count cannot be read", "mount /proc"),
            (":5", "warn", "vm.max_map_count cannot be read", "mount /proc"),
            ("", "warn", "vm.max_map_count cannot be read", "mount /proc"),
        ):
            self.found("map-count", {MAP_COUNT: text}, *want)

    def test_memory_cgroups(self):
        self.require("cgroup-preload")
        memory = {"/proc/meminfo": "Other: 7 kB\nMemTotal:   1000 kB\n"}
        two = {
            **memory,
            "/proc/self/cgroup": "0::/a/b\n",
            f"{CGROUP}/a/b/cgroup.procs": "",
            f"{CGROUP}/a/b/cgroup.controllers": "",
        }
        seen = {**memory, f"{CGROUP}/memory/tasks": ""}
        one = {**seen, "/proc/self/cgroup": "5:cpu:/\n9:memory:/a/b\n"}
        first = {**seen, "/proc/self/cgroup": "1:memory:/a\n"}
        limit = f"{CGROUP}/memory{{}}/memory.limit_in_bytes"
        raise_ = "raise the limit of the memory cgroup"
        for files, least in (
            ({}, None),
            ({f"{CGROUP}/a/b/memory.max": "max"}, None),
            ({f"{CGROUP}/a/b/memory.max": "524288"}, "512K"),
            ({f"{CGROUP}/a/memory.max": "524288"}, "512K"),
            ({f"{CGROUP}/memory.max": "524288"}, "512K"),
            ({f"{CGROUP}/a/c/memory.max": "524288"}, None),
            ({f"{CGROUP}/a/b/memory.max": "1023999"}, "1023999"),
            ({f"{CGROUP}/a/b/memory.max": "1024000"}, None),
            (
                {
                    f"{CGROUP}/a/b/memory.max": "8192",
                    f"{CGROUP}/a/memory.max": "4096",
                    f"{CGROUP}/memory.max": "16384",
                },
                "4K",
            ),
        ):
            want = ("warn", LIMITED.format(least), raise_) if least else ("ok", FREE)
            self.found("memory-cgroup", {**two, **files}, *want)
        low = ("warn", LIMITED.format("8K"), raise_)
        self.found("memory-cgroup", {**one, limit.format("/a/b"): "8192"}, *low)
        self.found("memory-cgroup", {**one, limit.format(""): "8192"}, *low)
        self.found("memory-cgroup", {**first, limit.format("/a"): "8192"}, *low)
        self.found("memory-cgroup", {**one, limit.format("/c"): "8192"}, "ok", FREE)
        for line in "0::/a/b\n", "3:memory:/a/b\n":
            says = "whether a memory cgroup limits this process is not known: "
            says += "its cgroup cannot be read"
            files = {"/proc/self/cgroup": line}
            self.found("memory-cgroup", files, "warn", says, "mount /proc, and")

    def test_seccomp(self):
        status = "/proc/self/status"
        confined = "a filter confines this process, and refuses nothing that was tried"
        allow = "allow what gmemctl probe --format seccomp lists"
        free = "this process is not confined"
        for text, *want in (
            ("Name:\\tx\n", "ok", "this kernel has no seccomp"),
            ("Name:\\tx\nSeccomp:\\t0\n", "ok", free),
            ("Seccomp:\\t1\n", "warn", confined, allow),
            ("Seccomp:\\t2\n", "warn", confined, allow),
            ("Seccomp:\\t3\n", "warn", confined, allow),
        ):
            stat = {"/proc/self/stat": "1"}
            self.found("seccomp", {status: text, **stat}, *want)
        # without /proc the kernel itself is asked
        self.found("seccomp", {}, "ok", free)

    def test_huge_pages(self):
        pools = {
            HUGE.format(size): n
            for size, n in (
                ("2048kB", "1"),
                ("1048576kB", "20"),
                ("64kB", "300"),
                ("32768kB", "4000"),
            )
        }
        self.found("huge-pages", pools, "ok", "4321 huge pages are set aside")
        self.found("huge-pages", SYS, "ok", "0 huge pages are set aside")
        says = "how many huge pages are set aside is not known"
        self.found("huge-pages", {}, "warn", says, "mount /sys")

    def test_huge_pages_of_this_kernel(self):
        self.require("kvm")
        self.found(
            *("huge-pages", {HUGE.format("2048kB"): "7"}, "warn"),
            "7 huge pages are set aside, and guest_memfd of this kernel takes none "
            "of them",
            "keep the pools only for what is not a guest_memfd",
            args=(),
        )
        self.found(
            *("huge-pages", SYS, "ok"),
            "0 huge pages are set aside; guest_memfd of this kernel takes base pages",
            args=(),
        )

    def test_nodes(self):
        online = "/sys/devices/system/node/online"
        first = "see the check of the device first"
        one = "one NUMA node: nothing to place"
        self.found("numa", SYS, "ok", one)
        says = "how many NUMA nodes there are is not known"
        self.found("numa", {}, "warn", says, "mount /sys")
        self.found("numa", {online: "0\n"}, "ok", one)
        for nodes in ("0-1", "0,2"):
            says = UNPLACED.format(nodes)
            self.found("numa", {online: f"{nodes}\n"}, "warn", says, first)

    def test_nodes_of_this_kernel(self):
        self.require("kvm")
        files = {"/sys/devices/system/node/online": "0-3"}
        if "GMEM_HAS_MEMPOLICY=1\n" in ctl("probe", "--format=env").stdout:
            want = "ok", "NUMA nodes 0-3, and files keep a policy"
        else:
            says = "NUMA nodes 0-3, and a policy is accepted and ignored"
            want = "warn", says, "use Linux 6.19"
        self.found("numa", files, *want, args=())

    def test_paging(self):
        if os.uname().machine != "x86_64":
            return
        runs = "guests run on EPT or NPT"
        for path in (EPT, NPT):
            for text in ("Y", "1"):
                self.found("two-dimensional-paging", {path: text}, "ok", runs)
            for text in ("N", "0", ""):
                self.found(
                    *("two-dimensional-paging", {path: text}, "warn"),
                    "no VM could be made to find out",
                    "see the check of the device first",
                )

    def test_headers(self):
        major, minor = map(int, RELEASE.split("-")[0].split(".")[:2])
        none = f"no kernel headers here; libgmem needs none (Linux {RELEASE})"
        self.found("headers", {}, "ok", none)
        self.found("headers", {HEADER: "#define OTHER 1\n"}, "ok", none)
        code = "#define OTHER 1\n#define LINUX_VERSION_CODE {}\n"
        for version, old in (
            ((major, minor), False),
            ((major, minor + 1), False),
            ((major + 1, 0), False),
            ((major - 1, 255), True),
            ((5, 0), True),
        ):
            text = code.format(version[0] << 16 | version[1] << 8 | 7)
            shown = f"{version[0]}.{version[1]}"
            if old:
                says = HEADERS.format(shown, RELEASE)
                self.found("headers", {HEADER: text}, "warn", says, "install the")
            else:
                says = f"headers of {shown} for Linux {RELEASE}"
                self.found("headers", {HEADER: text}, "ok", says)

    def test_why_a_type_of_vm_is_missing(self):
        self.require("kvm")
        if os.uname().machine != "x86_64":
            self.skipTest("x86-64 only")
        amd = cpu("AuthenticAMD", "svm sev sev_es sev_snp")
        built = {CONFIG: "CONFIG_KVM_AMD_SEV=y\nCONFIG_KVM_INTEL_TDX=y\n"}
        snp = "/sys/module/kvm_amd/parameters/sev_snp"
        for kind, files, says, remedy in (
            ("snp", cpu("GenuineIntel", "vmx"), "the CPU is GenuineIntel", "SEV-SNP"),
            ("sev", cpu("GenuineIntel", "vmx"), "the CPU is GenuineIntel", "has SEV"),
            ("tdx", cpu("AuthenticAMD", "svm"), "the CPU is AuthenticAMD", "has TDX"),
            ("snp", amd, f"this kernel was built without {SEV}", f"{SEV}=y"),
            (
                *("sw-protected", {}),
                *("this kernel was built without CONFIG_KVM_SW", "_PROTECTED_VM=y"),
            ),
            (
                *("snp", {**built, "/proc/cpuinfo": ""}),
                *("why is unknown: /proc/cpuinfo does not tell", "mount /proc"),
            ),
            (
                *("snp", {**built, **cpu("AuthenticAMD", "svm sev sev_es")}),
                "/proc/cpuinfo has no sev_snp; whether the CPU lacks SEV-SNP or the "
                "firmware keeps it off is unknown",
                "in the firmware setup, if the CPU has it",
            ),
            (
                *("tdx", {**built, **cpu("GenuineIntel", "vmx tdx_host")}),
                "/proc/cpuinfo has no tdx_host_platform; whether the CPU lacks TDX",
                "in the firmware setup, if the CPU has it",
            ),
            (
                *("snp", {**built, **amd}),
                "the CPU has SEV-SNP, and KVM runs without the module kvm_amd",
                "load kvm_amd with sev_snp=1",
            ),
            (
                *("snp", {**built, **amd, snp: "N\n"}),
                "the CPU has SEV-SNP, and kvm_amd.sev_snp is N; whether it was "
                "switched off or the firmware is not set up for it is unknown",
                "load kvm_amd with sev_snp=1; if that stays N",
            ),
            (*("snp", {**built, **amd, snp: "Y\n"}), "why is unknown", "kernel log"),
        ):
            with self.subTest(kind=kind, files=files):
                files = {CONFIG: "CONFIG_KVM=y\n", **files}
                verdict, message, what = self.checks(files)[f"vm-{kind}"]
                self.assertEqual(verdict, "warn")
                self.assertTrue(message.startswith(f"not offered: {says}"), message)
                self.assertIn(remedy, what)

    def test_a_configuration_that_cannot_be_read_is_unknown(self):
        self.require("kvm")
        if os.uname().machine != "x86_64":
            self.skipTest("x86-64 only")
        files = {
            "/proc/config.gz": "",
            "/sys/module/kvm_amd/parameters/sev_snp": "Y",
            **cpu("AuthenticAMD", "sev_snp"),
        }
        if not os.path.exists("/proc/config.gz"):
            del files["/proc/config.gz"]
        verdict, message, _ = self.checks(files)["vm-snp"]
        self.assertEqual(verdict, "warn")
        self.assertIn("why is unknown: the kernel's configuration cannot", message)
        self.assertIn(SEV, message)

    def test_limits(self):
        text = "RLIMIT_NOFILE is {}: each file and VM takes one"
        for n, verdict in ((1023, "warn"), (1024, "ok")):
            r = ctl("doctor", "-j", preexec_fn=limited(resource.RLIMIT_NOFILE, n))
            (c,) = [
                c
                for c in self.valid(r.stdout, "doctor")["checks"]
                if c["name"] == "files"
            ]
            self.assertEqual((c["verdict"], c["message"]), (verdict, text.format(n)))
        for lost, says in (
            ("-ipc_lock", "RLIMIT_MEMLOCK is 64K: guest_memfd is not counted"),
            ("+all", "memory may be locked without limit"),
        ):
            r = subprocess.run(
                ["setpriv", f"--bounding-set={lost}", GMEMCTL, "doctor", NONE],
                preexec_fn=limited(resource.RLIMIT_MEMLOCK, 65536),
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertIn(f"memlock                  {says}", r.stdout)


def cpu(vendor, flags):
    return {"/proc/cpuinfo": f"vendor_id\t: {vendor}\nflags\t\t: fpu {flags} x\n"}


def limited(kind, n):
    return lambda: resource.setrlimit(kind, (n, n))


main()
