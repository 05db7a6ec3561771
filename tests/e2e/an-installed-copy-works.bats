#!/usr/bin/env bats
# make install puts the programs where they find each other; make uninstall takes everything away.

load functions
bats_require_minimum_version 1.5.0

setup() {
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES T VARIANT
	ROOT=$BATS_TEST_TMPDIR/root
}
teardown() {
	[ ! -e "$STATE/master.json" ] || "$ROOT/opt/sloth/bin/sloth-runner" master stop
	cleanup
}
installed() { (cd "$ROOT" && find . -type f | sort); }

@test "an installed copy works, and uninstall leaves nothing" {
	run -0 make -s -C "$TOP" install DESTDIR="$ROOT" PREFIX=/opt/sloth
	[ -z "$output" ]
	[ "$(installed)" = "./opt/sloth/bin/sloth-runner
./opt/sloth/libexec/sloth-runner/sloth-fsd
./opt/sloth/libexec/sloth-runner/sloth-worker
./opt/sloth/share/man/man1/sloth-runner.1" ]
	# nothing of the build may be in the way
	export PATH=$ROOT/opt/sloth/bin:/usr/bin:/bin
	sloth-runner master start
	local master
	master=$(jq .pid "$STATE/master.json")
	[ "$(readlink "/proc/$master/exe")" = "$ROOT/opt/sloth/libexec/sloth-runner/sloth-fsd" ]
	[ "$(readlink "/proc/$(pgrep -P "$master")/exe")" = "$ROOT/opt/sloth/libexec/sloth-runner/sloth-worker" ]
	sloth-runner hook add "$TOP/docs/examples/hooks/deploy_pipeline.lua"
	run -0 sloth-runner events emit deploy.started '{"deploy":{"deploy_id":"d-1","version":"v2"}}' --wait
	[ "${lines[1]}" = completed ]
	sloth-runner master stop
	run -0 make -s -C "$TOP" uninstall DESTDIR="$ROOT" PREFIX=/opt/sloth
	[ -z "$(installed)" ]
	[ ! -e "$ROOT/opt/sloth/libexec/sloth-runner" ]
}
