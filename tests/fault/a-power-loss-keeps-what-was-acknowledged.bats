#!/usr/bin/env bats
# A25: the power fails.  Of what was written since the last sync any part may be on the disk, in any order;
# what was acknowledged is there all the same.

load ../e2e/functions
load_pids=()
setup() {
	[[ $BUILD == */release ]] || skip "a sanitizer wants to be loaded first"
	DISK=$BATS_TEST_TMPDIR/disk
	mkdir "$DISK"
}
teardown() {
	kill "${load_pids[@]}" 2>/dev/null || true
	cleanup
}
ROUNDS=${SLOTH_TEST_LONG:+100}
ROUNDS=${ROUNDS:-8}

# fail_power DIR: what the disk may hold after a loss of power now: what was synced, and of the sectors
# written since a random half.  DIR/acked has the ids that were acknowledged before.
fail_power() {
	mkdir "$1"
	cat "$BATS_TEST_TMPDIR"/acked.* >"$1/acked"
	exec {disk_lock}>"$DISK/lock"
	flock "$disk_lock"
	cp "$DISK"/hooks.db* "$1"
	mkdir "$1/new"
	cp "$STATE"/hooks.db "$STATE"/hooks.db-wal "$1/new"
	exec {disk_lock}>&-
	perl -e 'for my $name ("hooks.db", "hooks.db-wal") {
		open(my $old, "+<:raw", "$ARGV[0]/$name") or die; open(my $new, "<:raw", "$ARGV[0]/new/$name") or die;
		for (my $at = 0; sysread($new, my $b, 512); $at += 512) {
			sysseek($old, $at, 0); my $n = sysread($old, my $a, 512) // 0;
			next if ($n == length $b && $a eq $b) || rand() < 0.5;
			sysseek($old, $at, 0); syswrite($old, $b);
		}
	}' "$1"
}

ids() { sqlite3 "$1/hooks.db" 'SELECT id FROM events' | sort; }
finals() { sqlite3 "$1/hooks.db" "SELECT id, status FROM events WHERE status IN ('completed', 'failed')" | sort; }

@test "A25: what was acknowledged survives $ROUNDS losses of power" {
	local round seen
	SLOTH_DISK=$DISK LD_PRELOAD=$BUILD/tools/power_loss.so start_fsd
	add_hook plain <<<'return { event_type = "load.test", execute = function(event) return true end }'
	for mode in "held --clients 3 --rate 600" "bulk --batch 20 --clients 1 --rate 1000" "echo --clients 1 --rate 50"; do
		loadgen --mount "$MNT" --mode $mode --seconds 600 --ack "$BATS_TEST_TMPDIR/acked.${mode%% *}" --prefix "${mode%% *}" >/dev/null 3>&- &
		load_pids+=($!)
	done
	for ((round = 1; round <= ROUNDS; round++)); do
		seen=$(cat "$BATS_TEST_TMPDIR"/acked.* 2>/dev/null | wc -l)
		wait_for 20 '[ "$(cat "$BATS_TEST_TMPDIR"/acked.* | wc -l)" -ge $((seen + 400)) ]'
		fail_power "$BATS_TEST_TMPDIR/loss.$round"
	done
	kill "${load_pids[@]}"
	wait "${load_pids[@]}" 2>/dev/null || true
	load_pids=()
	wait_for 20 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	stop_fsd
	finals "$STATE" >"$BATS_TEST_TMPDIR/final"
	for ((round = 1; round <= ROUNDS; round++)); do
		loss=$BATS_TEST_TMPDIR/loss.$round
		[ "$(sqlite3 "$loss/hooks.db" 'PRAGMA integrity_check')" = ok ]
		[ -z "$(sort "$loss/acked" | comm -23 - <(ids "$loss") | head -3)" ]
		[ -z "$(finals "$loss" | comm -23 - "$BATS_TEST_TMPDIR/final" | head -3)" ]
	done
	echo "# $ROUNDS losses, $(wc -l <"$loss/acked") acknowledged before the last one" >&3

	# and a master that starts on such a disk finishes what it finds
	cp "$loss"/hooks.db "$STATE"
	rm -f "$STATE"/hooks.db-*
	start_fsd
	wait_for 30 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	stop_fsd
	[ -z "$(sort "$loss/acked" | comm -23 - <(finals "$STATE" | sed 's/|.*//' | sort) | head -3)" ]
}
