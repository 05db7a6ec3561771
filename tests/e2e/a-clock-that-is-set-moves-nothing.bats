#!/usr/bin/env bats
# A36: the machine's clock is set an hour forward, or back, while hooks wait.  What waits for three seconds
# waits for three seconds.

load functions
setup() {
	[[ $BUILD == */release ]] || skip "a sanitizer wants to be loaded first"
	set_clock 0
	SLOTH_CLOCK_STEP=$BATS_TEST_TMPDIR/step LD_PRELOAD=$BUILD/tools/clock_step.so start_fsd
}
teardown() { cleanup; }

# set_clock SECONDS: what the master's clock is ahead of the machine's.
set_clock() { perl -e 'print pack("q", $ARGV[0])' -- "$1" | dd of="$BATS_TEST_TMPDIR/step" conv=notrunc status=none; }
uptime_ms() { awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime; }

# waits HOOK EVENT RULES BODY: a hook for what is raised as EVENT.
waits() { add_hook "$1" <<<"return { event_type = '$2', $3, execute = function(event) $4 end }"; }

# all_in_their_time STEP: each event ends, and none before its three seconds are over.
all_in_their_time() {
	local name begin id
	declare -A ids
	begin=$(uptime_ms)
	emit wait.rate >/dev/null # the first of its span
	for name in quiet retry rate slow; do ids[$name]=$(emit "wait.$name"); done
	for name in quiet retry rate; do
		wait_for 5 '[ "$(hook_status "${ids[$name]}" $name)" = held ]'
	done
	wait_for 5 '[ "$(hook_status "${ids[slow]}" slow)" = running ]'
	set_clock "$1"
	id=$(emit clock.seen)
	[ $((($(date -d "$(cat "$MNT/events/$id/created_at")" +%s) - $(date +%s)) / 600)) -eq $(($1 / 600)) ]
	for name in quiet retry rate slow; do
		timeout 100 cat "$MNT/events/${ids[$name]}/wait" >/dev/null
		[ $(($(uptime_ms) - begin)) -ge 3000 ] || { echo "$name: after $(($(uptime_ms) - begin)) ms"; return 1; }
	done
	for name in quiet retry rate; do [ "$(hook_status "${ids[$name]}" $name)" = success ]; done
	[ "$(hook_status "${ids[slow]}" slow)" = timeout ]
	[ "$(cat "$MNT/events/${ids[retry]}/hooks/retry/attempts")" = 2 ]
}

@test "A36: debounce, rate, retries and timeouts, while the clock goes an hour forward and two back" {
	waits quiet wait.quiet 'once_after = "3s"' 'return true'
	waits retry wait.retry 'retries = "1 backoff 3s jitter 0%"' 'return event.attempt == 2'
	waits rate wait.rate 'rate = "1/3s"' 'return true'
	waits slow wait.slow 'timeout = "3s"' 'sleep(60)'
	all_in_their_time 3630
	all_in_their_time -3570
}
