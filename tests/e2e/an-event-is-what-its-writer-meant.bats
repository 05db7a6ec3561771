#!/usr/bin/env bats
# However a program cuts what it writes, the events are the ones it meant, in its order, each once.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# of_type TYPE: the ids of the events of a type, oldest first.
of_type() { ls "$MNT/events/by-type/$1" 2>/dev/null | sort; }
count() { of_type "$1" | wc -l; }
# numbers TYPE: data.n of each event of the type, in the order of acceptance.
numbers() {
	sqlite3 -readonly "$STATE/hooks.db" \
		"SELECT json_extract(e.data, '$.n') FROM event e JOIN name n ON n.id = e.type WHERE n.text = '$1' ORDER BY e.seq"
}

@test "A03: 2,000 lines through a buffer that cuts them anywhere are 2,000 events in order" {
	perl -e 'open(F, ">", $ARGV[0]); printf F "{\"type\":\"a.lines\",\"data\":{\"n\":%d,\"p\":\"%s\"}}\n", $_, "x" x ($_ % 97) for 1..2000; close(F) or exit 1' "$MNT/events/emit"
	[ "$(numbers a.lines | cksum)" = "$(seq 2000 | cksum)" ]
}

@test "A04: a payload and its newline in two writes are one event" {
	perl -e 'open(F, ">", $ARGV[0]); syswrite(F, "{\"type\":\"a.two\"}"); syswrite(F, "\n"); close(F) or exit 1' "$MNT/events/emit"
	[ "$(count a.two)" -eq 1 ]
	perl -e 'open(F, ">", $ARGV[0]); syswrite(F, $_) for split //, "{\"type\":\"a.bytes\",\"data\":{\"q\":\"}\\\"{\"}}\n"; close(F) or exit 1' "$MNT/events/emit"
	[ "$(count a.bytes)" -eq 1 ]
	[ "$(cat "$MNT/events/by-type/a.bytes/$(of_type a.bytes)/data")" = '{"q":"}\"{"}' ]
}

@test "A05: an open without a write is no event and no error" {
	before=$(wc -l <"$MNT/errors")
	depth() { sqlite3 -readonly "$STATE/hooks.db" 'SELECT count(*) FROM event'; }
	events=$(depth)
	: >"$MNT/events/emit"
	exec 8>"$MNT/events/emit"
	exec 8>&-
	exec 8<>"$MNT/events/emit"
	exec 8>&-
	printf '\n\n' >"$MNT/events/emit"
	[ "$(depth)" = "$events" ]
	[ "$(wc -l <"$MNT/errors")" = "$before" ]
}

@test "A07: writers at once, piece by piece, each get their own event" {
	exec 8>"$MNT/events/emit" 9>"$MNT/events/emit"
	printf '{"type":"a.left","data":' >&8
	printf '{"type":"a.right","data":' >&9
	printf '{"n":1}' >&8
	printf '{"n":2}' >&9
	printf '}\n' >&9
	printf '}\n' >&8
	exec 8>&- 9>&-
	[ "$(numbers a.left)" = 1 ]
	[ "$(numbers a.right)" = 2 ]
	for n in {1..8}; do
		perl -e 'open(F, ">", $ARGV[0]); for (1..200) { syswrite(F, "{\"type\":\"a.at-once\","); syswrite(F, "\"data\":{\"n\":$ARGV[1]}}\n") }' "$MNT/events/emit" "$n" 3>&- &
		pids[n]=$!
	done
	wait "${pids[@]}"
	[ "$(numbers a.at-once | sort | uniq -c | awk '{ print $1 }' | sort -u)" = 200 ]
}

@test "A08: a descriptor that many processes hold and close is one writer" {
	bash -c 'exec 3>"$1"; printf "{\"type\":\"a.dup\"," >&3
		for n in 1 2 3 4 5; do (exec 4>&3; exec 4>&-; exit) & done; wait
		printf "\"data\":{}}\n" >&3' _ "$MNT/events/emit"
	[ "$(count a.dup)" -eq 1 ]
	[ "$(wc -l <"$MNT/errors")" -eq 0 ]
}

