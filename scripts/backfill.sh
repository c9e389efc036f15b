#!/bin/sh
# Fetches a long range of days from Oura again, newest first, in steps of a month.
#
# Works against `gpx_oura serve` and against Grafana. Stop it at any time: the same command resumes.
# Ringside imports the whole history by itself after the first login. Use this script to fetch days
# again, for example after you granted a scope.
set -eu

usage() {
  cat <<'TEXT'
Usage: backfill.sh --days N [--step N] [--resources a,b] [--state FILE]

  --days N        days to fetch, counted back from today
  --step N        days of one request (default: 30)
  --resources a,b collections, separated by commas (default: the collections of the settings)
  --state FILE    file that remembers the progress (default: .ringside-backfill)

Environment:
  RINGSIDE_URL    http://127.0.0.1:8787/api (default), or
                  https://<grafana>/api/datasources/uid/<uid>/resources
  RINGSIDE_TOKEN  admin token of serve, or token of a service account with the role Admin
  POLL_SECONDS    seconds between two looks at the progress (default: 2)
TEXT
}

fail() {
  echo "backfill.sh: $1" >&2
  exit 1
}

url=${RINGSIDE_URL:-http://127.0.0.1:8787/api}
poll=${POLL_SECONDS:-2}
days='' step=30 resources='' state=.ringside-backfill
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --days | --step | --resources | --state)
      [ $# -ge 2 ] || fail "missing value of $1"
      case $1 in
        --days) days=$2 ;;
        --step) step=$2 ;;
        --resources) resources=$2 ;;
        --state) state=$2 ;;
      esac
      shift 2
      ;;
    *) usage >&2; fail "unknown option $1" ;;
  esac
done
for number in "$days" "$step"; do
  case $number in
    '' | *[!0-9]* | 0*) usage >&2; fail "--days and --step need a positive number" ;;
  esac
done
case $resources in
  *[!a-zA-Z0-9_,]*) fail "invalid --resources '$resources': separate names by commas" ;;
esac
[ -n "${RINGSIDE_TOKEN:-}" ] || fail "set RINGSIDE_TOKEN to a token that may change data"

# Sends a request and prints the body of its response. The token stays out of the process list.
request() {
  if ! body=$(printf 'Authorization: Bearer %s\n' "$RINGSIDE_TOKEN" | curl --silent --show-error \
    --header @- --header 'Content-Type: application/json' --write-out '\n%{http_code}' \
    --request POST --data "$2" "$url/$1"); then
    fail "no response from $url; run the same command to resume"
  fi
  code=${body##*
}
  body=${body%
*}
  case $code in
    2??) printf '%s' "$body" ;;
    *) fail "$url/$1 answered $code: $body" ;;
  esac
}

# Days are numbers since 1970, because an offset from today changes its meaning at midnight.
today=$(($(date -u +%s) / 86400))
task="$url $days $step $resources"
oldest=$((today - days + 1)) next=$today
if [ -f "$state" ]; then
  { read -r oldest next; read -r saved; } <"$state" || fail "unreadable state in $state: delete it"
  [ "$saved" = "$task" ] || fail "$state belongs to another backfill: delete it, or set --state"
  echo "Resuming: $((next - oldest + 1)) days left"
fi

while [ "$next" -ge "$oldest" ]; do
  count=$((next - oldest + 1))
  [ "$count" -le "$step" ] || count=$step
  offset=$((today - next))
  query="days=$count&offset_days=$offset"
  [ -z "$resources" ] || query="$query&resources=$resources"
  response=$(request "backfill?$query" '{}')
  run=$(printf '%s' "$response" | sed -n 's/.*"run":\([0-9]*\).*/\1/p')
  [ -n "$run" ] || fail "no run in the response: $response"
  sql="SELECT state || ':' || windows_done || '/' || windows FROM sync_runs WHERE run = $run"
  while :; do
    response=$(request sql "{\"sql\": \"$sql\"}")
    progress=$(printf '%s' "$response" | sed -n 's/.*"\([a-z]*:[0-9]*\/[0-9]*\)".*/\1/p')
    case $progress in
      done:*) break ;;
      failed:* | interrupted:*)
        fail "run $run $progress. Its reason is in the table sync_runs. Run the same command to resume"
        ;;
    esac
    sleep "$poll"
  done
  next=$((next - count))
  # In one step, so that an interruption leaves the old state or the new one.
  printf '%s %s\n%s\n' "$oldest" "$next" "$task" >"$state.new"
  mv "$state.new" "$state"
  echo "$((today - next)) of $((today - oldest + 1)) days, ${progress#done:} windows in run $run"
done
rm -f "$state"
echo "Done"
