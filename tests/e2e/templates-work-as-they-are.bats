#!/usr/bin/env bats
# Each template of templates/hooks/ does what it says when it is filled in and its event is raised.

load functions
setup() {
	export HOME=$BATS_TEST_TMPDIR/home # of the hooks' owner
	mkdir "$HOME"
	start_fsd
}
teardown() {
	[ -z "${HTTPD_PID:-}" ] || kill "$HTTPD_PID"
	cleanup
}

# start_httpd STATUS: a server that answers with it, in $URL; requests go to $REQUESTS.
start_httpd() {
	REQUESTS=$BATS_TEST_TMPDIR/requests
	[ -p "$BATS_TEST_TMPDIR/port" ] || mkfifo "$BATS_TEST_TMPDIR/port"
	httpd "$1" "$REQUESTS" >"$BATS_TEST_TMPDIR/port" 3>&- &
	HTTPD_PID=$!
	read -r port <"$BATS_TEST_TMPDIR/port"
	URL=http://127.0.0.1:$port/hook
}

# body N: the body of the nth request.
body() { tr -d '\r' <"$REQUESTS" | awk -v n="$1" '/^POST /{ at++ } at == n && blank { print; exit } { blank = at == n && $0 == "" }'; }

# new TEMPLATE [NAME=VALUE...]: a hook h of it.
new() {
	local template=$1 sets=()
	shift
	for set; do sets+=(--set "$set"); done
	sloth-runner hook new h --force --template "$template" "${sets[@]}"
	[ "$(cat "$MNT/ctl/hooks/h/status")" = ok ]
}

# raise JSON: raise it; sets $ID and, when the hook h is done, $RESULT and $MESSAGE.
raise() {
	ID=$(emit "$1")
	timeout 100 cat "$MNT/events/$ID/wait" >/dev/null
	RESULT=$(hook_status "$ID" h)
	[ "$RESULT" = success ] && MESSAGE=$(cat "$MNT/events/$ID/hooks/h/message") ||
		MESSAGE=$(cat "$MNT/events/$ID/hooks/h/error")
}

TASK='{"type":"task.failed","data":{"task":{"task_name":"build","agent_name":"web-1","error":"exit status 2"}}}'

@test "webhook posts a line" {
	start_httpd 200
	new webhook url="$URL" 'prefix="prod" '
	raise "$TASK"
	[ "$RESULT" = success ] || { echo "$MESSAGE"; return 1; }
	body 1 | jq -e '. == {text: "\"prod\" task.failed: build on web-1: exit status 2"}'
}

@test "webhook says what the server answered" {
	start_httpd 503
	new webhook url="$URL" member=content
	raise "$TASK"
	[ "$RESULT" = failed ]
	[[ $MESSAGE == "the webhook answered 503"* ]]
	body 1 | jq -e 'has("content")'
}

@test "forward sends the whole event, with its token, and again while the server is broken" {
	start_httpd 200
	echo s3cret >"$HOME/token"
	new forward url="$URL" token_file='~/token'
	raise '{"type":"any.thing","severity":"warning","timestamp":"2026-01-02T03:04:05Z","data":{"n":1}}'
	[ "$RESULT" = success ] || { echo "$MESSAGE"; return 1; }
	body 1 | jq -e --arg id "$ID" '.id == $id and .type == "any.thing" and .data == {n: 1} and
		.severity == "warning" and (.time | startswith("2026-01-02T03:04:05"))'
	grep -qi '^Authorization: Bearer s3cret' "$REQUESTS"
	grep -qi "^Idempotency-Key: $ID" "$REQUESTS"
	kill "$HTTPD_PID"
	rm "$REQUESTS"
	start_httpd 503
	new forward url="$URL" attempts=2
	raise '{"type":"any.thing"}'
	[ "$RESULT" = failed ]
	[[ $MESSAGE == "not sent: 503"* ]]
	[ "$(grep -c '^POST ' "$REQUESTS")" -eq 2 ]
}

@test "forward does not ask again what was refused" {
	start_httpd 403
	new forward url="$URL"
	raise '{"type":"any.thing"}'
	[[ $MESSAGE == "not sent: 403"* ]]
	[ "$(grep -c '^POST ' "$REQUESTS")" -eq 1 ]
}

