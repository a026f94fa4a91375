#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl ps, compared with programs that report what they hold."""

import errno
import json
import mmap
import os
import pwd
import resource
import subprocess
import sys
import tempfile

from ctl import CHECK, FAILED, Case, GMEMCTL, HANG, OK
from ctl import ctl, deny, in_reach, libraries, main
from foreign import FOREIGN, Foreign, guest_memfd

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
# Other programs of the machine may hold much that takes long to look at.
ENOUGH = ["--budget=50000"]
# The same number on every architecture.
PIDFD_GETFD, CACHESTAT = 438, 451
NO_RESTORE = ["setpriv", "--bounding-set=-checkpoint_restore,-sys_admin"]
NO_PTRACE = ["setpriv", "--bounding-set=-sys_ptrace"]


class Usage(Case):
    def test_usage(self):
        listed = "is not one of dev, inode, size, resident, freed, nodes, cgnodes, "
        listed += "known, vm, mapped, pid, hold, user, cgroup, command, args\n"
        for columns in ("args,pid", "pid,ARGS,pid", "args,args"):
            self.usage("ps", "-o", columns, says="the last column", command="ps")
        for columns in ("", "pid,", "PIDS", "pid,nosuch"):
            self.usage("ps", "-o", columns, says=listed, command="ps")
        for column in ("", "-", "--pid", "pid,size", "+pid"):
            says = "--sort: '" + column.removeprefix("-")
            self.usage("ps", "--sort", column, says=says, command="ps")
            self.usage("ps", "--sort", column, says=listed, command="ps")
        for pid in ("0", "-1", str(1 << 31), "1x"):
            self.usage("ps", "--pid", pid, says="--pid", command="ps")
        columns = ",".join(["pid"] * 21)
        self.usage("ps", "-o", columns, says="more than 20 columns", command="ps")
        self.usage("ps", "-o", says="-o needs a value: COL", command="ps")
        self.usage("ps", "-bo", says="-o needs a value: COL", command="ps")
        self.usage("ps", "--budget=1s", says="'1s' is not a number", command="ps")
        self.usage("ps", "1", says="unexpected operand '1'", command="ps")
        for args in (
            *(["-b"], ["-n"], ["-opid"], ["-o", "pid"], ["-t"]),
            *(["--holders"], ["--sort=pid"]),
        ):
            r = ctl("ps", "--json", *args)
            self.assertEqual(r.returncode, 2)
            self.valid(r.stdout, "ps")

    def test_without_a_device(self):
        self.usage("ps", "--device", "/x", says="not take --device", command="ps")


class Ps(Case):
    need = ("kvm",)

    def ps(self, *args, **kwargs):
        """What ps says: the JSON, the files by inode."""
        r = ctl("ps", "--json", *ENOUGH, *args, **kwargs)
        value = self.valid(r.stdout, "ps")
        self.assertEqual(r.returncode, OK if value["complete"] else CHECK)
        return value, {f["inode"]: f for f in value["files"]}

    def ps_inside(self, foreign, *wrapper, more=(), **kwargs):
        """As ps(), where no other process of the machine is to be seen."""
        script = 'mount -t proc proc /proc && exec "$0" "$@"'
        r = subprocess.run(
            ["nsenter", f"--pid=/proc/{foreign.pid}/ns/pid_for_children"]
            + ["unshare", "-m", "sh", "-c", script, *wrapper]
            + [GMEMCTL, "ps", "--json", "--nodes", *ENOUGH, *more],
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG,
            **kwargs,
        )
        value = self.valid(r.stdout, "ps")
        self.assertEqual(r.returncode, OK if value["complete"] else CHECK)
        self.stderr = r.stderr
        return value, {f["inode"]: f for f in value["files"]}

    def ps_as(self, who):
        """As ps(), for another user or with fewer rights."""
        self.require("mounts")
        with tempfile.TemporaryDirectory() as path:
            r = subprocess.run(
                in_reach(path, *who, "/mnt/gmemctl", "ps", "--json", *ENOUGH),
                capture_output=True,
                text=True,
                check=False,
                timeout=HANG,
            )
        value = self.valid(r.stdout, "ps")
        self.assertEqual(r.returncode, OK if value["complete"] else CHECK)
        self.stderr = r.stderr
        return value, {f["inode"]: f for f in value["files"]}

    def row(self, held, *args):
        r = ctl("ps", "-b", *ENOUGH, *args)
        heads, *rows = [line.split() for line in r.stdout.splitlines()]
        at = heads.index("INODE")
        (row,) = [row for row in rows if row[at] == str(held.inode)]
        return row


