# SPDX-License-Identifier: MIT
"""What the tests of gmemctl share: running it, skips, JSON checks."""

import ctypes
import fcntl
import functools
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import unittest

GMEMCTL = os.environ["GMEMCTL"]
HERE = pathlib.Path(__file__).parent
SOURCE = HERE.parent.parent

# Seconds until a program of ours that does not end is killed: far more than it
# takes on a machine that is busy.
HANG = 600

OK, FAILED, USAGE, UNSUPPORTED, CHECK, ACCESS = range(6)
PAGE = os.sysconf("SC_PAGESIZE")

# For deny(): ioctl(2) here, and KVM's request to ask for a capability.
IOCTL = 16 if os.uname().machine == "x86_64" else 29
CHECK_EXTENSION = 0xAE03


def ctl(*args, **kwargs):
    """Runs gmemctl; the result has returncode, stdout, stderr."""
    kwargs.setdefault("stdin", None if "input" in kwargs else subprocess.DEVNULL)
    kwargs.setdefault("stdout", subprocess.PIPE)
    if "input" in kwargs:
        del kwargs["stdin"]
    return subprocess.run(
        [GMEMCTL, *map(str, args)],
        stderr=subprocess.PIPE,
        text=True,
        timeout=HANG,
        check=False,
        **kwargs,
    )


def terminal_text(fd):
    """All that comes from this end of a terminal, which is then closed."""
    text = b""
    try:
        while more := os.read(fd, 65536):
            text += more
    except OSError:  # the other end is closed
        pass
    os.close(fd)
    return text


def without_inodes(text):
    """What gmemctl stat shows, as if all files had the same inode."""
    return re.sub(r"(?m)(^|: )inode      \d+$", r"\1inode      N", text)


