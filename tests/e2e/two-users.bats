#!/usr/bin/env bats
# Rows carry who may read and write.  A second user is held to it, in every row, and never profits from
# what the first one has opened.

load functions
setup() {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
	let_others_in
	start_fsd
}
teardown() { cleanup; }

# as_other COMMAND...: as a user who owns nothing here.
as_other() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
fill() {
	mkdir "$MNT/stacks/prod"
	add_hook a <<<'return { event_type = "a.b", execute = function() print("x") return true end }'
	cp "$MNT/hooks/a.lua" "$MNT/stacks/prod/hooks/a.lua"
	wait_for 5 'grep -qx ok "$MNT/stacks/prod/ctl/hooks/a/status"'
	ID=$(emit '{"type":"a.b","stack":"prod"}')
	timeout 100 cat "$MNT/events/$ID/wait"
}

@test "A38: every listed file gives another user what its mode says, and no more" {
	fill
	# the owner reads everything first: none of it may leak through caches
	find "$MNT" -type f -perm /444 -exec head -c1 {} + >/dev/null 2>&1
	as_other test -x "$MNT"
	while IFS=$'\t' read -r kind mode path; do
		case $kind in
		f)
			if [ $((8#$mode & 4)) -ne 0 ] && as_other test -x "$(dirname "$path")"; then
				as_other head -c1 "$path" >/dev/null || { echo "should be readable: $mode $path"; return 1; }
			else
				! as_other head -c1 "$path" >/dev/null 2>&1 || { echo "should not be readable: $mode $path"; return 1; }
			fi
			if [ $((8#$mode & 2)) -eq 0 ]; then
				! as_other bash -c ': >> "$1"' _ "$path" 2>/dev/null || { echo "should not be writable: $mode $path"; return 1; }
			fi ;;
		d)
			! as_other mkdir "$path/intruder" 2>/dev/null || { echo "made a directory in $path"; return 1; } ;;
		esac
	done < <(find "$MNT" -printf '%y\t%m\t%p\n')
}

@test "A13: another user cannot emit, save hooks or change settings, until chmod lets them" {
	fill
	! as_other bash -c "echo '{\"type\":\"a.b\"}' > '$MNT/events/emit'" 2>/dev/null
	! as_other bash -c "echo x > '$MNT/hooks/b.lua'" 2>/dev/null
	! as_other bash -c "echo 5 > '$MNT/config/workers'" 2>/dev/null
	! as_other bash -c "echo 0 > '$MNT/ctl/hooks/a/enabled'" 2>/dev/null
	! as_other chmod 666 "$MNT/events/emit" 2>/dev/null
	chmod 666 "$MNT/events/emit"
	as_other bash -c "echo '{\"type\":\"a.b\"}' > '$MNT/events/emit'"
	chown 65534 "$MNT/ctl/hooks/a/enabled"
	as_other bash -c "echo 0 > '$MNT/ctl/hooks/a/enabled'"
	[ "$(cat "$MNT/ctl/hooks/a/enabled")" = 0 ]
	ID=$(emit '{"type":"a.b"}')
	timeout 100 cat "$MNT/events/$ID/wait"
	[ -z "$(ls "$MNT/events/$ID/hooks")" ]
}

@test "modes and owners survive a restart" {
	fill
	chmod 600 "$MNT/status"
	chown 65534:65534 "$MNT/config/workers"
	chmod 700 "$MNT/stacks/prod"
	stop_fsd
	start_fsd
	[ "$(stat -c %a "$MNT/status")" = 600 ]
	[ "$(stat -c %u:%g "$MNT/config/workers")" = 65534:65534 ]
	[ "$(stat -c %a "$MNT/stacks/prod")" = 700 ]
	! as_other cat "$MNT/status" 2>/dev/null
	! as_other ls "$MNT/stacks/prod" 2>/dev/null
}

@test "members of the group sloth may emit and replay; without such a group nobody else may" {
	requires unshare
	stop_fsd
	grep -v '^sloth:' /etc/group >"$BATS_TEST_TMPDIR/group"
	for has_group in '' yes; do
		[ -z "$has_group" ] || echo 'sloth:x:4242:' >>"$BATS_TEST_TMPDIR/group"
		HAS_GROUP=$has_group unshare --mount --propagation private bash -eu -c '
			. "$1/functions.bash"
			trap cleanup EXIT
			BATS_TEST_COMPLETED=1
			mount --bind "$BATS_TEST_TMPDIR/group" /etc/group
			start_fsd
			id=$(emit "{\"type\":\"a.b\"}")
			timeout 100 cat "$MNT/events/$id/wait"
			member() { setpriv --reuid 65534 --regid 65534 --groups 4242 bash -c "$1" 2>/dev/null; }
			for file in "$MNT/events/emit" "$MNT/events/$id/replay"; do
				if [ "$HAS_GROUP" ]; then
					[ "$(stat -c %a:%g "$file")" = 660:4242 ]
					[[ $file == *replay ]] && line=1 || line="{\"type\":\"a.b\"}"
					member "echo \"${line//\"/\\\"}\" >$file"
				else
					[ "$(stat -c %g "$file")" = "$(id -g)" ]
					! member "echo x >$file"
				fi
			done
			! member "echo 5 >$MNT/config/workers"
		' _ "$TOP/tests/e2e"
	done
}
