#!/usr/bin/env bats
# The first of the two commands a new person types: what it leaves behind, run twice, after a crash, as
# an ordinary user, and where something is missing.

# shellcheck disable=SC2016 # conditions are evaluated later, by wait_for
load functions
bats_require_minimum_version 1.5.0

setup() {
	export HOME=$BATS_TEST_TMPDIR/home BUILD
	mkdir -p "$HOME"
	# an outer make's options are not ours
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES T VARIANT
	FAKES=$BATS_TEST_TMPDIR/fakes
	mkdir "$FAKES"
}
teardown() {
	[ ! -e "$STATE/master.json" ] || sloth-runner master stop
	cleanup
}

pid_of_master() { jq -r .pid "$STATE/master.json"; }

# only_path TOOL...: a PATH of these tools alone, and what stands in $FAKES.
only_path() {
	local tool
	mkdir -p "$BATS_TEST_TMPDIR/only"
	for tool; do ln -sf "$(command -v "$tool")" "$BATS_TEST_TMPDIR/only/$tool"; done
	echo "$FAKES:$BATS_TEST_TMPDIR/only"
}

# fake TOOL: a tool whose script comes on standard input.
fake() {
	{ echo '#!/bin/sh'; cat; } >"$FAKES/$1"
	chmod 755 "$FAKES/$1"
}

@test "make run: master, mount, three hooks, an event and what became of it; make stop ends it" {
	run -0 make -s -C "$TOP" run
	is_mounted
	[[ $output == *"completed"*"ALERT: task 'deploy_app' failed on agent 'web-1': refused"* ]]
	[[ $output == *"mount   $MNT"*"state   $STATE"*"log     $STATE/log"*"stop    make stop"* ]]
	[[ $output == *"export PATH=$TOP/build/release:"* ]]
	grep -q "task 'deploy_app' failed" "$HOME/sloth-failures.log"
	[ "$(cat "$MNT"/ctl/hooks/{failure_alert,cpu_cooldown,deploy_pipeline}/status)" = $'ok\nok\nok' ]
	# the five commands it says to try
	local tries
	tries=$(sed -n '/^Try:/,$p' <<<"$output" | sed -n 's/^  //p')
	[ "$(wc -l <<<"$tries")" -eq 5 ]
	while read -r command; do
		if [[ $command == "tail -f"* ]]; then
			bash -c "exec $command" >"$BATS_TEST_TMPDIR/tail" 3>&- &
			tail_pid=$!
			wait_for 5 '[ -s "$BATS_TEST_TMPDIR/tail" ]'
			kill "$tail_pid"
		else
			run -0 timeout 100 bash -ec "$command"
			[ -n "$output" ] || [[ $command == echo* ]]
		fi
	done <<<"$tries"
	run -0 make -s -C "$TOP" stop
	! is_mounted
}

@test "run twice it says so and changes nothing" {
	"$TOP/tools/dev/run"
	local pid events
	pid=$(pid_of_master)
	events=$(sloth-runner events list -o json | jq length)
	run -0 "$TOP/tools/dev/run"
	[[ ${lines[0]} == *"already running"* ]]
	[[ $output == *"mount   $MNT"* ]]
	[ "$(pid_of_master)" = "$pid" ]
	[ "$(sloth-runner events list -o json | jq length)" = "$events" ]
}

@test "the master survives the terminal it was started from" {
	requires script
	script -qec "$TOP/tools/dev/run" "$BATS_TEST_TMPDIR/typescript" >/dev/null </dev/null
	is_mounted
	[ "$(ps -o tty= -p "$(pid_of_master)")" = "?" ]
	[ -n "$(emit '{"type":"a.later"}')" ]
}

@test "after a crash the next run resumes with the old data" {
	"$TOP/tools/dev/run"
	local id pid
	id=$(emit '{"type":"task.failed","data":{"task_name":"before"}}')
	timeout 100 cat "$MNT/events/$id/wait"
	rm "$MNT/hooks/cpu_cooldown.lua"
	pid=$(pid_of_master)
	kill -KILL "$pid"
	wait_for 5 '! grep -qs "^State:[[:space:]]*[^ZX[:space:]]" "/proc/'"$pid"'/status"'
	run -0 "$TOP/tools/dev/run"
	[[ ${lines[0]} == "The master is started." ]]
	[ "$(cat "$MNT/events/$id/status")" = completed ]
	[ "$(cat "$MNT/ctl/hooks/failure_alert/status")" = ok ]
	[ ! -e "$MNT/hooks/cpu_cooldown.lua" ] # what a user removed stays away
}

