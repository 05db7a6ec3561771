#!/usr/bin/env bats
# What people and scripts do to directories, each with a time limit.

load functions
setup() {
	start_fsd
	cat >"$BATS_TEST_TMPDIR/good.lua" <<-'LUA'
		return { event_type = "a.b", execute = function() print("one") return true end }
	LUA
}
teardown() { cleanup; }

put_good() { cp "$BATS_TEST_TMPDIR/good.lua" "$MNT/hooks/$1.lua"; in_service "$1"; }
in_service() { wait_for 5 "grep -qx ok '$MNT/ctl/hooks/$1/status' 2>/dev/null"; }
# says WORD: an event a.b makes hook $1 print WORD.
says() {
	local id
	id=$(emit '{"type":"a.b"}')
	timeout 100 cat "$MNT/events/$id/wait" >/dev/null
	[ "$(cat "$MNT/events/$id/hooks/$1/output")" = "$2" ]
}

@test "grep -r, find, cp -r, wc, tar and diff -r end, and agree" {
	put_good a
	id=$(emit '{"type":"a.b","data":{"word":"needle"}}')
	timeout 100 cat "$MNT/events/$id/wait"
	timeout 100 grep -r needle "$MNT/events/$id" | grep -q /data:
	# grep does not wait for a read, and an answer to a query takes its moment
	timeout 100 grep -r --exclude=query nothing-like-it "$MNT" || [ $? -eq 1 ]
	[ "$(timeout 100 find "$MNT" | wc -l)" -gt 50 ]
	[ "$(wc -c <"$MNT/events/$id/data")" -eq "$(stat -c %s "$MNT/events/$id/data")" ]
	timeout 100 cp -r "$MNT/events/$id" "$BATS_TEST_TMPDIR/copy"
	timeout 100 diff -r "$MNT/events/$id" "$BATS_TEST_TMPDIR/copy"
	timeout 100 tar -C "$MNT" -cf "$BATS_TEST_TMPDIR/all.tar" hooks ctl
	timeout 100 tar -C "$MNT" -df "$BATS_TEST_TMPDIR/all.tar" hooks
}

@test "cp -r of the whole mount ends" {
	put_good a
	emit '{"type":"a.b"}'
	timeout 100 cp -r "$MNT" "$BATS_TEST_TMPDIR/whole"
	[ -s "$BATS_TEST_TMPDIR/whole/README" ]
	[ -s "$BATS_TEST_TMPDIR/whole/hooks/a.lua" ]
}

@test "A16: tail -f follows the event log" {
	timeout 100 tail -n +1 -f "$MNT/events/log" >"$BATS_TEST_TMPDIR/out" 3>&- &
	tail_pid=$!
	for n in 1 2 3; do emit '{"type":"a.b"}'; done
	wait_for 15 '[ "$(grep -c a.b "$BATS_TEST_TMPDIR/out")" -eq 3 ]'
	emit '{"type":"a.c"}'
	wait_for 15 'grep -q a.c "$BATS_TEST_TMPDIR/out"'
	kill "$tail_pid"
}

@test "A16: tail -F follows the event log across a rotation" {
	echo 4K >"$MNT/config/events_log_max_bytes"
	emit '{"type":"a.b"}'
	timeout 100 tail -n +1 -F "$MNT/events/log" >"$BATS_TEST_TMPDIR/out" 2>/dev/null 3>&- &
	tail_pid=$!
	for n in $(seq 60); do emit "{\"type\":\"a.b\",\"id\":\"e$n\"}" >/dev/null; done
	wait_for 10 '[ -n "$(ls "$MNT/events/log.d")" ]'
	emit '{"type":"a.last"}'
	wait_for 15 'grep -q a.last "$BATS_TEST_TMPDIR/out"'
	kill "$tail_pid"
}

@test "A16: less +F follows the event log" {
	requires less tmux
	tmux -L "sloth$$" -f /dev/null new-session -d -x 200 -y 40 "less +F '$MNT/events/log'" 3>&-
	emit '{"type":"a.seen"}'
	wait_for 15 'tmux -L "sloth$$" capture-pane -p | grep -q a.seen'
	tmux -L "sloth$$" kill-server
}

@test "inotifywait sees what is promised to be seen" {
	requires inotifywait
	timeout 100 inotifywait -q -m -e modify,attrib,create "$MNT/events" "$MNT/events/log" "$MNT/hooks" >"$BATS_TEST_TMPDIR/seen" 2>"$BATS_TEST_TMPDIR/ino" 3>&- &
	watcher=$!
	wait_for 5 '[ "$(cat /proc/$(pgrep -P "$watcher")/fdinfo/* 2>/dev/null | grep -c ^inotify)" -ge 3 ]'
	emit '{"type":"a.b"}'
	wait_for 10 'grep -q "events/log" "$BATS_TEST_TMPDIR/seen"'
	wait_for 10 'grep -q "events/ " "$BATS_TEST_TMPDIR/seen"'
	put_good seen
	wait_for 10 'grep -q "hooks/ CREATE seen.lua" "$BATS_TEST_TMPDIR/seen"'
	kill "$watcher"
}

@test "vim saves, in each of its ways" {
	requires vim
	put_good a
	for way in 'set nobackup nowritebackup' 'set backupcopy=yes writebackup' 'set backupcopy=no writebackup' 'set backup backupdir=.'; do
		timeout 100 vim -u NONE -es -c "$way" -c '%s/print(".*")/print("'"${way: -3:2}"'")/' -c wq "$MNT/hooks/a.lua" </dev/null
		wait_for 5 "says a '${way: -3:2}'"
		[ "$(ls -A "$MNT/hooks" | grep -c 'lua$')" -eq 1 ]
	done
}