class Seen(Ps):
    need = ("kvm", "root")

    def test_files_of_all_flags(self):
        foreign = Foreign(self, "three")
        value, files = self.ps()
        self.assertEqual(len(foreign.held), 3)
        for held in foreign.held:
            f = files[held.inode]
            self.assertEqual(f["size"], held.size)
            self.assertEqual(f["resident"], held.resident)
            self.assertFalse(f["lower_bound"])
            (h,) = f["holders"]
            self.assertEqual(h["pid"], held.pid)
            self.assertEqual(h["fds"], [held.fd])
            self.assertEqual(h["how"], "fd")
            self.assertEqual(h["mapped"], 0)
            self.assertTrue(h["kvm_vm"])
            self.assertEqual(h["command"], "foreign")
        # Looking has allocated nothing.
        again = self.ps("--nodes")[1]
        for held in foreign.held:
            self.assertEqual(again[held.inode]["resident"], held.resident)

    def test_text(self):
        for held in Foreign(self, "three").held:
            self.assertEqual(
                self.row(held),
                [
                    str(held.inode),
                    str(held.size),
                    str(held.resident),
                    "yes",
                    str(held.pid),
                    f"fd:{held.fd}",
                    "foreign",
                ],
            )
            columns = ["--output=command,pid,inode,size"]
            self.assertEqual(
                self.row(held, *columns),
                ["foreign", str(held.pid), str(held.inode), str(held.size)],
            )
        head = ctl("ps", "-o", "hold,pid").stdout.splitlines()[0]
        self.assertEqual(head.split(), ["HOLD", "PID"])
        head = ctl("ps").stdout.splitlines()[0]
        self.assertEqual(
            head.split(),
            ["INODE", "SIZE", "RESIDENT", "VM", "PID", "HOLD", "COMMAND"],
        )

    def test_two_processes(self):
        foreign = Foreign(self, "pair")
        inode = foreign.held[0].inode
        self.assertEqual({h.inode for h in foreign.held}, {inode})
        value, files = self.ps()
        self.assertEqual([f["inode"] for f in value["files"]].count(inode), 1)
        f = files[inode]
        self.assertEqual(f["resident"], foreign.held[0].resident)
        self.assertEqual(
            {h["pid"]: h["kvm_vm"] for h in f["holders"]},
            {h.pid: h.pid == foreign.pid for h in foreign.held},
        )
        row = self.row(foreign.held[0])
        self.assertEqual(len(row[4].split(",")), 2)

    def test_only_a_mapping(self):
        """Its size is known, and what was touched, of which nothing counts twice."""
        foreign = Foreign(self, "mapping")
        (held,) = foreign.held
        f = self.ps("--nodes")[1][held.inode]
        (h,) = f["holders"]
        self.assertEqual((h["pid"], h["how"]), (held.pid, "mapping"))
        self.assertEqual((h["fds"], h["mapped"]), ([], 24 * 4096))
        self.assertFalse(h["kvm_vm"])
        self.assertEqual((f["size"], f["size_from"]), (held.size, "mapping"))
        self.assertEqual((f["resident"], f["resident_from"]), (3 * 4096, "mapping"))
        self.assertTrue(f["lower_bound"])
        self.assertEqual(sum(n["bytes"] for n in f["nodes"]), 3 * 4096)
        self.assertEqual(f["nodes_from"], "mapping")
        self.assertEqual(
            self.row(held)[1:4], [str(held.size), f">={3 * 4096}", "no"]
        )
        row = self.row(held, "-oinode,nodes,known")
        self.assertRegex(row[1], r"\d:>=\d+")
        self.assertEqual(row[2], "size:mapping,resident:mapping,nodes:mapping")

    def test_a_mapping_that_may_not_be_asked(self):
        (held,) = Foreign(self, "mapping").held
        three = Foreign(self, "three")  # by which the mapping is verified
        r = subprocess.run(
            [*NO_RESTORE, GMEMCTL, "ps", "--json", *ENOUGH],
            capture_output=True, text=True, check=False, timeout=HANG,
        )
        value = self.valid(r.stdout, "ps")
        self.assertFalse(value["complete"])
        files = {f["inode"]: f for f in value["files"]}
        f = files[held.inode]
        self.assertIsNone(f["size"])
        self.assertIn("cap_checkpoint_restore", f["size_reason"])
        self.assertEqual(f["resident"], 3 * 4096)
        self.assertEqual(files[three.held[0].inode]["size_from"], "fd")

    def test_what_would_be_freed_if_this_process_ended(self):
        """What it alone holds; a bound, where others were not looked into."""
        self.require("mounts")
        for role in ("three", "pair", "mapping"):
            foreign = Foreign(self, role, "unshare", "--pid", "--fork")
            value, files = self.ps_inside(foreign)
            self.assertTrue(value["complete"])
            pid = next(h["pid"] for f in files.values() for h in f["holders"])
            value, files = self.ps_inside(foreign, more=("--pid", str(pid)))
            for held in foreign.held:
                f = files[held.inode]
                want = {"three": held.resident, "pair": 0, "mapping": 3 * 4096}[role]
                self.assertEqual(f["freed"], want)
                self.assertEqual(f["freed_lower_bound"], role == "mapping")
                self.assertFalse(f["freed_upper_bound"])
            total = value["total"]
            self.assertEqual(total["freed"], sum(f["freed"] for f in files.values()))
            self.assertEqual(total["freed_lower_bound"], role == "mapping")
        # What cannot be seen is said.
        self.assertIsNone(self.ps()[0]["total"]["freed"])
        three = Foreign(self, "three", *NO_PTRACE)
        hidden = Foreign(self, "hidden", *NO_PTRACE)
        value, files = self.ps_as(NO_PTRACE)
        self.assertIn(hidden.pid, [h["pid"] for h in value["hidden"]])
        for held in three.held:
            f = files[held.inode]
            self.assertEqual(f["freed"], held.resident)
            self.assertTrue(f["freed_upper_bound"])

    def test_freed_in_the_table(self):
        three = Foreign(self, "three")
        bound = "<=" if self.ps()[0]["hidden"] else ""
        lines = self.row(three.held[0], "-oinode,freed")
        self.assertEqual(lines[1], f"{bound}{three.held[0].resident}")
        r = ctl("ps", "-bt", "-p", str(three.pid), *ENOUGH)
        total = sum(h.resident for h in three.held)
        self.assertIn(f", freed {bound}{total}\n", r.stdout)
        pair = Foreign(self, "pair")
        self.assertEqual(self.row(pair.held[0], "-oinode,freed")[1], "0")

    def test_a_cgroup_pays_on_these_nodes(self):
        three = Foreign(self, "three")
        for f in (self.ps("--nodes")[1][h.inode] for h in three.held):
            (h,) = f["holders"]
            if h["cgroup_nodes"] is None:
                self.assertRegex(h["cgroup_nodes_reason"], "cgroup")
            else:
                self.assertTrue(h["cgroup"].startswith(h["memory_cgroup"]))
        (h,) = self.ps()[1][three.held[0].inode]["holders"]
        self.assertEqual(h["cgroup_nodes_reason"], "--nodes was not given")

    def test_what_is_no_cgroup_is_not_believed(self):
        """Whatever files are mounted where cgroups are looked for."""
        self.require("mounts")
        three = Foreign(self, "three")
        with open(f"/proc/{three.pid}/cgroup", encoding="ascii") as f:
            paths = {line.rstrip("\n").split(":", 2)[2] for line in f}
        script = "mount -t tmpfs none /sys/fs/cgroup\n"
        for mount in ("", "/memory", "/unified"):
            for path in paths:
                at = f"/sys/fs/cgroup{mount}{path}"
                script += f"mkdir -p '{at}' && cd '{at}' && touch cgroup.procs tasks "
                script += "cgroup.controllers memory.stat memory.usage_in_bytes\n"
                script += "echo 1 | tee cgroup.freeze memory.oom.group memory.max "
                script += "memory.limit_in_bytes >/dev/null\n"
                script += "echo unevictable N0=7 >memory.numa_stat\n"
                script += "echo hierarchical_unevictable=7 N0=7 >>memory.numa_stat\n"
        script += 'exec "$0" "$@"'
        inside = ["unshare", "-m", "sh", "-c", script, GMEMCTL]
        run = dict(capture_output=True, text=True, check=False, timeout=HANG)
        r = subprocess.run([*inside, "ps", "--json", "--nodes", *ENOUGH], **run)
        for f in self.valid(r.stdout, "ps")["files"]:
            for h in f["holders"]:
                self.assertIsNone(h["cgroup_nodes"])
                self.assertIn("cannot be seen", h["cgroup_nodes_reason"])
        r = subprocess.run([*inside, "doctor", "--json"], **run)
        (check,) = [
            c for c in json.loads(r.stdout)["checks"] if c["name"] == "memory-cgroup"
        ]
        self.assertIn("is not known", check["message"])

    def test_hostile_name(self):
        foreign = Foreign(self, "named")
        (held,) = foreign.held
        name = r"a,b\n) R\x1b[31m\\\xff"
        self.assertEqual(self.ps()[1][held.inode]["holders"][0]["command"], name)
        r = ctl("ps", *ENOUGH)
        # In the table it is one word, and of one process.
        name = name.replace(",", r"\x2c").replace(" ", r"\x20")
        self.assertIn(f" {name}\n", r.stdout)
        self.assertNotIn("\033", r.stdout)

    def test_nodes(self):
        foreign = Foreign(self, "three")
        files = self.ps("--nodes")[1]
        unmappable, private, shared = [files[h.inode] for h in foreign.held]
        self.assertIn("without mmap", unmappable["nodes_reason"])
        self.assertIn("private", private["nodes_reason"])
        total = sum(n["bytes"] for n in shared["nodes"])
        self.assertEqual(total, foreign.held[2].resident)
        row = self.row(foreign.held[2], "--nodes")
        self.assertEqual(
            row[3], ",".join(f"{n['node']}:{n['bytes']}" for n in shared["nodes"])
        )
        plain = self.ps()[1][foreign.held[2].inode]
        self.assertIn("--nodes", plain["nodes_reason"])

    def test_inherited_from_run(self):
        r = ctl(
            *("run", "--size=1M", "--shared", "--"),
            *("sh", "-c", f'{GMEMCTL} ps -n -b -o size,hold; stat -Lc %i /dev/null'),
        )
        self.assertRegex(r.stdout, r"(?m)^ *1048576 fd:\d+,fd:\d+")

    def test_not_dumpable(self):
        foreign = Foreign(self, "hidden", *NO_PTRACE)
        (held,) = foreign.held
        value, files = self.ps()
        self.assertEqual(files[held.inode]["resident"], held.resident)
        value, files = self.ps_as(NO_PTRACE)
        self.assertNotIn(held.inode, files)
        self.assertFalse(value["complete"])
        (h,) = [h for h in value["hidden"] if h["pid"] == held.pid]
        self.assertIn("not dumpable", h["files_reason"])
        self.assertIn("no cap_sys_ptrace: it is", h["files_reason"])

    def test_what_one_holder_hides_another_shows(self):
        foreign = Foreign(self, "half", *NO_PTRACE)
        shown, hidden = sorted(foreign.held, key=lambda h: h.pid != foreign.pid)
        value, files = self.ps_as(NO_PTRACE)
        f = files[shown.inode]
        self.assertEqual(f["resident"], shown.resident)
        self.assertEqual([h["pid"] for h in f["holders"]], [shown.pid])
        self.assertIn(hidden.pid, [h["pid"] for h in value["hidden"]])
        holders = self.ps()[1][shown.inode]["holders"]
        self.assertEqual(
            {h["pid"] for h in holders}, {shown.pid, hidden.pid}
        )

    def test_descriptors_that_may_not_be_copied(self):
        """The file is seen, and its size, but nothing else."""
        foreign = Foreign(self, "three")
        value, files = self.ps(preexec_fn=deny(PIDFD_GETFD, errno.EPERM))
        self.assertFalse(value["complete"])
        for held in foreign.held:
            f = files[held.inode]
            self.assertEqual(f["size"], held.size)
            self.assertIsNone(f["resident"])
            self.assertIn(
                f"descriptor {held.fd} of process {held.pid} may not be copied",
                f["resident_reason"],
            )

    def test_without_cachestat(self):
        """A lower bound where there is a mapping to ask, else nothing."""
        foreign = Foreign(self, "three")
        value, files = self.ps(preexec_fn=deny(CACHESTAT, errno.ENOSYS))
        for held, f in [(h, files[h.inode]) for h in foreign.held[1:]]:
            self.assertTrue(f["lower_bound"])
            self.assertLessEqual(f["resident"], held.resident)
        f = files[foreign.held[0].inode]
        self.assertIsNone(f["resident"])
        self.assertIn("cachestat", f["resident_reason"])
        r = ctl("ps", "-n", *ENOUGH, preexec_fn=deny(CACHESTAT, errno.ENOSYS))
        self.assertIn(" >=", r.stdout)

    def test_few_descriptors_are_enough(self):
        """However many processes and files there are to look at."""
        self.require("mounts")
        script = 'for i in $(seq 60); do sleep 600 & done; exec "$0" "$@"'
        foreign = Foreign(
            self, "three", "unshare", "--pid", "--fork", "--kill-child", "sh", "-c", script
        )

        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

        value, files = self.ps_inside(foreign, preexec_fn=few)
        self.assertEqual((value["complete"], self.stderr), (True, ""))
        self.assertGreater(value["processes"], 60)
        for held in foreign.held:
            self.assertEqual(files[held.inode]["resident"], held.resident)

    def test_too_few_descriptors_are_an_error(self):
        """Never a table that looks complete."""
        foreign = Foreign(self, "three")
        for n in range(5, 12):

            def few(limit=n):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

            r = ctl("ps", "--json", preexec_fn=few)
            if not r.stdout:  # too few to start
                continue
            value = self.valid(r.stdout, "ps")
            if "error" in value:
                self.assertEqual(value["error"]["code"], "EMFILE", r)
                continue
            found = {f["inode"] for f in value["files"]}
            self.assertLessEqual({h.inode for h in foreign.held}, found, n)

    def test_complete(self):
        """What is forbidden can be allowed; what is not there cannot."""
        self.require("mounts")
        foreign = Foreign(self, "three", "unshare", "--pid", "--fork")
        for errnum, complete in (
            (0, True),
            (errno.ENOSYS, True),
            (errno.EPERM, False),
        ):
            value, files = self.ps_inside(
                foreign, preexec_fn=deny(CACHESTAT, errnum) if errnum else None
            )
            self.assertEqual(value["complete"], complete)
            self.assertEqual(set(files), {h.inode for h in foreign.held})
            if errnum:
                unmappable, _, shared = [files[h.inode] for h in foreign.held]
                name = errno.errorcode[errnum]
                self.assertIn(name, unmappable["resident_reason"])
                self.assertIn(name, shared["nodes_reason"])

    def test_another_user(self):
        foreign = Foreign(self, "three")
        value, files = self.ps_as(NOBODY)
        self.assertFalse(value["complete"])
        hidden = {h["pid"]: h for h in value["hidden"]}
        self.assertIn(foreign.pid, hidden)
        self.assertIn("cap_sys_ptrace", hidden[foreign.pid]["files_reason"])
        self.assertEqual(hidden[foreign.pid]["command"], "foreign")
        for held in foreign.held:
            self.assertNotIn(held.inode, files)
        self.assertIn("processes could not be looked into", self.stderr)

    def test_proc_that_hides_processes(self):
        mount = "mount -t proc -o hidepid=2 proc /proc"
        script = f'{mount} && exec {" ".join(NOBODY)} "$@"'
        value, _ = self.ps_as(["unshare", "-m", "sh", "-c", script, "sh"])
        self.assertTrue(value["proc_hides"])
        self.assertFalse(value["complete"])
        self.assertIn("(hidepid)", self.stderr)
        self.assertFalse(self.ps()[0]["proc_hides"])


