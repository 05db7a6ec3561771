#!/usr/bin/env bats
# A node whose write waits for a commit holds up nobody else: as many write at once, as many wait for one sync.

load functions
setup() {
	[[ $BUILD == */release ]] || skip "a sanitizer wants to be loaded first"
	[ -e "$BUILD/tools/slow_disk.so" ]
	LD_PRELOAD=$BUILD/tools/slow_disk.so start_fsd # every sync takes 20 ms
}
teardown() { cleanup; }

# together COMMAND: sixteen times at once; prints how many milliseconds that took.
together() {
	local begin pids=() pid
	begin=$(date +%s%N)
	for _ in $(seq 16); do
		bash -c "$1" 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || return 1; done
	echo $((($(date +%s%N) - begin) / 1000000))
}

@test "sixteen echos into events/emit take as long as a few commits" {
	export MNT
	took=$(together 'for n in 1 2 3 4 5; do echo "{\"type\":\"a.b\"}" >"$MNT/events/emit"; done')
	echo "# 80 events in $took ms" >&3
	[ "$took" -lt 1000 ] # one after the other: 1,600 for the syncs alone
}

@test "sixteen replays of one event take as long as a few commits" {
	ID=$(emit '{"type":"a.b"}')
	export MNT ID
	timeout 10 cat "$MNT/events/$ID/wait"
	took=$(together 'echo 1 >"$MNT/events/$ID/replay"')
	[ "$took" -lt 250 ] # one after the other: 320
}