@test "A14: a stream has a line as soon as its event is acknowledged" {
	local best=999 took begin i
	coproc STREAM { exec cat "$MNT/events/by-type/a.quick/stream"; }
	wait_for 5 '[ "$(awk "\$1 == \"sloth_fuse_parked\" { print \$2 }" "$MNT/metrics")" -ge 2 ]'
	for i in {1..20}; do
		echo '{"type":"a.quick"}' >"$MNT/events/emit"
		begin=${EPOCHREALTIME/[.,]/}
		read -rt 100 line <&"${STREAM[0]}"
		took=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
		[[ $line == *a.quick* ]]
		[ "$took" -ge "$best" ] || best=$took
		read -rt 100 line <&"${STREAM[0]}" # it is final
	done
	kill "$STREAM_PID"
	echo "# the quickest of twenty: $best ms" >&3
	[ "$best" -lt 100 ]
}

@test "A14: a reader that is killed is gone at once" {
	local best=999 took begin i
	for i in {1..5}; do
		cat "$MNT/events/by-type/a.never/stream" 3>&- &
		reader=$!
		wait_for 5 'grep -q fuse "/proc/$reader/wchan" 2>/dev/null || [ "$(awk "{ print \$3 }" "/proc/$reader/stat")" = S ]'
		begin=${EPOCHREALTIME/[.,]/}
		kill -KILL "$reader"
		wait "$reader" || true
		took=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
		[ "$took" -ge "$best" ] || best=$took
	done
	[ "$best" -lt 500 ]
}

@test "A16: grep and wc over a log that grows meanwhile end, with whole lines" {
	loadgen --mount "$MNT" --mode held --clients 1 --rate 500 --seconds 3 --type a.log >/dev/null 3>&- &
	load=$!
	while kill -0 "$load" 2>/dev/null; do
		[ "$(timeout 100 cat "$MNT/events/log" | grep -vc '^{.*}$')" -eq 0 ]
		timeout 100 grep -c a.log "$MNT/events/log" >/dev/null || [ $? -eq 1 ]
	done
	wait "$load"
}

@test "A17: cat of two hooks, cp --reflink=auto, sendfile and a linker work" {
	printf 'return { event_type = "a.b", execute = function() return true end }\n' >"$MNT/hooks/a.lua"
	cp "$MNT/hooks/a.lua" "$MNT/hooks/b.lua"
	cat "$MNT/hooks/a.lua" "$MNT/hooks/b.lua" >"$MNT/hooks/both.txt"
	[ "$(wc -l <"$MNT/hooks/both.txt")" -eq 2 ]
	cp --reflink=auto "$MNT/hooks/both.txt" "$MNT/hooks/copy.txt"
	cmp "$MNT/hooks/both.txt" "$MNT/hooks/copy.txt"
	echo 'int main(void) { return 0; }' >"$MNT/hooks/m.c"
	gcc -o "$MNT/hooks/m.bin" "$MNT/hooks/m.c"
	"$MNT/hooks/m.bin"
	python3 -c 'import os,sys; i=open(sys.argv[1],"rb"); o=open(sys.argv[2],"wb"); sys.exit(os.sendfile(o.fileno(), i.fileno(), 0, 1000) < 50)' \
		"$MNT/hooks/a.lua" "$MNT/hooks/sent.txt" || ! command -v python3
	! command -v python3 || cmp "$MNT/hooks/a.lua" "$MNT/hooks/sent.txt"
}

@test "A23: a hook that runs long is not run twice" {
	add_hook long <<-LUA
		return { event_type = "a.long", timeout = "20s", execute = function(event)
		  file.append("$BATS_TEST_TMPDIR/runs", event.id .. "\n"); sleep(4); return true end }
	LUA
	id=$(emit a.long)
	echo 60 >"$MNT/config/workers" # whatever makes the dispatcher look again
	timeout 100 cat "$MNT/events/$id/wait"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/runs")" -eq 1 ]
	[ "$(cat "$MNT/events/$id/hooks/long/attempts")" = 1 ]
}

@test "A28: sqlite3 -readonly works beside the running master" {
	id=$(emit a.b)
	timeout 100 cat "$MNT/events/$id/wait"
	[ "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT status FROM events WHERE id = '$id'")" = completed ]
	[ "$(sqlite3 -readonly "$STATE/hooks.db" 'PRAGMA quick_check')" = ok ]
}
