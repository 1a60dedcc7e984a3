#!/bin/sh
# Appends a message to the page of its session, and puts the page away when the session ends.
# Code 1 would block: whatever goes wrong here must end with another one.
set -u
umask 077
base=${MOLTIS_HOOK_DATA:-.}
mkdir -p "$base/open" "$base/saved" || exit 2
told=$(cat)
fact() { printf '%s' "$told" | jq -r "$1"; }

# A session's key comes from outside: nothing in it may lead to another directory.
session=$(fact '.session_key // "session" | tostring | gsub("[^A-Za-z0-9_-]"; "-") | .[0:80]') || exit 2
page=$base/open/$session.md
case $(fact .event) in
  SessionEnd)
    [ -f "$page" ] || exit 0
    mv "$page" "$base/saved/$(date -u +%Y-%m-%dT%H-%M-%S)-$session.md" || exit 2
    ;;
  MessageReceived) { printf '## You\n\n'; fact '.content // ""'; echo; } >>"$page" || exit 2 ;;
  *) { printf '## Moltis\n\n'; fact '.content // ""'; echo; } >>"$page" || exit 2 ;;
esac
