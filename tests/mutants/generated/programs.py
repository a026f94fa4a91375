# SPDX-License-Identifier: MIT
"""The tests that need no other kernel: which there are, how they are run, and
what they reach."""
import dataclasses
import functools
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import time

LABELS = {"unit", "fault", "conform", "model", "fuzz", "cli", "examples",
          "random"}
# A test that takes this many times as long as usual hangs; and some seconds
# more, since the machine may be busy.
PATIENCE, GRACE = 10, 5


@dataclasses.dataclass
class Test:
    name: str
    command: list  # None where it is not built yet
    folder: str
    environment: dict
    skip: int  # what it exits with where it can say nothing
    data: int = 8 << 30  # bytes that it may allocate
    seconds: float = 0
    cpu: float = 0
    reached: dict = dataclasses.field(default_factory=dict)  # {file: set}


def methods(test):
    """[Test]: each test of a program in Python for itself, since what it
    reaches then says more; another program as it is."""
    if not any(w.endswith("_test.py") for w in test.command or []):
        return [test]
    names = subprocess.run(
        test.command, cwd=test.folder, check=True, capture_output=True,
        text=True, env={**os.environ, **test.environment,
                        "GMEM_TEST_ONLY": "list"}).stdout.split()
    return [dataclasses.replace(
        test, name=f"{test.name} {name}", reached={},
        environment={**test.environment, "GMEM_TEST_ONLY": name})
        for name in names]


def listed(build, labels=LABELS):
    """[Test] of the build folder @build with one of @labels."""
    out = subprocess.run(["ctest", "--test-dir", build,
                          "--show-only=json-v1"], check=True,
                         capture_output=True).stdout
    found = []
    for test in json.loads(out)["tests"]:
        has = {p["name"]: p["value"] for p in test["properties"]}
        if labels & set(has["LABELS"]):
            found += methods(Test(
                test["name"], test.get("command"), has["WORKING_DIRECTORY"],
                dict(e.split("=", 1) for e in has.get("ENVIRONMENT", [])),
                has.get("SKIP_RETURN_CODE", 0)))
    return found


def limits(cpu, data):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (data, data))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))


# A mutant of root's may delete what it only has to write to.
READ_ONLY = ('mount --rbind /dev /dev && mount -o remount,bind,ro /dev && '
             'exec "$@"')


@functools.cache
def alone():
    """What runs a command where no other process is to be seen, since gmemctl
    looks at what all of them hold, and no device can be deleted.  As much of
    that as this process may have."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    for tried in [*command, "sh", "-c", READ_ONLY, "sh"], command:
        if not subprocess.run([*tried, "true"], stderr=subprocess.DEVNULL,
                              check=False).returncode:
            return tried
    return []


def start(test, scratch, variables, wall, cpu):
    """Runs @test: its exit status, or None where it hangs; and how long it
    took by the clock."""
    scratch = tempfile.mkdtemp(dir=scratch)
    before = time.monotonic()
    process = subprocess.Popen(
        [*alone(), *test.command], cwd=test.folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **test.environment, "TMPDIR": scratch,
             "GMEM_TEST_FAILFAST": "1", **variables},
        start_new_session=True, preexec_fn=lambda: limits(cpu, test.data))
    try:
        process.wait(wall)
    except subprocess.TimeoutExpired:
        pass
    status = process.returncode
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    shutil.rmtree(scratch, ignore_errors=True)
    return status, time.monotonic() - before


def reach(test, scratch, sizes):
    """Fills in what @test reaches of the files of @sizes, {file: mutants},
    and how long it takes; whether it passes.  What runs beside it counts as
    its CPU time too: that is for a limit only."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    for file, size in sizes.items():
        (folder / file.replace("/", ":")).write_bytes(bytes(max(size, 1)))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    status, test.seconds = start(test, scratch,
                                 {"GMEM_MUTANT_REACH": str(folder)}, 600, 600)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    test.cpu = (now.ru_utime - used.ru_utime) + (now.ru_stime - used.ru_stime)
    for file in sizes:
        seen = (folder / file.replace("/", ":")).read_bytes()
        numbers = {n for n, byte in enumerate(seen) if byte}
        if numbers:
            test.reached[file] = numbers
    shutil.rmtree(folder)
    return status == 0


def notices(test, mutant, scratch):
    """Whether @test fails, or hangs, while @mutant is on."""
    status, _ = start(
        test, scratch, {"GMEM_MUTANT": f"{mutant.file}:{mutant.number}"},
        GRACE + PATIENCE * test.seconds,
        int(GRACE / 2 + PATIENCE * test.cpu))
    return status not in (0, test.skip)
