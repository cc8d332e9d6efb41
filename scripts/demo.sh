#!/bin/sh
# The main job, shown at a terminal: a site with two masters and five minions,
# commands and states on them, and one master killed in the middle.
set -eu
cd "$(dirname "$0")/.."
dir=$(mktemp -d "${TMPDIR:-/tmp}/brine-demo.XXXXXX")
brine="bin/brine --config $dir/operator.toml"
lab="bin/brine-lab"
clean() {
	$lab down --dir "$dir" >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap clean EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
run() {
	printf '$ %s\n' "$*" | sed "s|$dir|DIR|g"
	"$@"
}
pause() { if [ -t 1 ]; then sleep "${1:-8}"; fi; }

say "A site: two masters, five minions, each a process of its own"
run $lab up --dir "$dir" --masters 2 --minions 5 --file-root scripts/examples
pause
run $brine status
pause
say "Run functions"
run $brine run '*' test.ping
run $brine run 'minion[12]' cmd.run 'uname -sr'
pause
say "Apply states: first what would change, then the change, then nothing is left to do"
run $brine apply minion1 web --test
run $brine apply minion1 web
run $brine apply minion1 web
pause
say "A job of some seconds on all minions; the master that took it is killed meanwhile"
$brine run '*' cmd.run 'sleep 4; echo still here' &
job=$!
sleep 1.5
taker=$($brine job ls --limit 1 --out jsonl | sed 's/.*"master":"\([^"]*\)".*/\1/')
run $lab kill --dir "$dir" "$taker"
wait $job
printf 'exit code 0: the other master brought the job to its end\n'
pause
run $brine status
say "The master comes back, and catches up"
run $lab start --dir "$dir" "$taker"
run $brine job ls --limit 5
say "A mistake is told before anything is touched"
run $brine run minion1 cmd.run 'id' runsa=nobody || printf 'exit code %s\n' $?
run $brine run 'mnion1' test.ping || printf 'exit code %s\n' $?
say "Done. Quick start and more: README.md"
