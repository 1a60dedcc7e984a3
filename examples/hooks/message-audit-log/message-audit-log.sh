#!/bin/sh
# Appends a line for a message. Says nothing, so the message goes on.
# Code 1 would block: whatever goes wrong here must end with another one.
set -u
umask 077
log=${MOLTIS_HOOK_DATA:-.}/messages.jsonl

if [ -f "$log" ] && [ "$(wc -c <"$log")" -gt 5000000 ]; then
  mv "$log" "$log.1" || exit 2
fi
jq -c --arg time "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '
  (.content // "" | tostring) as $content
  | { time: $time, event, session_key, length: ($content | length), begins: $content[0:200] }' >>"$log" || exit 2
