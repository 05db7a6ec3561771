#!/usr/bin/env bats
# What programs expect of files and directories, on hooks/ (kept byte for byte) and on files made when read.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

@test "renameat2: NOREPLACE refuses, EXCHANGE exchanges, what we cannot do is EINVAL" {
	cd "$MNT/hooks"
	echo one >a.txt
	echo two >b.txt
	[ "$(fileops rename noreplace a.txt b.txt)" = EEXIST ]
	[ -z "$(fileops rename exchange a.txt b.txt)" ]
	[ "$(cat a.txt b.txt)" = "$(printf 'two\none')" ]
	[ -z "$(fileops rename noreplace a.txt c.txt)" ]
	[ "$(cat c.txt)" = two ] && [ ! -e a.txt ]
	[ "$(fileops rename whiteout b.txt c.txt)" = EINVAL ]
	mkdir d
	echo inside >d/f
	[ -z "$(fileops rename exchange d c.txt)" ]
	[ "$(cat c.txt/f d)" = "$(printf 'inside\ntwo')" ]
}

@test "EXCHANGE of two hooks exchanges what is in service" {
	add_hook a <<<'return { event_type = "a.b", description = "first", execute = function() return true end }'
	add_hook b <<<'return { event_type = "a.b", description = "second", execute = function() return true end }'
	fileops rename exchange "$MNT/hooks/a.lua" "$MNT/hooks/b.lua"
	wait_for 5 '[ "$(cat "$MNT/ctl/hooks/a/description")" = second ] && [ "$(cat "$MNT/ctl/hooks/b/description")" = first ]'
}

@test "what is done to a descriptor: mode, size, times, fsync, and of its directory" {
	[ "$(fileops fd-verbs "$MNT/hooks/v.txt")" = "640 4 2000.5" ]
	touch -d @1000000000.25 "$MNT/hooks/v.txt"
	[ "$(stat -c %.Y "$MNT/hooks/v.txt")" = 1000000000.25 ] || [ "$(stat -c %.2Y "$MNT/hooks/v.txt")" = 1000000000.25 ]
	stop_fsd
	start_fsd
	[ "$(stat -c '%a %s %Y' "$MNT/hooks/v.txt")" = "640 4 1000000000" ]
}

@test "a file that is unlinked or renamed over stays what it was for who has it open" {
	[ "$(fileops unlinked "$MNT/hooks/u.txt")" = "before after" ]
	[ ! -e "$MNT/hooks/u.txt" ]
	echo one >"$MNT/hooks/o.txt"
	exec 7<"$MNT/hooks/o.txt"
	echo two >"$MNT/hooks/n.txt"
	mv "$MNT/hooks/n.txt" "$MNT/hooks/o.txt"
	[ "$(cat <&7)" = one ]
	[ "$(cat "$MNT/hooks/o.txt")" = two ]
	exec 7<&-
	[ -z "$(ls "$STATE"/hooks/.fuse* 2>/dev/null)" ]
}

@test "names: 255 bytes, not 256; directories in directories; only empty ones are removed" {
	long=$(printf 'x%.0s' $(seq 255))
	: >"$MNT/hooks/$long"
	[ "$(ls "$MNT/hooks")" = "$long" ]
	run touch "$MNT/hooks/${long}x"
	[[ $output == *"File name too long"* ]]
	rm "$MNT/hooks/$long"
	mkdir -p "$MNT/hooks/a/b/c/d/e/f"
	echo deep >"$MNT/hooks/a/b/c/d/e/f/g"
	run rmdir "$MNT/hooks/a"
	[[ $output == *"not empty"* ]]
	mv "$MNT/hooks/a/b" "$MNT/hooks/z"
	[ "$(cat "$MNT/hooks/z/c/d/e/f/g")" = deep ]
	rm -r "$MNT/hooks/a" "$MNT/hooks/z"
	[ -z "$(ls -A "$MNT/hooks")" ]
}

@test "a shared mapping reads a hook; df, sync and stat -f are instant" {
	echo 'return {}' >"$MNT/hooks/m.txt"
	[ "$(fileops mmap "$MNT/hooks/m.txt")" = 'return {}' ]
	timeout 100 df "$MNT" >/dev/null
	timeout 100 stat -f "$MNT" >/dev/null
	timeout 100 sync -f "$MNT/hooks/m.txt"
}

@test "what is open does not change until it is closed; a log grows under its reader" {
	exec 7<"$MNT/config/workers" 8<"$MNT/events/log"
	before=$(stat -Lc %s /dev/fd/8)
	echo 1234 >"$MNT/config/workers"
	id=$(emit '{"type":"a.b"}')
	timeout 100 cat "$MNT/events/$id/wait"
	wait_for 5 '[ "$(stat -Lc %s "$MNT/events/log")" -gt "$before" ]'
	[ "$(stat -Lc %s /dev/fd/8)" -gt "$before" ]
	[ "$(cat <&7)" = 100 ]
	grep -q "$id" <&8
	[ "$(cat "$MNT/config/workers")" = 1234 ]
	[ "$(stat -c %s "$MNT/config/workers")" -eq 5 ]
	exec 7<&- 8<&-
}

@test "a large directory is listed whole and once while names come and go" {
	mkdir "$MNT/hooks/big"
	(cd "$MNT/hooks/big" && for n in $(seq 1500); do : >"stays$n"; done)
	(cd "$MNT/hooks/big" && for n in $(seq 400); do : >"new$n" && rm "new$n"; done) 3>&- &
	adds=$!
	while kill -0 $adds 2>/dev/null; do
		ls -U "$MNT/hooks/big" >"$BATS_TEST_TMPDIR/names"
		[ "$(grep -c ^stays "$BATS_TEST_TMPDIR/names")" -eq 1500 ]
		[ -z "$(sort "$BATS_TEST_TMPDIR/names" | uniq -d)" ]
	done
	wait $adds
	for n in $(seq 3000); do echo '{"type":"a.b"}'; done >"$MNT/events/emit"
	for n in $(seq 10); do for k in $(seq 200); do echo '{"type":"a.b"}'; done >"$MNT/events/emit"; done 3>&- &
	adds=$!
	while kill -0 $adds 2>/dev/null; do
		ls -U "$MNT/events/by-type/a.b" >"$BATS_TEST_TMPDIR/names"
		[ "$(wc -l <"$BATS_TEST_TMPDIR/names")" -ge 3000 ]
		[ -z "$(sort "$BATS_TEST_TMPDIR/names" | uniq -d)" ]
	done
	wait $adds
}

@test "who stands in an event that is deleted has nothing left, and who has a file of it reads on" {
	id=$(emit '{"type":"a.b","data":{"x":1}}')
	timeout 100 cat "$MNT/events/$id/wait"
	exec 7<"$MNT/events/$id/data"
	cd "$MNT/events/$id"
	rmdir "$MNT/events/$id"
	[ -z "$(ls)" ]
	! cat status 2>/dev/null
	[ "$(cat <&7)" = '{"x":1}' ]
	cd /
	exec 7<&-
	[ ! -e "$MNT/events/$id" ] && [ ! -L "$MNT/events/by-type/a.b/$id" ] && [ ! -L "$MNT/events/by-status/completed/$id" ]
}
