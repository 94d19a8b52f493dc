#!/usr/bin/env bash
# Creates a demo organization with two workspaces, a token and an auditor, and stores them in an env file. It
# does this only once. Then it provisions three users by SCIM, if they do not exist. It needs rollcall-worker
# with its settings in the environment, and ROLLCALL_URL. ./dev up and docker compose use it.
#   demo.sh ENV-FILE [MORE LINES FOR THE FILE...]
set -euo pipefail
env_file=$1; shift

say() { printf '\033[1m▸ %s\033[0m\n' "$*" >&2; }

# Prints one member of a JSON object from standard input.
value() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

umask 077
if [ ! -e "$env_file" ]; then
  say "creating a demo organization, two workspaces and a token"
  organization=$(rollcall-worker organization create Demo | value id)
  marketing=$(rollcall-worker workspace create --organization "$organization" Marketing | value id)
  rollcall-worker workspace create --organization "$organization" Sales >/dev/null
  token=$(rollcall-worker token issue --organization "$organization" --label Demo --default-workspace "$marketing" \
    --service-origin hr.example.com | value token)
  printf '%s\n' "# For scripts to source." "export ROLLCALL_URL=$ROLLCALL_URL" "export ROLLCALL_TOKEN=$token" \
    "export ROLLCALL_ORIGIN=hr.example.com" "export ROLLCALL_ORGANIZATION=$organization" >"$env_file.new"
  mv "$env_file.new" "$env_file"
fi

# shellcheck disable=SC1090
. "$env_file"
if [ -z "${ROLLCALL_AUDITOR_TOKEN:-}" ]; then
  say "issuing a token for a demo auditor"
  auditor=$(rollcall-worker auditor-token issue --organization "$ROLLCALL_ORGANIZATION" --label "Demo auditor" |
    value token)
  printf '%s\n' "export ROLLCALL_AUDIT_URL=${ROLLCALL_URL%/scim/v2}/audit/v1" \
    "export ROLLCALL_AUDITOR_TOKEN=$auditor" >>"$env_file"
fi
for line in "$@"; do
  grep -qxF "$line" "$env_file" || printf '%s\n' "$line" >>"$env_file"
done
# Calls the SCIM api: scim CURL-ARGUMENTS...
scim() { curl -sS "$@" -H "Authorization: Bearer $ROLLCALL_TOKEN" -H "X-Request-Origin: $ROLLCALL_ORIGIN"; }

# Whether a user exists. Creating it again would be rejected, and the log would have an entry of it.
exists() {
  scim --get "$ROLLCALL_URL/Users" --data-urlencode "filter=userName eq \"$1\"" -d count=0 |
    grep '"totalResults":1' >/dev/null
}

for name in ada grace alan; do
  exists "$name@example.com" && continue
  status=$(scim -o /dev/null -w '%{http_code}' "$ROLLCALL_URL/Users" -H 'Content-Type: application/scim+json' -d "{
      \"schemas\": [\"urn:ietf:params:scim:schemas:core:2.0:User\"], \"userName\": \"$name@example.com\",
      \"emails\": [{\"value\": \"$name@example.com\", \"type\": \"work\", \"primary\": true}]}")
  case $status in
    201) say "provisioned $name@example.com" ;;
    *) say "provisioning $name@example.com failed with status $status; see the log of the api" && exit 1 ;;
  esac
done
