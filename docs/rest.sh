#!/bin/sh
# Calls everything that the REST API offers, once, and stops at the first answer that is not as it should be.
#
#   RUNYARD_URL=http://127.0.0.1:8300 RUNYARD_TOKEN="$(cat ~/.local/share/runyard/token)" sh docs/rest.sh
#
# It needs curl and a POSIX shell, here and on the server's machine. It submits a dozen small runs, sets and deletes
# the module "rest-example", and pauses the server for a moment: run it where that disturbs nobody.
set -eu

: "${RUNYARD_URL:?set it to the address of the server, as http://127.0.0.1:8300}"
: "${RUNYARD_TOKEN:?set it to the text of the file "token" in the data folder of the server}"

umask 077
work=$(mktemp -d)
paused=
drained=
trap 'code=$?; tidy; exit "$code"' EXIT
trap 'exit 130' INT TERM

# From a file the token does not show in the list of processes, as an argument would.
cat >"$work/curlrc" <<END
silent
show-error
header = "Authorization: Bearer $RUNYARD_TOKEN"
header = "Content-Type: application/json"
END

curl() { command curl --config "$work/curlrc" "$@"; }

tidy() {
    [ -z "$paused" ] || curl -X POST "$RUNYARD_URL/api/resume" >"$work/body" || :
    [ -z "$drained" ] || curl -X POST "$RUNYARD_URL/api/nodes/$drained/undrain" >"$work/body" || :
    rm -rf "$work"
}

fail() {
    printf 'not as it should be: %s\n' "$1" >&2
    cat "$work/error" >&2
    # The first 2,000 bytes of the answer say why.
    [ ! -s "$work/body" ] || dd bs=2000 count=1 2>/dev/null <"$work/body" >&2
    exit 1
}

# expect STATUS WORDS curl ...: make a call; its answer lies in $work/body then, and its headers in $work/head.
expect() {
    wanted=$1 words=$2
    shift 2
    printf '%s\n' "$words"
    rm -f "$work/body" "$work/head"
    status=$("$@" --output "$work/body" --dump-header "$work/head" --write-out '%{http_code}' 2>"$work/error") ||
        # 28: the time that was given to a stream without an end is over.
        [ $? -eq 28 ] || fail "curl: no answer to: $*"
    [ "$status" = "$wanted" ] || fail "$status instead of $wanted for: $*"
}

# has TEXT: the last answer holds it.
has() { grep -F -q -e "$1" "$work/body" || fail "the answer lacks: $1"; }

# header TEXT: the headers of the last answer hold it.
header() { grep -i -q -e "^$1" "$work/head" || fail "the headers lack: $1"; }

# is TEXT: the last answer is it, and nothing else.
is() { printf '%b' "$1" | cmp -s - "$work/body" || fail "the answer is not: $1"; }