@test "restart_service restarts a few times, then gives up with an event" {
	new restart_service command='echo >>~/restarts' at_most=2
	raise '{"type":"service.failed","data":{"service":"nginx"}}'
	[ "$RESULT" = success ] || { echo "$MESSAGE"; return 1; }
	[ "$MESSAGE" = "nginx restarted, 1 of 2 within 1h" ]
	raise '{"type":"health.check_failed","data":{"health":{"service":"nginx"}}}'
	[ "$RESULT" = success ]
	raise '{"type":"service.failed","data":{"service":"nginx"}}'
	[ "$RESULT" = failed ]
	[ "$(cat "$HOME/restarts")" = "$(printf 'nginx\nnginx')" ]
	jq -e '.type == "service.gave_up" and .data.restarts == 2' "$MNT/events/$ID"/effects/*/event.json
	raise '{"type":"service.failed","data":{"service":"other"}}'
	[ "$RESULT" = success ]
}

@test "restart_service takes no name that is none" {
	new restart_service command='echo >>~/restarts'
	for name in '; touch ~/x' '-H evil' '$(touch ~/x)' ''; do
		raise "$(jq -nc --arg name "$name" '{type: "service.failed", data: {service: $name}}')"
		[ "$RESULT" = failed ]
		[[ $MESSAGE == "the event names no service"* ]]
	done
	[ "$(ls -A "$HOME")" = "" ]
	new restart_service command='echo >>~/restarts' service=db
	raise '{"type":"service.failed"}'
	[ "$(cat "$HOME/restarts")" = db ]
}

@test "clean_disk removes old files, and only those" {
	mkdir -p "$HOME/spool/deep dir" "$HOME/other"
	touch -d '8 days ago' "$HOME/spool/old.log" "$HOME/spool/deep dir/old.log" "$HOME/spool/old.txt" "$HOME/other/old.log"
	touch "$HOME/spool/new.log"
	ln -s "$HOME/other" "$HOME/spool/link"
	head -c 1500000 /dev/zero >"$HOME/spool/big.log"
	touch -d '8 days ago' "$HOME/spool/big.log"
	new clean_disk directory='~/spool' pattern='*.log' delete=false
	raise '{"type":"system.disk_full"}'
	[ "$MESSAGE" = "3 files, 1.5 MB would go" ]
	[ -e "$HOME/spool/old.log" ]
	new clean_disk directory='~/spool' pattern='*.log'
	raise '{"type":"system.disk_full"}'
	[ "$RESULT" = success ] || { echo "$MESSAGE"; return 1; }
	[ "$MESSAGE" = "3 files, 1.5 MB removed" ]
	[ "$(cd "$HOME" && find . -type f | sort | tr '\n' ' ')" = "./other/old.log ./spool/new.log ./spool/old.txt " ]
	new clean_disk directory=/
	raise '{"type":"system.disk_full"}'
	[ "$RESULT" = failed ]
}

@test "diagnostics writes down what commands say, and keeps the newest" {
	new diagnostics 'commands=["echo one two","exit 3"]' keep=2
	for at in 1 2 3; do
		raise "{\"type\":\"task.failed\",\"timestamp\":\"2026-01-02T03:04:0${at}Z\",\"data\":{\"n\":$at}}"
		[ "$RESULT" = success ] || { echo "$MESSAGE"; return 1; }
	done
	grep -qx 'one two' "$MESSAGE"
	grep -qFx '$ exit 3' "$MESSAGE"
	grep -qFx '(exit status 3)' "$MESSAGE"
	grep -q '"n": 3' "$MESSAGE"
	[ "$(ls "$HOME/sloth-diagnostics" | wc -l)" -eq 2 ]
	[ "$(ls "$HOME/sloth-diagnostics" | cut -c1-16 | tr '\n' ' ')" = "20260102T030402Z 20260102T030403Z " ]
	[ "$(stat -c %a "$HOME/sloth-diagnostics")" = 700 ]
}

@test "escalate raises one event for three of a kind" {
	new escalate
	for name in build test build; do
		raise "{\"type\":\"task.failed\",\"data\":{\"task\":{\"task_name\":\"$name\"}}}"
		[ ! -e "$MNT/events/$ID/effects" ] || [ -z "$(ls "$MNT/events/$ID/effects")" ]
	done
	[ "$MESSAGE" = "build: 2 of 3 within 10m" ]
	raise '{"type":"task.failed","data":{"task":{"task_name":"build","error":"again"}}}'
	[ "$RESULT" = success ] || { echo "$MESSAGE"; return 1; }
	jq -e '.type == "alert.escalated" and .severity == "critical" and .data.what == "build" and
		.data.count == 3 and .data.last.error == "again"' "$MNT/events/$ID"/effects/*/event.json
	raise '{"type":"task.failed","data":{"task":{"task_name":"build"}}}'
	[ "$MESSAGE" = "build: 1 of 3 within 10m" ]
}

