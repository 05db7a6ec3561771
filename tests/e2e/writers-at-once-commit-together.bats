#!/usr/bin/env bats
# A node whose write waits for a commit holds up nobody else: as many write at once, as many wait for one sync.

load functions
setup() {
	[[ $BUILD == */release ]] || skip "a sanitizer wants to be loaded first"
	[ -e "$BUILD/tools/slow_disk.so" ]
	LD_PRELOAD=$BUILD/tools/slow_disk.so start_fsd # every sync takes 20 ms longer
}
teardown() { cleanup; }

commits() { awk '$1 == "sloth_store_commits_total" { print $2 }' "$MNT/metrics"; }

# together COMMAND: sixteen times at once; prints how many commits that took.
together() {
	local before pids=() pid
	before=$(commits)
	for _ in $(seq 16); do
		bash -c "$1" 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || return 1; done
	echo $(($(commits) - before))
}

@test "sixteen echos into events/emit wait for a few commits" {
	export MNT
	took=$(together 'for n in 1 2 3 4 5; do echo "{\"type\":\"a.b\"}" >"$MNT/events/emit"; done')
	echo "# 80 events in $took commits" >&3
	[ "$took" -le 60 ] # one after the other: 80
}

@test "sixteen replays of one event wait for a few commits" {
	ID=$(emit '{"type":"a.b"}')
	export MNT ID
	timeout 100 cat "$MNT/events/$ID/wait"
	took=$(together 'for n in 1 2 3 4 5; do echo 1 >"$MNT/events/$ID/replay"; done')
	echo "# 80 replays in $took commits" >&3
	[ "$took" -le 60 ] # one after the other: 80
}
