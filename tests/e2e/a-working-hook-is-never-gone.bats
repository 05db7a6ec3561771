#!/usr/bin/env bats
# Whatever saves a hook, and however it does so, events that come in meanwhile each meet one version of it:
# the old one or the new one.  What editors leave beside it is never registered.

load functions
load_pid=
setup() {
	start_fsd
	write_hook one >"$BATS_TEST_TMPDIR/one.lua"
	add_hook a <"$BATS_TEST_TMPDIR/one.lua"
	: >"$BATS_TEST_TMPDIR/acked"
}
teardown() {
	[ -z "$load_pid" ] || kill "$load_pid" 2>/dev/null || true
	cleanup
}

write_hook() { printf 'return { event_type = "tick.*", execute = function() return true, "%s" end }\n' "$1"; }

# answers TEXT: soon the hook in service is the one that answers this.
answers() {
	wait_for 5 'id=$(emit tick.probe) && timeout 100 cat "$MNT/events/$id/wait" >/dev/null && [ "$(cat "$MNT/events/$id/hooks/a/message")" = '"$1"' ]'
}

begin_ticks() {
	loadgen --mount "$MNT" --mode held --clients 1 --rate 300 --seconds 1200 --type tick.now \
		--ack "$BATS_TEST_TMPDIR/acked" --prefix t >/dev/null 3>&- &
	load_pid=$!
	wait_for 5 '[ -s "$BATS_TEST_TMPDIR/acked" ]'
}

# no_tick_was_missed [GLOB]: each event that was acknowledged has one success of the hook, and nothing else is
# registered, nor ever was, but what the pattern names.
no_tick_was_missed() {
	local acked
	wait_for 10 '[ "$(wc -l <"$BATS_TEST_TMPDIR/acked")" -gt 300 ]'
	kill "$load_pid"
	wait "$load_pid" 2>/dev/null || true
	load_pid=
	wait_for 20 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	acked=$(wc -l <"$BATS_TEST_TMPDIR/acked")
	[ "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT count(*) FROM event_hook_executions x JOIN events e ON e.id = x.event_id
		WHERE e.type = 'tick.now' AND x.success AND x.hook_name = 'a'")" -ge "$acked" ]
	[ -z "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT e.id FROM events e LEFT JOIN event_hook_executions x ON x.event_id = e.id
		WHERE e.type = 'tick.now' AND x.hook_name IS NULL OR NOT x.success LIMIT 3")" ]
	[ "$(ls "$MNT/ctl/hooks")" = a ]
	[ "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT group_concat(name) FROM hook WHERE name NOT GLOB '${1:-a}'")" = "${1:+a}" ]
}

# in_nano KEYS FILE: type into nano when it is there.
in_nano() {
	local screen=$BATS_TEST_TMPDIR/screen pid
	mkfifo "$BATS_TEST_TMPDIR/keys"
	TERM=xterm timeout 100 script -qfec "nano -I '$2'" /dev/null <"$BATS_TEST_TMPDIR/keys" >"$screen" 3>&- &
	pid=$!
	exec {keys}>"$BATS_TEST_TMPDIR/keys"
	wait_for 10 'grep -q "Exit" "$screen"'
	printf '%b' "$1" >&"$keys"
	exec {keys}>&-
	wait "$pid"
}

