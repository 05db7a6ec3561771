# Pages whose commands are run and whose printed output is held against what the commands print.
#
#	load pages
#	run_page FILE     # each command of its console blocks, in $MNT; sets $steps
#
# A line `$ ` begins a command, `> ` continues it, what follows is its output.  Times, ids and durations differ
# from run to run, and so do a terminal's columns: they are no difference.  A line `...` stands for any lines.

masked() {
	sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g; s/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ID/g' |
		sed -E 's/\b[0-9]+(\.[0-9]+)?(ms|us|µs)\b/DURATION/g; s/"duration_ms": ?[0-9.]+/DURATION/g; s/[─┌┬┐│├┼┤└┴┘-]{3,}/RULE/g' |
		tr -s ' \t\n' ' '
}

# Each command of the page: calls step COMMAND EXPECTED.
run_page() {
	local line command='' expected='' inside=''
	steps=0
	while IFS= read -r line; do
		case $inside$line in
		'```console') inside=yes ;;
		'yes```' | 'yes$ '*)
			[ -z "$command" ] || step "$command" "$expected" || return 1
			command='' expected=''
			if [ "$line" = '```' ]; then inside=''; else command=${line#'$ '}; fi
			;;
		'yes> '*) command+=$'\n'${line#'> '} ;;
		yes*) expected+=$line$'\n' ;;
		esac
	done <"$1"
}

step() {
	local printed wanted
	steps=$((steps + 1))
	printed=$(cd "$MNT" && timeout 100 bash -c "$1" 2>&1) || [ $? -ne 124 ] || { echo "did not end: $1"; return 1; }
	wanted=$(masked <<<"${2%$'\n'}" | sed 's/[][*?\\]/\\&/g; s/\.\.\./*/g')
	# shellcheck disable=SC2053 # a pattern
	[[ $(masked <<<"$printed") == $wanted ]] || {
		printf '%s\n' "command: $1" "printed: $printed" "page:    $2"
		return 1
	}
}
