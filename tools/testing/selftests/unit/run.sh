#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh OUT PROGRAM...: runs the unit tests, one TAP line each, their own TAP indented.
# A program that exits with 4 is skipped.
out=$1
shift
limit=${UNIT_TIMEOUT:-300}
echo "TAP version 13"
echo "1..$#"
n=0
failed=0
for t in "$@"; do
	n=$((n + 1))
	timeout "$limit" "$out/$t" >"$out/$t.log" 2>&1 </dev/null
	rc=$?
	sed 's/^/    /' "$out/$t.log"
	case $rc in
	0)
		echo "ok $n - $t"
		;;
	4)
		echo "ok $n - $t # SKIP"
		;;
	*)
		echo "not ok $n - $t # exit $rc"
		failed=1
		;;
	esac
done
exit $failed
