#!/bin/sh
# SPDX-License-Identifier: MIT
# answers.sh FILE ANSWERS [write]: what ANSWERS prints, each line in full only
# where it comes first, is in FILE; or is written there.  "= N-M" stands for
# lines that were there before, counted without such stand-ins.
set -eu
case $(uname -m)$(getconf PAGESIZE) in
x86_644096) ;;
*)
	echo "skipped: the answers are those of x86-64"
	exit 77
	;;
esac
said=$(mktemp)
trap 'rm -f "$said"' EXIT
"$2" >"$said" || exit $?
# shellcheck disable=SC2016  # awk's own
short='
function told() { if (first) print "= " first "-" last; first = 0 }
$0 in seen {
	if (seen[$0] != last + 1) told()
	if (!first) first = seen[$0]
	last = seen[$0]
	next
}
{ told(); seen[$0] = ++n; print }
END { told() }'
case ${3-} in
write) awk "$short" "$said" >"$1" ;;
*) awk "$short" "$said" | diff -u "$1" - ;;
esac