@test "escalate forgets what is too long ago" {
	new escalate threshold=2 within=1m
	raise '{"type":"task.failed","timestamp":"2026-01-02T03:00:00Z"}'
	raise '{"type":"task.failed","timestamp":"2026-01-02T03:02:00Z"}'
	[ "$MESSAGE" = "task.failed: 1 of 2 within 1m" ]
	raise '{"type":"task.failed","timestamp":"2026-01-02T03:02:59Z"}'
	[[ $MESSAGE == "task.failed: escalated as "* ]]
}

@test "pipeline runs its steps and tells of each" {
	new pipeline 'steps=["echo build $DEPLOY_VERSION >>log","echo ship >>log"]' directory="$HOME"
	raise '{"type":"deploy.started","data":{"deploy":{"deploy_id":"d1","version":"v2; rm log"}}}'
	[ "$RESULT" = success ] || { echo "$MESSAGE"; return 1; }
	[ "$(cat "$HOME/log")" = "$(printf 'build v2; rm log\nship')" ]
	[ "$(cat "$MNT/events/$ID"/effects/*/type | sort | tr '\n' ' ')" = "deploy.completed deploy.step_completed deploy.step_completed " ]
	new pipeline 'steps=["false","touch ran"]' directory="$HOME"
	raise '{"type":"deploy.started","data":{"deploy":{"deploy_id":"d2"}}}'
	[ "$RESULT" = failed ]
	[[ $MESSAGE == "step 1 of 2 failed: false"* ]]
	[ ! -e "$HOME/ran" ]
	jq -e '.type == "deploy.failed" and .data.deploy_id == "d2" and .data.step == "false"' "$MNT/events/$ID"/effects/*/event.json
}

@test "audit_trail keeps a line about every event, and begins a new file in time" {
	new audit_trail max_mb=0.002
	for n in 1 2 3; do
		raise "{\"type\":\"any.thing\",\"data\":{\"n\":$n,\"pad\":\"$(printf '%0500d' 0)\"}}"
		[ "$RESULT" = success ] || { echo "$MESSAGE"; return 1; }
	done
	jq -e --arg id "$ID" '.id == $id and .type == "any.thing" and .data.n == 3' "$HOME/sloth-audit.jsonl"
	[ "$(cat "$HOME/sloth-audit.jsonl.1" "$HOME/sloth-audit.jsonl" | jq -r .data.n | tr '\n' ' ')" = "1 2 3 " ]
}

@test "cooldown acts once in a while" {
	new cooldown command='echo x >>~/done'
	raise '{"type":"system.cpu_high","data":{"resource":{"current":99}}}'
	[ "$RESULT" = success ] || { echo "$MESSAGE"; return 1; }
	raise '{"type":"system.cpu_high"}'
	[[ $MESSAGE == "still cooling down for "* ]]
	[ "$(cat "$HOME/done")" = x ]
	new cooldown command='echo x >>~/done' pause=0s
	raise '{"type":"system.cpu_high"}'
	[ "$(wc -l <"$HOME/done")" -eq 2 ]
}

@test "notify appends a line" {
	cp "$MNT/templates/hooks/notify.lua" "$MNT/hooks/h.lua" # the defaults do
	wait_for 5 'grep -qsx ok "$MNT/ctl/hooks/h/status"'
	raise "$TASK"
	[ "$RESULT" = success ] || { echo "$MESSAGE"; return 1; }
	grep -q 'build failed on web-1: exit status 2$' "$HOME/sloth-failures.log"
}

@test "there is a test above for each template" {
	for template in $(ls "$MNT/templates/hooks"); do
		grep -q "^@test \"${template%.lua} " "$BATS_TEST_FILENAME" || { echo "untested: $template"; return 1; }
	done
	[ "$(ls "$MNT/templates/hooks" | wc -l)" -ge 8 ]
}

@test "a plain copy runs with its defaults, or says at its load what has to be set" {
	for file in "$MNT"/templates/hooks/*.lua; do
		name=$(basename "$file" .lua)
		cp "$file" "$MNT/hooks/"
		if grep -q ', required: ' "$file"; then
			wait_for 5 'grep -qs "^broken: hooks/$name.lua:[0-9]*: [a-z_]* is not set: write it above" "$MNT/ctl/hooks/$name/status"'
		else
			wait_for 5 'grep -qsx ok "$MNT/ctl/hooks/$name/status"'
		fi
	done
}