@test "A10: vim, in each of its ways" {
	begin_ticks
	for way in 'set nobackup nowritebackup' 'set backupcopy=yes writebackup' 'set backupcopy=no writebackup' 'set backup backupdir=.'; do
		new=vim${#way}
		timeout 100 vim -u NONE -es -c "$way" -c "%s/true, \".*\"/true, \"$new\"/" -c wq "$MNT/hooks/a.lua" </dev/null
		answers "$new"
	done
	timeout 100 vim -es -c '%s/true, ".*"/true, "as installed"/' -c wq "$MNT/hooks/a.lua" </dev/null
	answers '"as installed"'
	no_tick_was_missed
}

@test "A10: nano and emacs" {
	begin_ticks
	write_hook nano >"$BATS_TEST_TMPDIR/nano.lua"
	# cut the line, insert a file, save, leave
	in_nano "\\x0b\\x12$BATS_TEST_TMPDIR/nano.lua\\r\\x0f\\r\\x18" "$MNT/hooks/a.lua"
	answers nano
	for copying in nil t; do
		timeout 100 emacs --batch -Q --eval "(progn (setq backup-by-copying $copying make-backup-files t create-lockfiles t)
			(find-file \"$MNT/hooks/a.lua\") (goto-char (point-min)) (re-search-forward \"true, \\\".*\\\"\")
			(replace-match \"true, \\\"emacs-$copying\\\"\") (do-auto-save) (save-buffer))"
		answers "emacs-$copying"
	done
	no_tick_was_missed
}

@test "A10: sed -i, perl -i, cp -p, install, mv in and over, >, tee and dd" {
	begin_ticks
	sed -i 's/true, ".*"/true, "sed"/' "$MNT/hooks/a.lua"
	answers sed
	perl -i -pe 's/true, ".*"/true, "perl"/' "$MNT/hooks/a.lua"
	answers perl
	for way in 'cp -p' cp 'install -m 644' mv; do
		new=${way%% *}${#way}
		write_hook "$new" >"$BATS_TEST_TMPDIR/new.lua"
		$way "$BATS_TEST_TMPDIR/new.lua" "$MNT/hooks/a.lua"
		answers "$new"
	done
	write_hook over >"$MNT/hooks/.a.lua.new" # as most programs that save with care
	mv "$MNT/hooks/.a.lua.new" "$MNT/hooks/a.lua"
	answers over
	write_hook shell >"$MNT/hooks/a.lua"
	answers shell
	write_hook tee | tee "$MNT/hooks/a.lua" >/dev/null
	answers tee
	write_hook dd | dd of="$MNT/hooks/a.lua" 2>/dev/null
	answers dd
	no_tick_was_missed
}

@test "A10: tar -x, rsync -a and a remove with a new file at once" {
	begin_ticks
	mkdir "$BATS_TEST_TMPDIR/set"
	write_hook tar >"$BATS_TEST_TMPDIR/set/a.lua"
	tar -C "$BATS_TEST_TMPDIR/set" -cf - a.lua | tar -C "$MNT/hooks" -xf -
	answers tar
	write_hook rsync >"$BATS_TEST_TMPDIR/set/a.lua"
	rsync -a --delete "$BATS_TEST_TMPDIR/set/" "$MNT/hooks/"
	answers rsync
	write_hook again >"$BATS_TEST_TMPDIR/new.lua"
	rm "$MNT/hooks/a.lua"
	cat "$BATS_TEST_TMPDIR/new.lua" >"$MNT/hooks/a.lua"
	answers again
	no_tick_was_missed
}

@test "A10: git checkout of branches with 200 hooks" {
	local n
	begin_ticks
	cd "$MNT/hooks"
	export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t GIT_CONFIG_GLOBAL=/dev/null
	git init -q -b few
	git add a.lua
	git commit -qm few
	git checkout -qb many
	for ((n = 1; n <= 200; n++)); do
		printf 'return { event_type = "other.thing", execute = function() return true end }\n' >"h$n.lua"
	done
	write_hook many >a.lua
	git add -A
	git commit -qm many
	answers many
	timeout 100 git checkout -q few
	answers one
	timeout 100 git checkout -q many
	answers many
	wait_for 20 '[ "$(grep -lx ok "$MNT"/ctl/hooks/*/status | wc -l)" -eq 201 ]'
	[ -z "$(git status --porcelain)" ]
	timeout 100 git checkout -q few
	cd /
	wait_for 20 '[ "$(ls "$MNT/ctl/hooks")" = a ]'
	no_tick_was_missed 'h[0-9]*'
}

@test "A12: removed and created again at once, a hook keeps its state and its history" {
	id=$(emit tick.once)
	timeout 100 cat "$MNT/events/$id/wait"
	echo 7s >"$MNT/ctl/hooks/a/timeout"
	wait_for 5 '[ "$(cat "$MNT/ctl/hooks/a/runs")" = 1 ]'
	rm "$MNT/hooks/a.lua"
	write_hook back >"$MNT/hooks/a.lua"
	answers back
	[ "$(cat "$MNT/ctl/hooks/a/timeout")" = 7s ]
	[ "$(cat "$MNT/ctl/hooks/a/runs")" -ge 2 ]
	echo 0 >"$MNT/ctl/hooks/a/enabled"
	rm "$MNT/hooks/a.lua"
	write_hook off >"$MNT/hooks/a.lua"
	wait_for 5 'grep -q disabled "$MNT/ctl/hooks/a/status"'
	[ "$(cat "$MNT/ctl/hooks/a/enabled")" = 0 ]
}