def deny(number, errnum, *args):
    """Makes a program, as preexec_fn, one for which a system call fails.

    With args only if its second and further arguments are these.
    """
    allow, error, no_new_privs, seccomp = 0x7FFF0000, 0x50000, 38, 22
    # Of struct seccomp_data: the number, then the low halves of arguments.
    wanted = [(0, number), *((24 + 8 * i, arg) for i, arg in enumerate(args))]
    code = b""
    for i, (at, value) in enumerate(wanted):
        beyond = 2 * (len(wanted) - i) - 1
        code += struct.pack("HBBI", 0x20, 0, 0, at)  # load it
        code += struct.pack("HBBI", 0x15, 0, beyond, value)  # to allow if other
    code += struct.pack("HBBI", 0x06, 0, 0, error | errnum)
    code += struct.pack("HBBI", 0x06, 0, 0, allow)

    def confine():
        libc = ctypes.CDLL(None, use_errno=True)
        at = ctypes.create_string_buffer(code)
        program = ctypes.create_string_buffer(
            struct.pack("H6xQ", len(code) // 8, ctypes.addressof(at))
        )
        if libc.prctl(no_new_privs, 1, 0, 0, 0) or libc.prctl(
            seccomp, 2, ctypes.byref(program)
        ):
            raise OSError(ctypes.get_errno(), "seccomp")

    return confine


def libraries():
    """The paths of ours that gmemctl uses.  The loader finds them itself, but
    only with /proc and where the user can go."""
    said = subprocess.check_output(["ldd", GMEMCTL], text=True)
    return re.findall(r"=> (\S*/libgmem\S*)", said)


def in_reach(directory, *command):
    """The command with a copy of gmemctl, and what else is in the directory,
    in /mnt: other users cannot go to every build folder."""
    shutil.copy(GMEMCTL, directory)
    for library in libraries():
        shutil.copy(library, directory)
    os.chmod(directory, 0o755)
    script = 'mount --bind "$0" /mnt && LD_LIBRARY_PATH=/mnt exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, directory, *command]


def drop_override():
    """Makes of root, as preexec_fn, one whom file modes hold for."""
    libc = ctypes.CDLL(None, use_errno=True)
    bounding_set_drop, dac_override, dac_read_search = 24, 1, 2
    for capability in (dac_override, dac_read_search):
        if libc.prctl(bounding_set_drop, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


def missing_kvm():
    """Why tests cannot use /dev/kvm; None if they can."""
    get_api_version, create_vm, check_extension = 0xAE00, 0xAE01, 0xAE03
    guest_memfd_flags = 244
    try:
        kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError as e:
        return f"/dev/kvm: {e.strerror}"
    try:
        if fcntl.ioctl(kvm, get_api_version) != 12:
            return "/dev/kvm is not KVM"
        vm = fcntl.ioctl(kvm, create_vm, 0)
        flags = fcntl.ioctl(vm, check_extension, guest_memfd_flags)
        os.close(vm)
        return None if flags & 3 == 3 else "no MMAP and INIT_SHARED: Linux 6.18"
    except OSError as e:
        return f"KVM: {e.strerror}"
    finally:
        os.close(kvm)


def missing_user_namespaces():
    """Why a user cannot have a root of its own; None if it can."""
    r = subprocess.run(
        ["unshare", "-Urm", "true"], capture_output=True, text=True, check=False
    )
    return r.stderr.strip() or None


def missing_root():
    """Why not every right is there; None if all are."""
    if os.geteuid() != 0:
        return "not root"
    with open("/proc/self/uid_map", encoding="ascii") as f:
        if f.read().split() != ["0", "0", "4294967295"]:
            return "root of a user namespace only"
    return None


def missing_fuse():
    """Why no file system can be served; None if one can."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as e:
        return f"/dev/fuse: {e.strerror}"
    return None


def missing_mounts():
    """Why a program cannot have mounts of its own; None if it can."""
    r = subprocess.run(
        ["unshare", "--mount", "true"], capture_output=True, text=True, check=False
    )
    return r.stderr.strip() or None


def missing_preload():
    """Why folders cannot stand for cgroups; None if they can."""
    return None if "CGROUP_PRELOAD" in os.environ else "a sanitizer is first"


MISSING = {
    "cgroup-preload": missing_preload,
    "kvm": missing_kvm,
    "fuse": missing_fuse,
    "mounts": missing_mounts,
    "userns": missing_user_namespaces,
    "root": missing_root,
}


@functools.cache
def missing(capability):
    return MISSING[capability]()


@functools.cache
def validator(schema):
    """What checks a value against a schema, itself checked once."""
    import jsonschema  # here, since it takes as long as all the rest

    value = json.loads((HERE / "schema" / f"{schema}.json").read_text())
    found = jsonschema.validators.validator_for(value)
    found.check_schema(value)
    return found(value)


class Case(unittest.TestCase):
    """A test; `need` lists the capabilities that it cannot do without."""

    need = ()

    def setUp(self):
        for capability in self.need:
            self.require(capability)

    def require(self, capability):
        reason = missing(capability)
        if not reason:
            return
        forbidden = os.environ.get("GMEM_TEST_NOSKIP", "").split(",")
        if "all" in forbidden or capability in forbidden:
            self.fail(f"may not skip ({capability}): {reason}")
        self.skipTest(f"{capability}: {reason}")

    def ended(self, result, status, stderr=""):
        """The run ended with this status and said this on standard error."""
        self.assertEqual(result.returncode, status, result)
        if stderr:
            self.assertIn(stderr, result.stderr)
        else:
            self.assertEqual(result.stderr, "")
        return result

    def usage(self, *args, says, command, status=USAGE):
        """Wrong usage: nothing on standard output, and where to look."""
        r = self.ended(ctl(*args), status, says)
        self.assertEqual(r.stdout, "")
        name = f"{command} " if command else ""
        self.assertEqual(
            r.stderr.splitlines()[-1],
            f"Try 'gmemctl {name}--help' for more information.",
        )
        self.assertTrue(
            r.stderr.startswith(f"gmemctl: {command}{': ' if command else ''}")
        )

    def valid(self, text, schema):
        """The one JSON object in text, validated by tests/cli/schema."""
        value = json.loads(text)
        validator(schema).validate(value)
        self.assertEqual(value["schema"], f"gmemctl.{schema}/1")
        self.no_bare_null(value)
        return value

    def no_bare_null(self, value):
        """What is absent says why."""
        if isinstance(value, dict):
            for key, v in value.items():
                if v is None:
                    self.assertIsInstance(value.get(f"{key}_reason"), str, key)
                self.no_bare_null(v)
        elif isinstance(value, list):
            for v in value:
                self.no_bare_null(v)


class Tap(unittest.TestResult):
    """A line for each test, in the Test Anything Protocol."""

    def name(self, test):
        return test.id().removeprefix("__main__.").replace("\n", " ")

    def startTest(self, test):
        super().startTest(test)
        print(f"# running {self.name(test)}", flush=True)

    def line(self, test, ok, note=""):
        name = self.name(test)
        print(f"{'' if ok else 'not '}ok {self.testsRun} - {name}{note}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line(test, True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line(test, True, f" # SKIP {reason}")

    def problem(self, test, problems):
        self.line(test, False)
        print(problems[-1][1])
        if self.failfast:
            self.stop()

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.problem(test, self.failures)

    def addError(self, test, err):
        super().addError(test, err)
        self.problem(test, self.errors)

    def addSubTest(self, test, subtest, err):
        failures = len(self.failures)
        super().addSubTest(test, subtest, err)
        if err:
            new = len(self.failures) > failures
            self.problem(subtest, self.failures if new else self.errors)


def main(**parts):
    """Runs the tests of the program; exits with 77 when all were skipped.

    With GMEM_TEST_FAILFAST the first that fails is the last.  With
    GMEM_TEST_ONLY=list the names of the tests are printed; with another name
    only that test runs.

    Classes that are given by name are parts of their own: the argument says
    which one to run, and without one it is all the rest.
    """
    classes = [
        c
        for c in vars(sys.modules["__main__"]).values()
        if isinstance(c, type) and issubclass(c, Case) and c not in parts.values()
    ]
    if parts and len(sys.argv) > 1:
        classes = [parts[sys.argv[1]]]
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    tests = [test for suite in map(load, classes) for test in suite]
    result = Tap()
    only = os.environ.get("GMEM_TEST_ONLY")
    if only == "list":
        print("\n".join(map(result.name, tests)))
        sys.exit()
    if only:
        tests = [test for test in tests if result.name(test) == only]
    result.failfast = "GMEM_TEST_FAILFAST" in os.environ
    unittest.TestSuite(tests).run(result)
    if not result.wasSuccessful() or not result.testsRun:
        sys.exit(1)
    sys.exit(77 if len(result.skipped) == result.testsRun else 0)
