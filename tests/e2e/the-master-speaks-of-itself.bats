#!/usr/bin/env bats
# system.startup, system.shutdown, system.warning and system.error are events like others.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# data_of TYPE: the payload of the one event of a type.
data_of() { cat "$MNT/events/by-type/$1"/*/data; }

@test "a start and a stop are events with the fields events/types names" {
	wait_for 5 '[ "$(data_of system.startup | jq -r .version)" = "$(cat "$TOP/VERSION")" ]'
	[ "$(data_of system.startup | jq -r '[.mount, .crashed] | join(" ")')" = "$MNT false" ]
	data_of system.startup | jq -e '.start_time | test("^20..-..-..T")'
	stop_fsd
	start_fsd
	[ "$(data_of system.shutdown | jq -r .reason)" = SIGTERM ]
	data_of system.shutdown | jq -e '.uptime | test("s$")'
	for type in startup shutdown warning error; do
		for field in $(awk -v type="system.$type" '$2 == type { print $4 }' "$MNT/events/types" | tr , ' '); do
			case $type in startup | shutdown) cat "$MNT/events/by-type/system.$type"/*/data | jq -se "all(has(\"$field\"))" ;; esac
		done
	done
}

@test "a warning of the master is an event, and a hook of it that fails makes no circle" {
	add_hook deaf <<-'LUA'
		return { event_type = "system.*", execute = function(event)
		  if event.type == "system.warning" then error("failed on " .. event.data.message) end
		  return true
		end }
	LUA
	add_hook deadly <<<'return { event_type = "a.b", execute = function() exec.run("kill -9 $PPID") sleep(5) return true end }'
	id=$(emit '{"type":"a.b"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = failed ]
	wait_for 5 'data_of system.warning 2>/dev/null | jq -e "select(.message | test(\"worker .* ended\"))" >/dev/null'
	[ "$(data_of system.warning | jq -r '[.component, .severity] | join(" ")' | sort -u)" = "master warning" ]
	wait_for 5 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	[ "$(hook_status "$(ls "$MNT/events/by-type/system.warning")" deaf)" = failed ]
	[ "$(ls "$MNT/events/by-type/system.warning" | wc -l)" -eq 1 ]
}
