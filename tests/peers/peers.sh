# The part of ./dev that installs, starts, measures and stops the other SCIM servers. ./dev reads this file.
# shellcheck shell=bash

# Installs the other SCIM servers in .dev/peers. Only the packages of the system are installed outside of it.
install_peers() {
  local peers=$ROOT/.dev/peers
  python3 -c 'import venv, ensurepip' 2>/dev/null || install "two SCIM servers need Python" python3-venv
  command -v npm >/dev/null || install "the SCIM server Polis needs Node" nodejs npm
  node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || die "Polis needs Node 20 or newer"
  mkdir -p "$peers"
  if ! cmp -s tests/peers/requirements.txt "$peers/venv/installed"; then
    say "installing django-scim2 and scim2-server in $peers"
    python3 -m venv --clear "$peers/venv"
    "$peers/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r tests/peers/requirements.txt
    cp tests/peers/requirements.txt "$peers/venv/installed"
  fi
  if ! cmp -s tests/peers/package-lock.json "$peers/node_modules/installed"; then
    say "installing Polis in $peers (this takes some minutes)"
    cp tests/peers/package{,-lock}.json "$peers"
    npm ci --prefix "$peers" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    cp tests/peers/package-lock.json "$peers/node_modules/installed"
  fi
}

# Starts the other SCIM servers and measures them in turns with Rollcall.
bench_peers() {
  local venv=$ROOT/.dev/peers/venv/bin database
  stop_peers
  mkdir -p "$DIR/peers"
  for database in polis django; do
    sql postgres "$OWNER_PASSWORD" postgres -q -c "SET client_min_messages = warning" \
      -c "DROP DATABASE IF EXISTS peer_$database WITH (FORCE)" -c "CREATE DATABASE peer_$database"
  done
  NODE_PATH=$ROOT/.dev/peers/node_modules PEER_DATABASE_URL=$(peer_database polis) \
    start_peer polis node "$ROOT/tests/peers/polis.js"
  export PYTHONPATH=$ROOT/tests/peers PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=directory.settings
  start_peer memory "$venv/gunicorn" --config "$ROOT/tests/peers/gunicorn_memory.py"
  export PEER_DATABASE_URL; PEER_DATABASE_URL=$(peer_database django)
  # The tables of Django's own applications come first.
  { "$venv/django-admin" migrate auth && "$venv/django-admin" migrate --run-syncdb; } >"$LOG/peer-django.log" 2>&1 ||
    die "django-scim2 could not create its tables; see $LOG/peer-django.log"
  start_peer django "$venv/gunicorn" --config "$ROOT/tests/peers/gunicorn_django.py"
  [[ " $* " = *" --callers"* ]] || set -- --callers 1,16,64 "$@"
  ROLLCALL_TEST_DIR=$DIR "$BIN/bench" --what peers --peer "$DIR/peers/polis.json" --peer "$DIR/peers/memory.json" \
    --peer "$DIR/peers/django.json" "$@"
}

peer_database() { database_url postgres "$OWNER_PASSWORD" | sed "s|/rollcall$|/peer_$1|"; }

# Starts a peer, which listens on a free port and describes itself in a file when it is ready:
# start_peer NAME COMMAND...
start_peer() {
  local file=$DIR/peers/$1.json
  rm -f "$file"
  say "starting the peer $1"
  PEER_FILE=$file setsid "${@:2}" >>"$LOG/peer-$1.log" 2>&1 </dev/null &
  echo $! >"$DIR/peers/$1.pid"
  await 60 "the start of the peer $1" test -s "$file"
}

stop_peers() {
  local pid
  for pid in "$DIR"/peers/*.pid; do
    [ -e "$pid" ] || continue
    # Each peer leads a group of its own, which has all its processes.
    if is_alive "$pid" peers; then
      kill -- "-$(cat "$pid")" || true
      await 20 "the end of a peer" not is_alive "$pid" peers
    fi
    rm -f "$pid"
  done
}
