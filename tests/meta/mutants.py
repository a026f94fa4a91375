# SPDX-License-Identifier: MIT
"""Each patch of tests/mutants fits the code: tests/mutants/run, which also
runs the test that it names, takes too long for every change."""
import subprocess

import meta


def every_patch_applies():
    for path in meta.files("tests/mutants/**/*.patch"):
        r = subprocess.run(["patch", "-d", meta.SOURCE, "-p1", "-s", "-F0",
                            "--dry-run", "-i", meta.SOURCE / path],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, check=False)
        if r.returncode:
            yield f"{path} does not apply: make it again: {r.stdout.strip()}"


meta.run(every_patch_applies)