@test "sed -i, cp -p, mv in and over, install, >, >> all save" {
	put_good a
	sed -i 's/one/two/' "$MNT/hooks/a.lua"
	wait_for 5 'says a two'
	sed 's/one/three/' "$BATS_TEST_TMPDIR/good.lua" >"$BATS_TEST_TMPDIR/b.lua"
	cp -p "$BATS_TEST_TMPDIR/b.lua" "$MNT/hooks/a.lua"
	wait_for 5 'says a three'
	[ "$(stat -c %Y "$MNT/hooks/a.lua")" = "$(stat -c %Y "$BATS_TEST_TMPDIR/b.lua")" ]
	sed 's/one/four/' "$BATS_TEST_TMPDIR/good.lua" >"$BATS_TEST_TMPDIR/c.lua"
	mv "$BATS_TEST_TMPDIR/c.lua" "$MNT/hooks/"
	in_service c
	mv "$MNT/hooks/c.lua" "$MNT/hooks/a.lua"
	wait_for 5 'says a four'
	[ "$(ls "$MNT/hooks")" = a.lua ]
	[ ! -e "$MNT/ctl/hooks/c" ]
	sed 's/one/five/' "$BATS_TEST_TMPDIR/good.lua" >"$BATS_TEST_TMPDIR/d.lua"
	install -m 644 "$BATS_TEST_TMPDIR/d.lua" "$MNT/hooks/a.lua"
	wait_for 5 'says a five'
	sed 's/one/six/' "$BATS_TEST_TMPDIR/good.lua" >"$MNT/hooks/a.lua"
	wait_for 5 'says a six'
	echo '-- the end' >>"$MNT/hooks/a.lua"
	wait_for 5 'grep -q "the end" "$STATE/hooks/a.lua"'
	wait_for 5 'says a six'
}

@test "rsync -a --delete makes hooks/ equal to a directory" {
	requires rsync
	mkdir "$BATS_TEST_TMPDIR/set"
	for n in 1 2 3; do cp "$BATS_TEST_TMPDIR/good.lua" "$BATS_TEST_TMPDIR/set/h$n.lua"; done
	echo notes >"$BATS_TEST_TMPDIR/set/NOTES"
	put_good old
	timeout 100 rsync -a --delete "$BATS_TEST_TMPDIR/set/" "$MNT/hooks/"
	diff -r "$BATS_TEST_TMPDIR/set" "$MNT/hooks"
	for n in 1 2 3; do in_service "h$n"; done
	wait_for 5 '[ "$(ls "$MNT/ctl/hooks" | tr "\n" " ")" = "h1 h2 h3 " ]'
}

@test "tar -x and git checkout bring hooks in" {
	requires git
	mkdir "$BATS_TEST_TMPDIR/set"
	for n in 1 2 3; do cp "$BATS_TEST_TMPDIR/good.lua" "$BATS_TEST_TMPDIR/set/t$n.lua"; done
	tar -C "$BATS_TEST_TMPDIR/set" -cf - . | timeout 100 tar -C "$MNT/hooks" -xf -
	for n in 1 2 3; do in_service "t$n"; done
	cd "$MNT/hooks"
	export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t GIT_CONFIG_GLOBAL=/dev/null
	timeout 100 git init -q -b main
	timeout 100 git add -A
	timeout 100 git commit -qm first
	timeout 100 git checkout -qb second
	sed -i 's/one/branch/' t1.lua
	git rm -q t3.lua
	timeout 100 git commit -qam second
	wait_for 5 'says t1 branch'
	timeout 100 git checkout -q main
	wait_for 5 'says t1 one'
	[ -z "$(git status --porcelain)" ]
	in_service t3
	cd /
	wait_for 5 '[ "$(ls "$MNT/ctl/hooks" | tr "\n" " ")" = "t1 t2 t3 " ]'
}

@test "A17: mmap, dd, truncate and sizes behave as on a disk" {
	put_good a
	[ "$(dd if="$MNT/hooks/a.lua" bs=1 2>/dev/null | cksum)" = "$(cksum <"$BATS_TEST_TMPDIR/good.lua")" ]
	printf 'tail' | dd of="$MNT/hooks/note.txt" oflag=append conv=notrunc 2>/dev/null
	printf 'tail' | dd of="$MNT/hooks/note.txt" oflag=append conv=notrunc 2>/dev/null
	[ "$(cat "$MNT/hooks/note.txt")" = tailtail ]
	truncate -s 4 "$MNT/hooks/note.txt"
	[ "$(cat "$MNT/hooks/note.txt")" = tail ]
	python3 -c 'import mmap,sys; f=open(sys.argv[1],"rb"); m=mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ); sys.exit(m[:6]!=b"return")' "$MNT/hooks/a.lua" || ! command -v python3
}

@test "renameat2 flags are honoured" {
	put_good a
	cp "$BATS_TEST_TMPDIR/good.lua" "$BATS_TEST_TMPDIR/keep.lua"
	echo new >"$MNT/hooks/x.txt"
	echo old >"$MNT/hooks/y.txt"
	mv -n "$MNT/hooks/x.txt" "$MNT/hooks/y.txt" || true
	[ "$(cat "$MNT/hooks/y.txt")" = old ]
	! ln "$MNT/hooks/x.txt" "$MNT/hooks/z.txt" 2>/dev/null
	ln -s nowhere "$MNT/hooks/.#a.lua"
	[ "$(readlink "$MNT/hooks/.#a.lua")" = nowhere ]
	rm "$MNT/hooks/.#a.lua"
}