@test "an ordinary user has it with fusermount3" {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to be another user"
	requires fusermount3 setpriv unshare mknod
	let_others_in
	getent passwd nobody >/dev/null || skip "fusermount3 wants a user with a name"
	local copy=$BATS_TEST_TMPDIR/copy
	mkdir -p "$copy/tools/dev" "$copy/docs/examples" "$copy/bin"
	cp "$TOP/tools/dev/run" "$copy/tools/dev/"
	cp -r "$TOP/docs/examples/hooks" "$copy/docs/examples/"
	cp "$BUILD"/sloth-{fsd,worker,runner} "$copy/bin/"
	chmod -R go+rX "$copy"
	chown -R nobody "$HOME"
	cat >"$copy/go" <<-'SH'
		# in a mount namespace of its own, where everybody may open the device, as udev would have it
		set -e
		mknod "$1/fuse" c 10 229
		chmod 666 "$1/fuse"
		mount --bind "$1/fuse" /dev/fuse
		exec setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups bash -ec '
			cd "$1"; tools/dev/run; tools/dev/run
			[ "$(stat -c %U "$HOME/sloth/hooks/failure_alert.lua")" = nobody ]
			grep -c deploy_app "$HOME/sloth-failures.log"
			tools/dev/run stop' _ "$1"
	SH
	run env -u SLOTH_RUNNER_CACHE_DIR -u SLOTH_RUNNER_MOUNT -u SLOTH_RUNNER_CONFIG_DIR BUILD="$copy/bin" \
		unshare --mount --propagation private bash "$copy/go" "$copy"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"completed"*"mount   $HOME/sloth"*"state   $HOME/.sloth-runner"*"already running"*"master stopped"* ]]
	[ -s "$HOME/.sloth-runner/hooks.db" ]
}

@test "without /dev/fuse, or where a user may not open it, one sentence says so" {
	[ "$(id -u)" -eq 0 ] || skip "needs root, for a /dev of its own"
	requires unshare setpriv
	let_others_in
	run unshare --mount --propagation private bash -ec '
		exec 9>/dev/null
		mount -t tmpfs none /dev
		mknod -m 666 /dev/null c 1 3
		exec "$1"' _ "$TOP/tools/dev/run"
	[ "$status" -eq 1 ]
	[[ $output == "run: /dev/fuse is missing: "*modprobe* ]]
	[ "${#lines[@]}" -eq 1 ]
	run unshare --mount --propagation private bash -ec '
		mknod -m 600 "$1/fuse" c 10 229
		mount --bind "$1/fuse" /dev/fuse
		exec setpriv --reuid 65534 --regid 65534 --clear-groups bash -s' _ "$BATS_TEST_TMPDIR" <"$TOP/tools/dev/run"
	[ "$status" -eq 1 ]
	[[ $output == "run: "*" may not open /dev/fuse: "* ]]
	[ ! -e "$STATE" ]
}

@test "without fusermount3 an ordinary user is told" {
	fake id <<<'case "$1" in -u) echo 1000;; -un) echo somebody;; esac'
	PATH=$(only_path bash dirname readlink) run "$TOP/tools/dev/run"
	[ "$status" -eq 1 ]
	[[ $output == "run: fusermount3 is missing"*"apt-get install fuse3" ]]
}

@test "missing packages: without sudo, apt or network one sentence names them" {
	local tools=(bash awk dirname readlink mktemp rm tail env)
	fake dpkg-query <<<'echo "un "'
	fake id <<<'case "$1" in -u) echo 1000;; -un) echo somebody;; esac'
	fake apt-get <<<'exit 1'
	PATH=$(only_path "${tools[@]}") run "$TOP/tools/dev/deps" build
	[ "$status" -eq 1 ]
	[[ $output == "deps: run as root, or install sudo: "*" gcc "*libfuse3-dev* ]]
	[ "${#lines[@]}" -eq 1 ]

	fake sudo <<<'exec "$@"'
	fake apt-get <<<'echo "E: Temporary failure resolving deb.debian.org"; exit 100'
	PATH=$(only_path "${tools[@]}") run "$TOP/tools/dev/deps" build
	[ "$status" -eq 1 ]
	[[ $output == *"deps: could not install: "*libfuse3-dev*"is there a network"* ]]

	rm "$FAKES/apt-get"
	PATH=$(only_path "${tools[@]}") run "$TOP/tools/dev/deps" build
	[ "$status" -eq 1 ]
	[[ $output == "deps: apt-get is missing; install by hand: gcc "* ]]
}

@test "missing packages are installed through sudo, and nothing is said when none is missing" {
	fake dpkg-query <<<'case "$*" in *libuv1-dev) echo "un ";; *) echo "ii ";; esac'
	fake id <<<'echo 1000'
	fake sudo <<<"echo \"\$@\" >>'$BATS_TEST_TMPDIR/sudo'"
	run -0 env PATH="$FAKES:$PATH" "$TOP/tools/dev/deps" build
	grep -q 'apt-get install .* libuv1-dev$' "$BATS_TEST_TMPDIR/sudo"
	fake dpkg-query <<<'echo "ii "'
	rm "$BATS_TEST_TMPDIR/sudo"
	run -0 env PATH="$FAKES:$PATH" "$TOP/tools/dev/deps" build
	[ -z "$output" ]
	[ ! -e "$BATS_TEST_TMPDIR/sudo" ]
}
