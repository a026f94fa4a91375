#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gmemctl ps, held against programs that say what they hold."""

import errno
import subprocess
import tempfile

from ctl import CHECK, Case, GMEMCTL, HANG, OK, ctl, deny, in_reach, main
from foreign import Foreign

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
# Other programs of the machine may hold much that takes long to look at.
ENOUGH = ["--budget=50000"]
# The same number on every architecture.
PIDFD_GETFD, CACHESTAT = 438, 451
NO_PTRACE = ["setpriv", "--bounding-set=-sys_ptrace"]


class Usage(Case):
    def test_usage(self):
        for columns in ("", "pid,", "PID", "pid,nosuch", ",".join(["pid"] * 21)):
            self.usage("ps", "-o", columns, says="--output: ", command="ps")
        self.usage("ps", "-o", says="-o needs a value: COL", command="ps")
        self.usage("ps", "-bo", says="-o needs a value: COL", command="ps")
        self.usage("ps", "--budget=1s", says="'1s' is not a number", command="ps")
        self.usage("ps", "1", says="unexpected operand '1'", command="ps")
        for args in (["-b"], ["-n"], ["-opid"], ["-o", "pid"]):
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

    def row(self, held, *args):
        r = ctl("ps", "-n", "-b", *ENOUGH, *args)
        (row,) = [x for x in r.stdout.splitlines() if str(held.inode) in x]
        return row.split()


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
        foreign = Foreign(self, "mapping")
        (held,) = foreign.held
        f = self.ps()[1][held.inode]
        (h,) = f["holders"]
        self.assertEqual((h["pid"], h["how"]), (held.pid, "mapping"))
        self.assertEqual((h["fds"], h["mapped"]), ([], 16 * 4096))
        self.assertFalse(h["kvm_vm"])
        for key in ("size", "resident", "nodes"):
            self.assertIsNone(f[key])
        self.assertIn("only a mapping is left", f["size_reason"])
        self.assertIn("only a mapping is left", f["resident_reason"])
        self.assertEqual(self.row(held)[1:4], ["-", "-", "no"])
        says = f"inode {held.inode}: resident: only a mapping is left"
        self.assertIn(says, ctl("ps", *ENOUGH).stderr)

    def test_hostile_name(self):
        foreign = Foreign(self, "named")
        (held,) = foreign.held
        name = r"a\nb) R\x1b[31m\\\xff"
        self.assertEqual(self.ps()[1][held.inode]["holders"][0]["command"], name)
        r = ctl("ps", *ENOUGH)
        self.assertIn(f" {name}\n", r.stdout)
        self.assertNotIn("\033", r.stdout)

    def test_nodes(self):
        foreign = Foreign(self, "three")
        files = self.ps("--nodes")[1]
        unmappable, private, shared = [files[h.inode] for h in foreign.held]
        self.assertIn("without MMAP", unmappable["nodes_reason"])
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

    def test_complete(self):
        """What is forbidden can be allowed; what is not there can not."""
        self.require("mounts")
        foreign = Foreign(self, "three", "unshare", "--pid", "--fork")
        script = 'mount -t proc proc /proc && exec "$0" "$@"'
        for errnum, complete in (
            (0, True),
            (errno.ENOSYS, True),
            (errno.EPERM, False),
        ):
            r = subprocess.run(
                # No other process of the machine is there to be hidden.
                ["nsenter", f"--pid=/proc/{foreign.pid}/ns/pid_for_children"]
                + ["unshare", "-m", "sh", "-c", script]
                + [GMEMCTL, "ps", "--json", "--nodes", *ENOUGH],
                preexec_fn=deny(CACHESTAT, errnum) if errnum else None,
                capture_output=True,
                text=True,
                check=False,
                timeout=HANG,
            )
            value = self.valid(r.stdout, "ps")
            self.assertEqual(value["complete"], complete, r)
            self.assertEqual(r.returncode, OK if complete else CHECK)
            files = {f["inode"]: f for f in value["files"]}
            self.assertEqual(set(files), {h.inode for h in foreign.held})
            if errnum:
                unmappable, _, shared = [files[h.inode] for h in foreign.held]
                name = errno.errorcode[errnum]
                self.assertIn(name, unmappable["resident_reason"])
                self.assertIn(name, shared["nodes_reason"])

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

    def test_threads_of_the_kernel_are_not_hidden(self):
        value, _ = self.ps_as(NOBODY)
        for h in value["hidden"]:
            try:
                with open(f"/proc/{h['pid']}/stat") as f:
                    flags = int(f.read().rsplit(")", 1)[1].split()[6])
            except OSError:  # ended meanwhile
                continue
            self.assertFalse(flags & 0x00200000, h)


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


main()