COLUMNS = "dev inode size resident freed nodes cgnodes known vm mapped pid hold user"
COLUMNS = [*COLUMNS.split(), "cgroup", "command"]
RIGHT = ("DEV", "INODE", "SIZE", "RESIDENT", "FREED")


def size_text(n):
    """As all of gmemctl writes bytes."""
    for shift, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if n and n % (1 << shift) == 0:
            return f"{n >> shift}{unit}"
    return str(n)


# Maps pages that cannot be merged, says so, and waits.
MANY = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
for i in range(20000):
    libc.mmap(None, ctypes.c_size_t(4096), i % 2, 0x22, -1, ctypes.c_long(0))
print("ready", flush=True)
sys.stdin.read()
"""


class Calls(Ps):
    def reads(self):
        """How often ps reads, of several times the fewest."""
        counts = []
        for _ in range(3):
            p = subprocess.Popen(
                [GMEMCTL, "ps", *ENOUGH],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT)
            with open(f"/proc/{p.pid}/io") as f:
                counts.append(int(f.read().split("syscr: ")[1].split()[0]))
            p.wait(HANG)
        return min(counts)

    def test_maps_are_read_by_the_page(self):
        if not os.path.exists("/proc/self/io"):
            self.skipTest("this kernel does not count reads")
        before = self.reads()
        p = subprocess.Popen(
            [sys.executable, "-c", MANY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(p.communicate)
        self.assertEqual(p.stdout.readline(), "ready\n")
        with open(f"/proc/{p.pid}/maps") as f:
            size = len(f.read())
        self.assertGreater(size, 1 << 19)
        self.assertLess(self.reads() - before, size / 2048)


class Table(Ps):
    need = ("kvm", "root")

    def lines(self, *args):
        return ctl("ps", *ENOUGH, *args).stdout.splitlines()

    def aligned(self, lines, heads):
        """The table, printed again from its words, is the same."""
        rows = [line.split() for line in lines]
        for row in rows:
            self.assertEqual(len(row), len(heads), lines)
        widths = [max(map(len, column)) for column in zip(*rows)]
        for line, row in zip(lines, rows):
            cells = [
                word.rjust(width) if head in RIGHT else word.ljust(width)
                for word, width, head in zip(row, widths, heads)
            ]
            if heads[-1] not in RIGHT:
                cells[-1] = row[-1]
            self.assertEqual(line, " ".join(cells))
        return rows

    def test_columns_line_up(self):
        Foreign(self, "three")
        Foreign(self, "mapping")
        Foreign(self, "pair")
        for names in (COLUMNS, COLUMNS[::-1], ["inode"], ["hold", "size", "size"]):
            heads = [name.upper() for name in names]
            for nodes in ([], ["--nodes"]):
                lines = self.lines("-o", ",".join(names), *nodes)
                self.assertEqual(lines[0].split(), heads)
                self.aligned(lines, heads)
                self.aligned(self.lines("-bno", ",".join(names), *nodes), heads)

    def test_the_default_columns(self):
        Foreign(self, "three")
        default = "INODE SIZE RESIDENT VM PID HOLD COMMAND".split()
        self.assertEqual(self.aligned(self.lines(), default)[0], default)
        default[3:3] = ["NODES", "CGNODES"]
        self.assertEqual(self.aligned(self.lines("--nodes"), default)[0], default)

    def test_cells_say_what_the_json_says(self):
        foreigns = [Foreign(self, role) for role in ("three", "pair", "mapping")]
        foreigns.append(Foreign(self, "many"))
        value, files = self.ps("--nodes")
        rows = [line.split() for line in self.lines("-no", ",".join(COLUMNS))]
        rows = {int(row[1]): dict(zip(COLUMNS, row)) for row in rows}
        ours = {held.inode for f in foreigns for held in f.held}
        self.assertLessEqual(ours, set(rows))
        self.assertEqual(
            [f["inode"] for f in value["files"]],
            [f["inode"] for f in sorted(value["files"], key=lambda f: f["inode"])],
        )
        for inode in ours:
            f, row = files[inode], rows[inode]
            holders = f["holders"]
            for key in ("size", "resident"):
                bound = ">=" if key == "resident" and f["lower_bound"] else ""
                said = "-" if f[key] is None else bound + size_text(f[key])
                self.assertEqual(row[key], said)
            bound = ">=" if f["nodes_from"] == "mapping" else ""
            nodes = f["nodes"] or []
            said = ",".join(
                f"{n['node']}:{bound}{size_text(n['bytes'])}" for n in nodes
            )
            self.assertEqual(row["nodes"], said or "-")
            self.assertEqual(
                row["vm"], ",".join("yes" if h["kvm_vm"] else "no" for h in holders)
            )
            self.assertEqual(
                row["mapped"], ",".join(size_text(h["mapped"]) for h in holders)
            )
            self.assertEqual(row["pid"], ",".join(str(h["pid"]) for h in holders))
            self.assertEqual(row["command"], ",".join(h["command"] for h in holders))
            holds = []
            for h in holders:
                more = [f"({h['more_fds']}-more)"] if h["more_fds"] else []
                fds = "+".join([*map(str, h["fds"]), *more])
                holds.append(f"fd:{fds}" if fds else "mapping")
            self.assertEqual(row["hold"], ",".join(holds))

    def test_headings_name_columns(self):
        lines = self.lines("-o", ",".join(name.upper() for name in COLUMNS))
        self.assertEqual(lines[0].split(), [name.upper() for name in COLUMNS])
        self.lines("--sort=-Resident")

    def test_sorted(self):
        """Lines of one key keep their order; what is not known is last."""

        def key(column, text):
            numbers = text.lstrip("<>=").split(",")
            if column == "mapped":
                return sum(map(int, numbers))
            if column in ("inode", "size", "resident", "freed", "pid"):
                return int(numbers[0])
            return text

        for role in ("three", "pair", "mapping", "three"):
            Foreign(self, role)
        for column in set(COLUMNS) - {"dev"}:
            for sign in ("", "-"):
                lines = self.lines("-bno", column, "--sort", sign + column)
                known = [line != "-" for line in map(str.strip, lines)]
                if column != "nodes":
                    self.assertEqual(known, sorted(known, reverse=True), column)
                keys = [key(column, x.strip()) for x in lines if x.strip() != "-"]
                self.assertEqual(keys, sorted(keys, reverse=bool(sign)), column)

    def test_of_one_process(self):
        Foreign(self, "three")
        pair = Foreign(self, "pair")
        inode = pair.held[0].inode
        pids = [h.pid for h in pair.held]
        value, files = self.ps("--pid", pids[1])
        self.assertEqual(list(files), [inode])
        self.assertEqual({h["pid"] for h in files[inode]["holders"]}, set(pids))
        self.assertEqual(value["total"]["files"], 1)
        idle = Foreign(self, "idle")
        self.assertEqual(self.ps("--pid", idle.pid)[1], {})
        (row,) = self.lines("-no", "pid,inode", "--holders", "-p", pids[1])
        self.assertEqual(row.split(), [str(pids[1]), str(inode)])
        idle.end()
        r = ctl("ps", "--pid", idle.pid, *ENOUGH)
        self.ended(r, FAILED, f"process {idle.pid}: No such process")

    def test_which_vm_a_process_is(self):
        """As /proc says it, and of the user that it became."""
        mine = Foreign(self, "three")
        # Only root may use the device, so the descriptor is inherited.
        fd = guest_memfd(self, 4096)
        other = subprocess.Popen(
            [*NOBODY, "sh", "-c", "echo; read x", "a,b", "c\x1b[1md"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[fd],
        )
        self.addCleanup(other.wait, HANG)
        self.addCleanup(other.stdout.close)
        self.addCleanup(other.stdin.close)
        other.stdout.readline()
        value, _ = self.ps()
        holders = {h["pid"]: h for f in value["files"] for h in f["holders"]}
        for pid, uid in ((mine.pid, os.getuid()), (other.pid, 65534)):
            h = holders[pid]
            self.assertEqual(h["uid"], uid)
            with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
                lines = [line.rstrip("\n").split(":", 2) for line in f]
            of = {controllers: path for _, controllers, path in lines}
            self.assertEqual(h["cgroup"], of.get("memory", of.get("")))
        self.assertEqual(holders[mine.pid]["args"], f"{FOREIGN} three")
        args = r"sh -c echo; read x a,b c\x1b[1md"
        self.assertEqual(holders[other.pid]["args"], args)
        columns = ["--holders", "-no", "user,cgroup,args", "-p", other.pid]
        (row,) = self.lines(*columns)
        user = pwd.getpwuid(65534).pw_name
        cgroup = holders[other.pid]["cgroup"]
        self.assertEqual(row, f"{user} {cgroup} " + args.replace(",", r"\x2c"))

    def test_arguments_that_are_none_or_too_long(self):
        fd = guest_memfd(self, 4096)
        for args, want in (
            (["", "x" * 5000], 1000),
            (["\x01" * 5000], 1000),
        ):
            other = subprocess.Popen(
                ["sh", "-c", "echo; read x", *args],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[fd],
            )
            other.stdout.readline()
            value, _ = self.ps("-p", other.pid)
            other.stdin.close()
            other.stdout.close()
            other.wait(HANG)
            holders = {h["pid"]: h for f in value["files"] for h in f["holders"]}
            got = holders[other.pid]["args"]
            self.assertTrue(got.startswith("sh -c echo; read x "))
            self.assertTrue(want <= len(got) < 1024, len(got))

    def test_a_line_for_each_holder(self):
        pair = Foreign(self, "pair")
        Foreign(self, "three")
        value, _ = self.ps()
        rows = self.lines("-bno", "inode,pid,hold,vm,mapped", "--holders")
        self.assertEqual(
            sorted(row.split() for row in rows),
            sorted(
                [
                    str(f["inode"]),
                    str(h["pid"]),
                    "fd:" + "+".join(map(str, h["fds"])) if h["fds"] else "mapping",
                    "yes" if h["kvm_vm"] else "no",
                    str(h["mapped"]),
                ]
                for f in value["files"]
                for h in f["holders"]
            ),
        )
        ours = [row for row in rows if row.split()[0] == str(pair.held[0].inode)]
        self.assertEqual(len(ours), 2)

    def test_the_sums(self):
        """Each file once, however many hold it; what is not known shows."""
        for role in ("three", "pair"):
            Foreign(self, role)
        foreign = Foreign(self, "three")
        total = sum(h.size for h in foreign.held), sum(h.resident for h in foreign.held)
        last = self.lines("-bt", "-p", foreign.pid)[-1]
        says = f"total: 3 files, size {total[0]}, resident {total[1]}, freed "
        value, files = self.ps()
        says += f"{'<=' if value['hidden'] else ''}{total[1]}"
        self.assertEqual(last, says)
        self.assertEqual(value["total"]["files"], len(files))
        for key in ("size", "resident"):
            self.assertEqual(
                value["total"][key], sum(f[key] or 0 for f in value["files"])
            )
        mapping = Foreign(self, "mapping")
        total = self.ps("-p", mapping.pid)[0]["total"]
        self.assertTrue(total["lower_bound"])
        last = self.lines("-t", "--holders", "-p", mapping.pid)[-1]
        self.assertRegex(last, r"^total: 1 file, size \S+, resident >=\d+K?, freed \S+$")
        # More than 64 bits hold.
        for _ in range(3):
            guest_memfd(self, (1 << 63) - 4096, 0)
        total = self.ps("-p", os.getpid())[0]["total"]
        self.assertEqual(total["size"], (1 << 64) - 1)
        self.assertTrue(total["size_lower_bound"])

    def test_like_lines_are_one_with_a_count(self):
        for _ in range(20):
            guest_memfd(self, 4096, 0)
        r = ctl("ps", "--nodes", "-p", os.getpid(), *ENOUGH)
        lines = [x for x in r.stderr.splitlines() if "made without mmap" in x]
        self.assertEqual(len(lines), 1, r.stderr)
        self.assertRegex(lines[0], r"ps: 20 files, first inode \d+: nodes: it was")

    def test_files_larger_than_a_step(self):
        """Holes between pages at the ends of what is looked at at once."""
        size = 40 << 30
        for flags in (0, 3):
            fd = guest_memfd(self, size, flags)
            inode = os.fstat(fd).st_ino
            want = 0
            for at in (0, (4 << 30) - 4096, 4 << 30, 13 << 30, size - 4096):
                ctl(
                    *("populate", f"--fd={fd}", f"--offset={at}", "--len=4K"),
                    pass_fds=[fd],
                )
                want += 4096
                f = self.ps("--nodes")[1][inode]
                self.assertEqual((f["size"], f["resident"]), (size, want))
                if flags:
                    self.assertEqual(sum(n["bytes"] for n in f["nodes"]), want)

    def test_all_mappings_of_a_process_count(self):
        fd = guest_memfd(self, 1 << 20)
        inode = os.fstat(fd).st_ino
        maps = [mmap.mmap(fd, 16384 << i) for i in range(3)]
        (h,) = self.ps()[1][inode]["holders"]
        self.assertEqual(h["pid"], os.getpid())
        self.assertIn(fd, h["fds"])
        self.assertEqual(h["mapped"], 7 * 16384)
        self.assertEqual(h["command"], "python3")
        for m in maps:
            m.close()
        (h,) = self.ps()[1][inode]["holders"]
        self.assertEqual(h["mapped"], 0)

    def test_what_is_said_of_what_could_not_be_seen(self):
        self.require("mounts")
        Foreign(self, "three")
        value, _ = self.ps_as(NOBODY)
        hidden = value["hidden"]
        first = hidden[0]
        self.assertEqual(
            self.stderr,
            f"gmemctl: ps: {len(hidden)} of {value['processes']} processes could not "
            f"be looked into, first {first['pid']} ({first['command']}): "
            "no cap_sys_ptrace or cap_dac_read_search: it is another user's, has "
            "more capabilities or is not dumpable\n",
        )
        self.assertEqual({h["files_reason"] for h in hidden}, {first["files_reason"]})
        pids = [h["pid"] for h in hidden]
        self.assertEqual(len(set(pids)), len(pids))
        self.assertEqual((value["budget_ms"], value["not_reached"]), (50000, []))


class Hostile(Ps):
    """Nothing is believed that another process can choose."""

    need = ("kvm", "root")

    def holders(self, value):
        return {h["pid"] for f in value["files"] for h in f["holders"]}

    def test_a_name_alone_is_no_guest_memfd(self):
        self.require("userns")
        for role in ("false", "open"):
            foreign = Foreign(self, role, "unshare", "-Urm")
            true = Foreign(self, "mapping")
            value, files = self.ps()
            self.assertNotIn(foreign.pid, self.holders(value))
            # It is known to be false, and not only unknown.
            self.assertNotIn(foreign.pid, [h["pid"] for h in value["hidden"]])
            self.assertIn(true.held[0].inode, files)
            pids = ctl("ps", "-no", "pid", *ENOUGH).stdout.split()
            self.assertNotIn(str(foreign.pid), pids)

    def test_what_cannot_be_verified_is_no_file(self):
        self.require("userns")
        self.require("mounts")
        foreign = Foreign(
            self, "false", "unshare", "--pid", "--fork", "unshare", "-Urm"
        )
        value, files = self.ps_inside(foreign, *NO_RESTORE)
        self.assertEqual(files, {})
        self.assertFalse(value["complete"])
        (h,) = [h for h in value["hidden"] if h["command"] == "foreign"]
        self.assertIn("the name of a guest_memfd", h["files_reason"])
        self.assertIn("cap_checkpoint_restore", h["files_reason"])
        self.assertIn(f"{h['pid']} (foreign): it maps what has", self.stderr)
        value, files = self.ps_inside(foreign)
        self.assertEqual((files, value["hidden"]), ({}, []))
        self.assertTrue(value["complete"])

    def test_a_mapping_is_verified_by_its_device(self):
        """Where no right helps: of a true file, elsewhere or anonymous."""
        three = Foreign(self, "three")
        (held,) = Foreign(self, "mapping").held
        files = self.ps_by(NO_RESTORE)[1]
        self.assertEqual(files[held.inode]["holders"][0]["mapped"], 24 * 4096)
        self.assertIn(three.held[0].inode, files)

    def ps_by(self, who):
        r = subprocess.run(
            [*who, GMEMCTL, "ps", "--json", *ENOUGH],
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG,
        )
        value = self.valid(r.stdout, "ps")
        return value, {f["inode"]: f for f in value["files"]}

    def test_a_hang_is_not_waited_for(self):
        self.require("fuse")
        self.require("mounts")
        foreign = Foreign(self, "stuck", "unshare", "-m")
        three = Foreign(self, "three")
        r = ctl("ps", "--json")
        value = self.valid(r.stdout, "ps")
        self.assertEqual(r.returncode, CHECK)
        (h,) = [h for h in value["hidden"] if h["pid"] == foreign.pid]
        self.assertIn("never ended", h["files_reason"])
        files = {f["inode"] for f in value["files"]}
        self.assertLessEqual({h.inode for h in three.held}, files)

    def test_more_descriptors_than_are_listed(self):
        foreign = Foreign(self, "many")
        (held,) = foreign.held
        (h,) = self.ps()[1][held.inode]["holders"]
        self.assertEqual((len(h["fds"]), h["more_fds"]), (64, 36))
        self.assertTrue(self.row(held)[5].endswith("+(36-more)"))

    def test_a_descriptor_that_answers_nothing(self):
        (held,) = Foreign(self, "path").held
        f = self.ps()[1][held.inode]
        self.assertEqual(len(f["holders"][0]["fds"]), 2)
        self.assertEqual(f["resident"], held.resident)

    def over(self, *mount, pid):
        """What ps says where something is mounted over a part of /proc."""
        script = f"mount {' '.join(mount)} && exec \"$0\" \"$@\""
        value, files = self.ps_by(["unshare", "-m", "sh", "-c", script])
        (h,) = [h for h in value["hidden"] if h["pid"] == pid]
        self.assertFalse(value["complete"])
        return files

    def test_what_is_mounted_over_proc_is_not_believed(self):
        self.require("mounts")
        idle = Foreign(self, "idle")
        true = Foreign(self, "three")
        for name in ("", "/fd", "/maps"):
            fake, real = f"/proc/{idle.pid}{name}", f"/proc/{true.pid}{name}"
            files = self.over("--bind", real, fake, pid=idle.pid)
            for held in true.held:
                (h,) = files[held.inode]["holders"]
                self.assertEqual(h["pid"], true.pid)
        path = ":".join(os.path.dirname(name) for name in libraries())
        script = f"mount -t tmpfs none /proc; LD_LIBRARY_PATH={path} {GMEMCTL} ps"
        r = subprocess.run(
            ["unshare", "-m", "sh", "-c", script],
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG,
        )
        self.ended(r, FAILED, "there is no procfs at /proc; mount /proc")


class Budget(Ps):
    need = ("kvm", "root")

    def test_none(self):
        """No time at all: nothing is reached, and all of that is said."""
        many = [Foreign(self, "idle") for _ in range(50)]
        three = Foreign(self, "three")
        value, files = self.ps("--budget", 0)
        self.assertEqual(files, {})
        self.assertFalse(value["complete"])
        late = set(value["not_reached"])
        self.assertLessEqual({f.pid for f in [*many, three]}, late)
        r = ctl("ps", "--budget=0")
        self.assertRegex(
            self.ended(r, CHECK, "of --budget").stderr,
            r"ps: \d+ processes were not reached in the 0 ms of --budget",
        )

    def test_enough(self):
        many = [Foreign(self, "idle") for _ in range(50)]
        three = Foreign(self, "three")
        value, files = self.ps()
        self.assertEqual(value["not_reached"], [])
        self.assertGreaterEqual(value["processes"], len(many))
        for held in three.held:
            self.assertEqual(files[held.inode]["resident"], held.resident)


class Machine(Ps):
    """Among all processes of the machine."""

    need = ("kvm", "root")

    def test_a_file_is_found_among_those_of_others(self):
        (held,) = Foreign(self, "mapping").held
        holders = self.ps()[1][held.inode]["holders"]
        self.assertEqual([h["pid"] for h in holders], [held.pid])

    def test_threads_of_the_kernel_are_not_hidden(self):
        value, _ = self.ps_as(NOBODY)
        for h in value["hidden"]:
            try:
                with open(f"/proc/{h['pid']}/stat") as f:
                    flags = int(f.read().rsplit(")", 1)[1].split()[6])
            except OSError:  # ended meanwhile
                continue
            self.assertFalse(flags & 0x00200000, h)


def alone():
    """Runs the tests where other processes of the machine, and what they hold
    or begin to hold, are not to be seen; there or, without the rights, here."""
    here = "GMEM_PS_ALONE"
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if here in os.environ or subprocess.run(
        [*unshare, "true"], stderr=subprocess.DEVNULL, check=False
    ).returncode:
        return
    os.environ[here] = "1"
    sys.stdout.flush()
    os.execvp("unshare", [*unshare, sys.executable, "-B", *sys.argv])


if sys.argv[1:] != ["machine"]:
    alone()
main(machine=Machine)
