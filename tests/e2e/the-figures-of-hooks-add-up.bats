#!/usr/bin/env bats
# Counters, percentiles and metrics of hooks agree with what ran.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

metric() { awk -v name="$1" '$1 == name { print $2 }' "$MNT/metrics"; }

@test "runs, failures, decisions and latency are the same in every place that tells them" {
	add_hook a <<<'return { event_type = "n.x", execute = function(event) sleep("2ms") return event.data.n % 4 ~= 0, "no" end }'
	seq 20 | sed 's/.*/{"type":"n.x","data":{"n":&}}/' >"$MNT/events/emit"
	wait_for 10 '[ "$(cat "$MNT/ctl/hooks/a/runs")" = 20 ]'
	[ "$(cat "$MNT/ctl/hooks/a/failures")" = 5 ]
	[ "$(awk '{ print $1 $2 }' "$MNT/ctl/hooks/a/counts" | grep -v '0$' | xargs)" = "success15 failed5" ]
	[ "$(metric 'sloth_hook_runs_total{hook="a"}')" = 20 ]
	[ "$(metric 'sloth_hook_failures_total{hook="a"}')" = 5 ]
	[ "$(metric 'sloth_hook_duration_seconds_count{hook="a"}')" = 20 ]
	[ "$(metric 'sloth_hook_duration_seconds_bucket{hook="a",le="0.001048576"}')" = 0 ]
	[ "$(metric 'sloth_hook_duration_seconds_bucket{hook="a",le="+Inf"}')" = 20 ]
	[ "$(metric sloth_queue_wait_seconds_count)" -ge 20 ]
	[ "$(metric sloth_hooks_broken)" = 0 ]
	jq -e '.runs == 20 and .failures == 5 and .counts == {"success":15,"failed":5} and .p50_ms >= 2 and .p99_ms >= .p50_ms' "$MNT/ctl/hooks.jsonl"
	wait_for 5 '[ "$(wc -l <"$MNT/ctl/hooks/a/log")" = 20 ]'
	jq -es 'map(.status) | group_by(.) | map(length) == [5, 15]' "$MNT/ctl/hooks/a/log"
}

@test "metrics is Prometheus text: each series declared once, each line of its form" {
	add_hook a <<<'return { event_type = "n.x", execute = function() return true end }'
	echo 'return {' >"$MNT/hooks/broken.lua"
	id=$(emit '{"type":"n.x"}')
	timeout 100 cat "$MNT/events/$id/wait"
	wait_for 5 '[ "$(metric sloth_hooks_broken)" = 1 ]'
	cat "$MNT/metrics" >"$BATS_TEST_TMPDIR/metrics"
	[ -z "$(grep '^# TYPE' "$BATS_TEST_TMPDIR/metrics" | sort | uniq -d)" ]
	[ -z "$(grep -vE '^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? -?[0-9.e+-]+)$' "$BATS_TEST_TMPDIR/metrics")" ]
	# no value without its declaration
	[ -z "$(comm -23 <(grep -v '^#' "$BATS_TEST_TMPDIR/metrics" | sed -E 's/[{ ].*//; s/_(bucket|sum|count)$//' | sort -u) \
		<(awk '$2 == "TYPE" { print $3 }' "$BATS_TEST_TMPDIR/metrics" | sed -E 's/_(bucket|sum|count)$//' | sort -u))" ]
}
