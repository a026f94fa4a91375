#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes gmemctl's bash completion from its own table of commands:

    gmemctl commands --json | cli/completion.py > gmemctl.bash
"""

import json
import re
import sys

HEAD = r"""# SPDX-License-Identifier: MIT
# bash completion for gmemctl(1), made by cli/completion.py

# What may follow command $1; fails if there is no such command.
_gmemctl_words()
{
	case $1 in
"""

VALUES = r"""	*) return 1 ;;
	esac
}

# What may follow an option, in "$1" = "COMMAND OPTION"; <> stands for files.
# Fails if the option takes no value.  An option that need not have one is
# here with the "=" that its value needs.
_gmemctl_values()
{
	case $1 in
"""

OPERANDS = r"""	*) return 1 ;;
	esac
}

# What the operands of command $1 are: <> files, <program>, or words.
_gmemctl_operands()
{
	case $1 in
"""

REQUIRED = r"""	*) _gmemctl_words "$1" ;;
	esac
}

# The options that command $1 requires.
_gmemctl_required()
{
	case $1 in
"""

TAIL = r"""	esac
}

# Those that are not given yet.
_gmemctl_missing()
{
	local option

	for option in $(_gmemctl_required "$1"); do
		[[ " ${COMP_WORDS[*]} " == *" $option "* ]] || echo "$option"
	done
}

# How the lists above name option $2 of command $1, which "=" follows: bash
# makes three words of --option=value.
_gmemctl_option()
{
	if _gmemctl_values "$1 $2=" >/dev/null; then
		echo "$2="
	else
		echo "$2"
	fi
}

_gmemctl_complete()
{
	if [[ $1 == '<program>' ]]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
	elif [[ $1 == '<>' ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
	else
		mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
	fi
}

_gmemctl()
{
	local i word last='' cmd='' cur=${COMP_WORDS[COMP_CWORD]}

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == = && ${COMP_WORDS[i-1]} == -* ]]; then
			last=$(_gmemctl_option "$cmd" "${COMP_WORDS[i-1]}")
		elif [[ $last ]]; then	# the value of the option before it
			last=''
		elif _gmemctl_values "$cmd $word" >/dev/null; then
			last=$word
		elif [[ $word != -* || $word == -- ]] &&
			[[ $(_gmemctl_operands "$cmd") == '<program>' ]]; then
			[[ $word == -- ]] && ((i++))
			declare -F _command_offset >/dev/null &&
				_command_offset "$i"
			return
		elif _gmemctl_words "${cmd:+$cmd }$word" >/dev/null; then
			cmd=${cmd:+$cmd }$word
		fi
	done
	if [[ $cur == = && ${COMP_WORDS[COMP_CWORD-1]} == -* ]]; then
		last=$(_gmemctl_option "$cmd" "${COMP_WORDS[COMP_CWORD-1]}")
		cur=''
	fi
	if [[ $last ]]; then
		_gmemctl_complete "$(_gmemctl_values "$cmd $last")"
	elif [[ $cur == -* ]]; then
		_gmemctl_complete "$(_gmemctl_words "$cmd")"
	elif [[ ! $cur && $(_gmemctl_missing "$cmd") ]]; then
		_gmemctl_complete "$(_gmemctl_missing "$cmd")"
	else
		_gmemctl_complete "$(_gmemctl_operands "$cmd")"
	fi
} &&
	complete -F _gmemctl gmemctl
"""


def walk(name, node):
    yield name, node
    for sub in node["commands"]:
        yield from walk((name + " " + sub["name"]).strip(), sub)


def arm(name, text):
    return f"\t'{name}') echo '{text}' ;;\n"


def main():
    commands = list(walk("", json.load(sys.stdin)))
    out = [HEAD]
    for name, node in commands:
        words = [c["name"] for c in node["commands"]]
        words += [o["name"] for o in node["options"]]
        out.append(arm(name, " ".join(words)))
    out.append(VALUES)
    for name, node in commands:
        for o in node["options"]:
            if o["argument"]:
                files = "<>" if o["argument"] == "PATH" else ""
                text = " ".join(o["values"] or []) or files
                end = "=" if o["argument_optional"] else ""
                out.append(arm(f"{name} {o['name']}{end}", text))
    out.append(OPERANDS)
    top = " ".join(c["name"] for c in commands[0][1]["commands"])
    kinds = {"CMD": "<program>", "FILE": "<>", "COMMAND": top}
    for name, node in commands[1:]:
        for kind, text in kinds.items():
            if kind in re.findall("[A-Z]+", node["arguments"]):
                out.append(arm(name, text))
    out.append(REQUIRED)
    for name, node in commands:
        needed = [o["name"] for o in node["options"] if o["required"]]
        if needed:
            out.append(arm(name, " ".join(needed)))
    out.append(TAIL)
    sys.stdout.write("".join(out))


main()
