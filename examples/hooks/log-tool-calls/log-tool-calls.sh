#!/bin/sh
# Appends what it is told, which is one line of JSON, with the time. Says nothing, so the call goes on.
# Code 1 would block: whatever goes wrong here must end with another one.
set -u
umask 077
log=${TOOL_LOG:-${MOLTIS_HOOK_DATA:-.}/tool-calls.jsonl}

if [ -f "$log" ] && [ "$(wc -c <"$log")" -gt 5000000 ]; then
  mv "$log" "$log.1" || exit 2
fi
printf '{"time":"%s","call":%s}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(cat)" >>"$log" || exit 2
