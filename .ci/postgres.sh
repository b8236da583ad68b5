#!/usr/bin/env bash
# A PostgreSQL server to throw away: `.ci/postgres.sh start FOLDER` makes one in an empty folder, listening on a Unix socket
# there, with PORT (`start FOLDER PORT`) on that of the loopback as well, and prints its URL. `stop FOLDER` stops it, `crash FOLDER` stops it without a checkpoint and
# lets no client finish, `resume FOLDER [PORT]` starts it again. Runs the server as an unprivileged user, for it refuses to be root.
set -euo pipefail

action=${1:?start, stop, crash or resume} folder=${2:?a folder} port=${3:-}

# Debian keeps the programs of each version apart, out of the path.
programs=$(dirname "$(command -v pg_ctl || ls -d /usr/lib/postgresql/*/bin/pg_ctl 2>/dev/null | sort -V | tail -n 1)")
[ -x "$programs/pg_ctl" ] || { echo "PostgreSQL is not installed: apt-get install postgresql" >&2; exit 3; }

# The user of Debian's package, or else one that owns nothing.
user=nobody
if id postgres >/dev/null 2>&1; then user=postgres; fi

as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@")
    else
        "$@"
    fi
}

resume() {
    as_server "$programs/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 60 \
        -o "-k '$folder' -c listen_addresses='${port:+127.0.0.1}' -c port=${port:-5432} -c max_connections=100" start >&2 ||
        { cat "$folder/log" >&2; exit 1; }
}

case $action in
start)
    if [ "$(id -u)" -eq 0 ]; then chown "$user" "$folder"; fi
    as_server "$programs/initdb" -D "$folder/data" -U holdfast -E UTF8 --no-locale --auth=trust >&2
    # For tests of passwords. Everybody else on this socket is trusted; the first line that fits counts.
    as_server sed -i '1i local all with_password scram-sha-256' "$folder/data/pg_hba.conf"
    resume
    echo "postgres://holdfast@${folder//\//%2F}:${port:-5432}/postgres"
    ;;
resume) resume ;;
stop) as_server "$programs/pg_ctl" -D "$folder/data" -w -m fast stop >&2 ;;
crash) as_server "$programs/pg_ctl" -D "$folder/data" -w -m immediate stop >&2 ;;
*)
    echo "unknown: $action" >&2
    exit 64
    ;;
esac