# field NAME: print the first text of that name in the last answer.
field() { tr ',{' '\n\n' <"$work/body" | sed -n "s/^ *\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }

# await RUN_ID: wait for its end; the stream of its log ends with it, and with the run as it is then.
await() { expect 200 "  wait for run $1" curl -N "$RUNYARD_URL/api/runs/$1/log/stream" && has 'event: end'; }

echo '# Health and documents'
expect 200 'does the server live?' curl "$RUNYARD_URL/healthz"
expect 200 'do manager, Ray and database answer?' curl "$RUNYARD_URL/readyz"
expect 200 'the OpenAPI document' curl "$RUNYARD_URL/openapi.json"
has '/api/runs/{run_id}/log/stream'
expect 200 'the same for people' curl "$RUNYARD_URL/docs"
expect 200 'metrics for Prometheus' curl "$RUNYARD_URL/metrics"
has 'runyard_slots'

echo '# Who may call'
expect 401 'without the token: refused' command curl -s "$RUNYARD_URL/api/runs"
has '"type":"urn:runyard:AuthenticationError"'
header 'Content-Type: application/problem+json'
expect 403 'from the page of another origin: refused' curl -H 'Origin: http://elsewhere.example' "$RUNYARD_URL/api/runs"

echo '# Events: where the stream stands before anything is done'
expect 200 'events from now on, for two seconds' curl -N --max-time 2 "$RUNYARD_URL/api/events"
has 'event: open'
seq=$(sed -n 's/^id: //p' "$work/body" | head -n 1)
[ -n "$seq" ] || fail 'the stream does not say where it stands'

echo '# One run'
expect 202 'submit a command' curl "$RUNYARD_URL/api/runs" -d '{"command": ["printf"], "args": ["one\ntwo\nthree\n"], "name": "Count", "labels": {"kind": "rest"}, "num_cpus": 0.1, "memory": "64MiB", "timeout": "1m"}'
run=$(field run_id)
await "$run"
has '"status":"completed"'
expect 200 'show it' curl "$RUNYARD_URL/api/runs/$run"
has '"exit_code":0'
expect 200 'list its attempts' curl "$RUNYARD_URL/api/runs/$run/attempts"
has '"attempt":1'
expect 200 'what it used over time' curl "$RUNYARD_URL/api/runs/$run/usage?attempt=1"
has '"cpu_percent":'
expect 404 'show a run that nobody knows' curl "$RUNYARD_URL/api/runs/00000000000000000000000000"
expect 422 'submit one with a field that does not exist' curl "$RUNYARD_URL/api/runs" -d '{"command": ["true"], "num_cpu": 1}'
has 'num_cpus'

echo '# The same key gives the same run'
key="rest-$run"
expect 202 'submit with a key' curl "$RUNYARD_URL/api/runs" -H "Idempotency-Key: $key" -d '{"command": ["true"], "num_cpus": 0.1}'
first=$(field run_id)
expect 202 'again' curl "$RUNYARD_URL/api/runs" -H "Idempotency-Key: $key" -d '{"command": ["true"], "num_cpus": 0.1}'
[ "$(field run_id)" = "$first" ] || fail 'the same key gave another run'
expect 409 'the key of another body: refused' curl "$RUNYARD_URL/api/runs" -H "Idempotency-Key: $key" -d '{"command": ["false"]}'

echo '# Logs'
log="$RUNYARD_URL/api/runs/$run/log"
expect 200 'the whole log' curl "$log"
is 'one\ntwo\nthree\n'
header 'X-Log-Size: 14'
expect 200 'bytes of it' curl "$log?offset=4&limit=3"
is 'two'
expect 200 'its last line' curl "$log?tail=1"
is 'three\n'
expect 200 'with times' curl "$log?timestamps=true&attempt=1"
has 'Z one'
expect 206 'by the Range header' curl -H 'Range: bytes=4-6' "$log"
is 'two'
header 'Content-Range: bytes 4-6/14'
expect 416 'by a Range that lies behind its end' curl -H 'Range: bytes=100-' "$log"
expect 200 'lines by their numbers' curl "$log/lines?first=2&last=3"
has '"text":"three"'
expect 200 'the line that was the newest at a moment' curl "$log/moment?at=4000000000"
has '"line":3'
expect 200 'search' curl "$log/search?q=T&ignore_case=true"
has '"count":2'
expect 200 'search for a pattern' curl "$log/search?regex=true" -G --data-urlencode 'q=^t.o$'
has '"count":1'
expect 200 'what comes after the first hit' curl "$log/search?q=o&limit=1&skip=1"
has '"before":1'
expect 200 'as a stream, from byte 4 on' curl -N -H 'Last-Event-ID: 4' "$log/stream"
has 'two\nthree\n'
has 'event: end'

echo '# A batch'
expect 422 'a batch with a wrong run: none is accepted' curl "$RUNYARD_URL/api/batches" -d '{"runs": [{"command": ["true"]}, {"command": []}]}'
has '"index":1'
expect 202 'submit runs together' curl "$RUNYARD_URL/api/batches" -d '{"name": "rest", "max_concurrent": 2, "max_failures": 5, "runs": [{"command": ["false"], "num_cpus": 0.1}, {"command": ["true"], "num_cpus": 0.1}, {"command": ["true"], "num_cpus": 0.1, "after": [1]}]}'
batch=$(field batch_id)
failing=$(field run_id)
await "$failing"
has '"status":"failed"'
expect 200 'show it' curl "$RUNYARD_URL/api/batches/$batch"
has '"total":3'
expect 200 'list batches' curl "$RUNYARD_URL/api/batches?limit=10"
has "$batch"
expect 200 'how each of its runs stands' curl "$RUNYARD_URL/api/batches/$batch/squares"
has "$failing"
expect 200 'its failures, by how they ended' curl "$RUNYARD_URL/api/batches/$batch/failures"
has "$failing"
expect 200 'what its modules could ask for instead' curl "$RUNYARD_URL/api/batches/$batch/advice"
has '"advice":'
expect 200 'search the logs of all its runs' curl "$RUNYARD_URL/api/batches/$batch/log/search?q=o"
has '"total":3'
expect 202 'submit its failed runs again' curl -X POST "$RUNYARD_URL/api/batches/$batch/retry-failed"
expect 202 'submit another batch' curl "$RUNYARD_URL/api/batches" -d '{"runs": [{"command": ["sleep", "300"], "num_cpus": 0.1}, {"command": ["sleep", "300"], "num_cpus": 0.1}]}'
sleeping=$(field batch_id)
expect 200 'change how many of it run at once' curl -X PATCH "$RUNYARD_URL/api/batches/$sleeping" -d '{"max_concurrent": 1}'
has '"max_concurrent":1'
expect 200 'hold what has not started of it' curl -X POST "$RUNYARD_URL/api/batches/$sleeping/hold"
expect 200 'let it start' curl -X POST "$RUNYARD_URL/api/batches/$sleeping/release"
expect 200 'cancel it' curl "$RUNYARD_URL/api/batches/$sleeping/cancel" -d '{"reason": "only an example"}'

expect 202 'begin a batch that stays open' curl "$RUNYARD_URL/api/batches" -d '{"open": true, "name": "photos"}'
open=$(field batch_id)
expect 202 'add runs to it' curl "$RUNYARD_URL/api/batches/$open/runs" -d '{"runs": [{"command": ["true"], "num_cpus": 0.1}]}'
has '"batch_index":0'
expect 200 'close it' curl -X POST "$RUNYARD_URL/api/batches/$open/close"
has '"open":false'
expect 409 'add to it again' curl "$RUNYARD_URL/api/batches/$open/runs" -d '{"runs": [{"command": ["true"], "num_cpus": 0.1}]}'

echo '# Lists'
expect 200 'the newest run' curl "$RUNYARD_URL/api/runs?limit=1"
has '"limit":1'
expect 200 'by status, which may repeat' curl "$RUNYARD_URL/api/runs?status=failed&status=cancelled&limit=1000"
has "$failing"
expect 200 'by batch' curl "$RUNYARD_URL/api/runs?batch_id=$batch"
has "$failing"
expect 200 'by label and time, the longest first' curl "$RUNYARD_URL/api/runs?label=kind=rest&since=1h&sort=-duration&limit=1000"
has "$run"
expect 200 'by text, page by page' curl "$RUNYARD_URL/api/runs?q=Count&limit=10&offset=0"
has "$run"
expect 200 'all before an hour ago' curl "$RUNYARD_URL/api/runs?until=1h&limit=1000"
! grep -F -q "$run" "$work/body" || fail 'a run of just now is among those before an hour ago'

echo '# Cancel and restart'
expect 202 'submit a run that takes long' curl "$RUNYARD_URL/api/runs" -d '{"command": ["sleep", "300"], "num_cpus": 0.1}'
long=$(field run_id)
# It is running as soon as its process is; until then there is nothing to hold still.
tries=0
until curl "$RUNYARD_URL/api/runs/$long" | grep -q '"status":"running"'; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || fail 'the run does not start'
    sleep 0.3
done
expect 200 'hold its processes still' curl -X POST "$RUNYARD_URL/api/runs/$long/suspend"
has '"suspended":true'
expect 200 'let them go on' curl -X POST "$RUNYARD_URL/api/runs/$long/resume"
has '"suspended":false'
expect 409 'an ended run cannot be held still' curl -X POST "$RUNYARD_URL/api/runs/$run/suspend"
expect 409 'a run that has started cannot be held' curl -X POST "$RUNYARD_URL/api/runs/$long/hold"
expect 202 'one that waits for somebody' curl "$RUNYARD_URL/api/runs" -d '{"command": ["printf", "now\n"], "hold": true, "memory": "32MiB"}'
held=$(field run_id)
expect 200 'hold it once more' curl -X POST "$RUNYARD_URL/api/runs/$held/hold"
has '"held":true'
expect 200 'give it another priority' curl -X PATCH "$RUNYARD_URL/api/runs/$held" -d '{"priority": 5}'
has '"priority":5'
expect 200 'let it start' curl -X POST "$RUNYARD_URL/api/runs/$held/release"
has '"terms":null'
expect 200 'cancel it' curl "$RUNYARD_URL/api/runs/$long/cancel" -d '{"reason": "only an example"}'
await "$long"
has '"status":"cancelled"'
expect 409 'cancel one that has ended' curl -X POST "$RUNYARD_URL/api/runs/$run/cancel"
expect 202 'run it again, with other arguments' curl "$RUNYARD_URL/api/runs/$run/restart" -d '{"args": ["again\n"]}'
has "\"restarted_from\":\"$run\""
again=$(field run_id)
await "$again"
expect 200 'its log' curl "$RUNYARD_URL/api/runs/$again/log"
is 'again\n'
expect 200 'two logs as one stream' curl -N "$RUNYARD_URL/api/logs/stream?run_id=$run&run_id=$again"
has 'three\n'
has 'id: 1:14,1:6'

echo '# The module registry'
expect 201 'set a module' curl -X PUT "$RUNYARD_URL/api/modules/rest-example" -d '{"name": "Example", "command": ["printf"], "num_cpus": 0.1}'
expect 200 'set it again, differently' curl -X PUT "$RUNYARD_URL/api/modules/rest-example" -d '{"name": "Example", "command": ["printf"], "num_cpus": 0.1, "memory": "32MiB"}'
expect 200 'show it' curl "$RUNYARD_URL/api/modules/rest-example"
has '"memory":33554432'
expect 200 'list modules' curl "$RUNYARD_URL/api/modules"
has '"rest-example"'
expect 202 'run it' curl "$RUNYARD_URL/api/runs" -d '{"module": "rest-example", "args": ["hello\n"]}'
await "$(field run_id)"
has 'hello'
expect 200 'its runs' curl "$RUNYARD_URL/api/runs?module_id=rest-example"
has '"Example"'
expect 204 'delete it' curl -X DELETE "$RUNYARD_URL/api/modules/rest-example"
expect 404 'it is gone' curl "$RUNYARD_URL/api/modules/rest-example"

echo '# The machine'
expect 200 'nodes, GPUs and slots' curl "$RUNYARD_URL/api/resources"
has '"max_concurrent_runs"'
node=$(field node)
expect 200 'what nodes had declared and used over the last hour' curl "$RUNYARD_URL/api/resources/history?since=0"
has '"interval_seconds"'
drained=$node
expect 200 'start nothing new on a node' curl -X POST "$RUNYARD_URL/api/nodes/$node/drain"
has '"is_drained":true'
expect 200 'let runs start there again' curl -X POST "$RUNYARD_URL/api/nodes/$node/undrain"
has '"is_drained":false'
drained=
expect 200 'what active runs use' curl "$RUNYARD_URL/api/usage"
expect 200 'statistics' curl "$RUNYARD_URL/api/stats"
paused=yes
expect 200 'start nothing new' curl -X POST "$RUNYARD_URL/api/pause"
has '"is_paused":true'
expect 200 'start runs again' curl -X POST "$RUNYARD_URL/api/resume"
has '"is_paused":false'
paused=

echo '# Events: what has happened since the beginning'
expect 200 'resume where the stream stood' curl -N "$RUNYARD_URL/api/events?since=$seq" --max-time 3
has "$run"
has "$again"

echo 'all as it should be'
