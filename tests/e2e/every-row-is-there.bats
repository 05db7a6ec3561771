#!/usr/bin/env bats
# Each row of mount-layout/ is a path of the mount, of its kind, with its mode, listed or not as it says.

load functions
setup() {
	start_fsd --set events_log_max_bytes=4K
	mkdir "$MNT/stacks/prod"
	add_hook a <<<'return { event_type = "a.cause", execute = function(event) event.dispatch("a.effect", {}) return true end }'
	cp "$MNT/hooks/a.lua" "$MNT/stacks/prod/hooks/a.lua"
	wait_for 5 'grep -qx ok "$MNT/stacks/prod/ctl/hooks/a/status"'
	ROOT_ID=$(emit '{"type":"a.cause"}')
	STACK_ID=$(emit '{"type":"a.cause","stack":"prod"}')
	timeout 100 cat "$MNT/events/$ROOT_ID/wait" "$MNT/events/$STACK_ID/wait"
	EFFECT_ID=$(ls "$MNT/events/$ROOT_ID/effects" | head -n1)
	STACK_EFFECT_ID=$(ls "$MNT/events/$STACK_ID/effects" | head -n1)
	for n in $(seq 40); do emit '{"type":"a.filler","data":{"text":"to make the log long enough for a segment"}}' >/dev/null; done
	wait_for 10 '[ -n "$(ls "$MNT/events/log.d")" ]'
}
teardown() { cleanup; }

# fill PATH: the path with a name that exists for every parameter, one component after the other.
fill() {
	local at= part id=$ROOT_ID
	[[ $1 == /stacks/* ]] && id=$STACK_ID
	[[ $1 == /events/*/cause ]] && id=$EFFECT_ID # an event from outside has no cause
	[[ $1 == /stacks/*/cause ]] && id=$STACK_EFFECT_ID
	local IFS=/
	for part in ${1#/}; do
		case $part in
		'{event}') [[ $at == */hooks* ]] && part=a || part=$id ;;
		'{stack}') part=prod ;;
		'{status}') part=completed ;; # the others may be empty
		'{hook}') part=$(ls "$MNT$at" | grep -m1 '^a\(@\|$\)') ;;
		'{'*) part=$(ls -U "$MNT$at" | head -n1) ;;
		esac
		at=$at/$part
	done
	echo "$MNT$at"
}

@test "every row is a path of its kind, with its mode and its listing" {
	local rows=0
	while IFS=$'\t' read -r path mode kind flags; do
		rows=$((rows + 1))
		real=$(fill "$path")
		case $kind in
		link) [ -L "$real" ] || { echo "no link: $path ($real)"; return 1; } ; continue ;;
		dir | source) [ -d "$real" ] || { echo "no directory: $path ($real)"; return 1; } ;;
		*) [ -f "$real" ] || { echo "no file: $path ($real)"; return 1; } ;;
		esac
		[ "$kind" = source ] || [ "$(stat -c %a "$real")" = "$((10#$mode))" ] || {
			echo "mode of $path is $(stat -c %a "$real"), the row says $mode"
			return 1
		}
		[ "$path" = / ] && continue
		listed=$(ls -a "$(dirname "$real")" | grep -cFx -- "$(basename "$real")" || true)
		if [[ $flags == *,unlisted* ]]; then
			[ "$listed" -eq 0 ] || { echo "listed: $path"; return 1; }
		elif [[ $path != /events/'{event}'* && $path != */events/'{event}'* ]]; then
			[ "$listed" -eq 1 ] || { echo "not listed: $path"; return 1; }
		fi
	done < <(cd "$TOP" && lua5.4 tools/gen/rows.lua list mount-layout/*.rows)
	echo "# $rows rows" >&3
	[ "$rows" -gt 100 ]
}

@test "every readable file ends in a newline, has the size it says, and reads the same twice" {
	while IFS=$'\t' read -r path mode kind flags; do
		case $kind in text | value) ;; *) continue ;; esac
		[ $((8#$mode & 0400)) -ne 0 ] || continue
		real=$(fill "$path")
		case $path in /status* | /metrics | */queue/* | */latency | */last_run) continue ;; esac # they move
		cat "$real" >"$BATS_TEST_TMPDIR/content"
		[ "$(stat -c %s "$real")" -eq "$(stat -c %s "$BATS_TEST_TMPDIR/content")" ] || { echo "size of $path"; return 1; }
		[ ! -s "$BATS_TEST_TMPDIR/content" ] || [ -z "$(tail -c1 "$BATS_TEST_TMPDIR/content")" ] || { echo "no newline: $path"; return 1; }
		cmp "$real" "$BATS_TEST_TMPDIR/content"
	done < <(cd "$TOP" && lua5.4 tools/gen/rows.lua list mount-layout/*.rows)
}

@test "every directory explains itself in .help, which is not listed" {
	while IFS=$'\t' read -r path mode kind flags; do
		[ "$kind" = dir ] || continue
		real=$(fill "$path")
		[ -s "$real/.help" ] || { echo "no .help: $path"; return 1; }
		! ls -a "$real" | grep -qFx .help
	done < <(cd "$TOP" && lua5.4 tools/gen/rows.lua list mount-layout/*.rows)
}
