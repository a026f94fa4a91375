#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What could not be written is a failure; a closed stdout stays closed."""

import os
import subprocess

from ctl import Case, FAILED, GMEMCTL, OK, ctl, main, terminal_text


def without(*fds):
    """Runs gmemctl with these standard fds closed."""

    def close():
        for fd in fds:
            os.close(fd)

    return close


class Output(Case):
    def test_full_device(self):
        with open("/dev/full", "w") as full:
            r = ctl("commands", stdout=full)
            self.ended(r, FAILED, "standard output: No space left on device")
            # More than one buffer full.
            r = ctl("commands", "--json", stdout=full)
            self.ended(r, FAILED, "standard output: No space left on device")

    def test_reader_gone(self):
        end, pipe = os.pipe()
        os.close(end)
        self.ended(ctl("--help", stdout=pipe), FAILED)
        os.close(pipe)

    def test_closed(self):
        r = ctl("--help", preexec_fn=without(1))
        self.ended(r, FAILED, "standard output: Bad file descriptor")
        self.assertEqual(ctl("--help", preexec_fn=without(0)).returncode, OK)
        self.assertEqual(ctl("--help", preexec_fn=without(0, 2)).returncode, OK)
        r = ctl("--help", preexec_fn=without(0, 1, 2))
        self.assertEqual(r.returncode, FAILED)

    def test_colour_only_on_a_terminal(self):
        r = ctl("--help", env={**os.environ, "TERM": "xterm"})
        self.assertNotIn("\033", r.stdout)


class OutputOfKvm(Case):
    need = ("kvm",)

    def test_no_kvm_file_becomes_standard_output(self):
        for fds in ((1,), (0, 1), (1, 2), (0, 1, 2)):
            r = ctl("probe", preexec_fn=without(*fds))
            self.assertEqual(r.returncode, FAILED, fds)

    def test_full_device(self):
        for args in (["probe"], ["probe", "--json"]):
            with open("/dev/full", "w") as full:
                self.ended(ctl(*args, stdout=full), FAILED, "standard output")

    def test_an_answer_that_is_lost_is_none(self):
        with open("/dev/full", "w") as full:
            r = ctl("why", "create", "--size", "1", "--shared", stdout=full)
        self.ended(r, FAILED, "standard output: No space left on device")

    def probe_on_terminal(self, **env):
        """What probe prints on a terminal."""
        main_end, end = os.openpty()
        with subprocess.Popen(
            [GMEMCTL, "probe", "--require", "mmap"],
            stdout=end,
            env={"PATH": os.environ["PATH"], **env},
        ) as p:
            os.close(end)
            text = terminal_text(main_end)
        self.assertEqual(p.returncode, OK)
        return text.decode()

    def test_colours(self):
        self.assertIn("\033[32myes", self.probe_on_terminal(TERM="xterm"))
        for env in (
            {"TERM": "xterm", "NO_COLOR": "1"},
            {"TERM": "dumb"},
            {},
        ):
            text = self.probe_on_terminal(**env)
            self.assertIn(" yes ", text)
            self.assertNotIn("\033", text)
        text = self.probe_on_terminal(TERM="xterm", NO_COLOR="")
        self.assertIn("\033[32myes", text)


main()
