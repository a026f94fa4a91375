# SPDX-License-Identifier: MIT
"""The rooms of gmemctl: a file includes nothing of a room above its own."""
import collections
import re

import meta

# From top to bottom.  The program knows the commands by one list of pointers.
ROOMS = ["program", "cmd", "op", "target", "report", "table"]
SKIPPED = {("program", "cmd")}
# A folder, but for that of the commands, is read at one look.
FILES = 12
# Each command reports, so that one header is that of about half of the files.
MOST = 0.6


def sources():
    """(path, room) of each file of a room."""
    for path in meta.files("cli/**/*.[ch]"):
        if path.parts[1] in ROOMS:
            yield path, path.parts[1]


def included(path):
    """The headers of gmemctl that a file includes."""
    return re.findall(r'^#include "([^"]*)"', meta.text(path), re.M)


def every_file_is_in_a_room():
    for path in meta.files("cli/**/*.[ch]"):
        if path.parts[1] not in ROOMS:
            yield f"{path} is in none of the rooms {', '.join(ROOMS)}"


def no_file_includes_upwards():
    for path, room in sources():
        for header in included(path):
            other = header.split("/")[0]
            if other not in ROOMS:
                yield f"{path} includes {header}, which is in no room"
            elif ((room, other) in SKIPPED
                  or ROOMS.index(other) < ROOMS.index(room)):
                yield f"{path} includes {header}, of a room that {room} " \
                      "must not know"


def a_command_knows_no_other():
    for path, room in sources():
        for header in included(path):
            parts = header.split("/")
            if room == parts[0] == "cmd" and len(parts) == 3:
                if parts[1] != path.parts[2]:
                    yield f"{path} includes {header}, of another command"


def every_header_is_found_by_its_path():
    for path, _ in sources():
        for header in included(path):
            if not (meta.SOURCE / "cli" / header).is_file():
                yield f"{path} includes {header}, which is no path from cli/"


def json_comes_through_the_header_that_checks_it():
    for path in meta.files("cli/**/*.[ch]"):
        if str(path) == "cli/report/json.h":
            continue
        for header in re.findall(r"^#include <(json\w*\.h)>",
                                 meta.text(path), re.M):
            yield f"{path} includes {header}, past report/json.h"


def no_header_is_for_most_files():
    code = [path for path, _ in sources() if path.suffix == ".c"]
    count = collections.Counter(header for path in code
                                for header in set(included(path)))
    for header, n in count.items():
        if n > MOST * len(code):
            yield f"{header} is included by {n} of {len(code)} files"


def no_folder_is_too_full():
    count = collections.Counter(path.parent for path, room in sources()
                                if room != "cmd")
    for folder, n in count.items():
        if n > FILES:
            yield f"{folder} has {n} files, more than {FILES}"


meta.run(every_file_is_in_a_room, no_file_includes_upwards,
         a_command_knows_no_other, every_header_is_found_by_its_path,
         json_comes_through_the_header_that_checks_it,
         no_header_is_for_most_files, no_folder_is_too_full)
