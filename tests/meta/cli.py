# SPDX-License-Identifier: MIT
"""One list of commands and options: table = help = manual = completion."""
import json
import re

import meta

GMEMCTL = meta.BUILD / "cli/gmemctl"
COMPLETION = meta.BUILD / "cli/gmemctl.bash"

# Asks the completion function what follows the words it is given.
COMPLETE = """
. "$0"
COMP_WORDS=(gmemctl "$@")
COMP_CWORD=$#
COMP_LINE="gmemctl $*"
COMP_POINT=${#COMP_LINE}
function=$(complete -p gmemctl | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
"$function" gmemctl "${!#}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def commands():
    """(words, command) of each command that runs, and of each sub-command."""
    table = json.loads(meta.output(GMEMCTL, "commands", "--json"))
    for command in table["commands"]:
        yield [command["name"]], command
        for sub in command["commands"]:
            yield [command["name"], sub["name"]], sub


def options(command):
    return {option["name"] for option in command["options"]}


def page(words):
    path = meta.SOURCE / f"man/gmemctl-{words[0]}.1"
    return path if path.exists() else meta.SOURCE / "man/gmemctl.1"


def complete(*words):
    said = meta.output("bash", "-c", COMPLETE, COMPLETION, *words).split("\n")
    return {word.rstrip(" =") for word in said
            if word and word.startswith("-") == words[-1].startswith("-")}


def help_shows_the_table():
    for words, command in commands():
        said = meta.output(GMEMCTL, *words, "--help")
        shown = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", said, re.M))
        yield from meta.differ(f"gmemctl {' '.join(words)} --help", shown,
                               "the table", options(command))
        for sub in command["commands"] + command["words"]:
            if not re.search(rf"^  {sub['name']}\b", said, re.M):
                yield f"gmemctl {words[0]} --help leaves out {sub['name']}"


def manual_says_for_which_pages_an_example_is():
    """What an example shows of sizes that only some hosts can have."""
    for path in meta.files("man/gmemctl*.1"):
        shown = meta.section(meta.text(path), "EXAMPLES")
        # Sizes that are no multiple of 16 KiB, and rows and rules of 4 KiB.
        small = [size for size in re.findall(r"\b(\d+)K\b", shown)
                 if int(size) % 16]
        small += re.findall(r"multiple of 0x1000\b", shown)
        if small and "pages of 4 KiB" not in shown.replace("\n", " "):
            yield (f"{path}: an example has {small[0]}, and does not say that "
                   "it is for pages of 4 KiB")


def manual_has_every_option():
    main = meta.text("man/gmemctl.1")
    for words, command in commands():
        have = set(re.findall(r"\bFl -([a-z-]+)",
                              main + page(words).read_text(encoding="utf-8")))
        for name in sorted(options(command)):
            if name[2:] not in have:
                yield f"{page(words).name} has no {name} ({' '.join(words)})"


def manual_has_no_other_option():
    known = {}
    for words, command in commands():
        known.setdefault(page(words), set()).update(options(command))
    everywhere = set().union(*known.values())
    for path in meta.files("man/gmemctl*.1"):
        for name in re.findall(r"^\.It .*?\bFl -([a-z-]+)", meta.text(path),
                               re.M):
            allowed = known.get(meta.SOURCE / path, set())
            if path.name == "gmemctl.1":
                allowed = everywhere
            if f"--{name}" not in allowed:
                yield f"{path.name} documents --{name}, which it does not take"


def manual_has_every_value_of_an_option():
    main = meta.text("man/gmemctl.1")
    for words, command in commands():
        lines = re.findall(r"^\.(?:It|Cm|Op|Oo)\b.*$", main + page(
            words).read_text(encoding="utf-8"), re.M)
        for option in command["options"]:
            for value in option["values"] or []:
                if option["name"] != "--model" and not any(
                        value in line.split() for line in lines):
                    yield (f"{page(words).name} has no {option['name']} "
                           f"{value}")


def words_of_the_batch_are_names():
    text = meta.text("lib/name.c")
    for _, command in commands():
        for word in command["words"]:
            for flag in re.findall(r"\[([a-z-]+)\]", word["arguments"]):
                if (f'"{flag}"' not in text and
                        f"; {flag}: short for" not in f"; {word['summary']}"
                        and flag != "nodes"):
                    yield f"{word['name']} takes {flag}, which is no name"


def manual_has_every_command():
    main = meta.text("man/gmemctl.1")
    for words, command in commands():
        if not re.search(rf"\bCm {words[0]}\b|gmemctl-{words[0]} 1", main):
            yield f"gmemctl.1 does not name {words[0]}"
        for sub in command["commands"] + command["words"]:
            if not re.search(rf"^\.(It|Ic|Ss|Cm)\b.*\b{sub['name']}\b",
                             page(words).read_text(encoding="utf-8"), re.M):
                yield f"{page(words).name} does not name {sub['name']}"


def completion_knows_commands_and_options():
    first = {words[0] for words, _ in commands()}
    yield from meta.differ("completion", complete(""), "the table", first)
    for words, command in commands():
        yield from meta.differ(
            f"completion of {' '.join(words)}", complete(*words, "--"),
            "the table", options(command))
        subs = {sub["name"] for sub in command["commands"]}
        if subs:
            yield from meta.differ(f"completion of {words[0]}",
                                   complete(*words, ""), "the table", subs)


def completion_knows_the_values_of_options():
    for words, command in commands():
        for option in command["options"]:
            if option["values"]:
                yield from meta.differ(
                    f"completion of {' '.join(words)} {option['name']}",
                    complete(*words, option["name"],
                             *(["="] if option["argument_optional"] else []),
                             ""),
                    "the table", option["values"])


meta.run(help_shows_the_table, manual_has_every_option,
         manual_has_no_other_option, manual_has_every_value_of_an_option,
         words_of_the_batch_are_names, manual_has_every_command,
         manual_says_for_which_pages_an_example_is,
         completion_knows_commands_and_options,
         completion_knows_the_values_of_options)
