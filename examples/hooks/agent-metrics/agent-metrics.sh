#!/bin/sh
# Appends the numbers of an event. Says nothing: one of its events could be blocked.
# Code 1 would block: whatever goes wrong here must end with another one.
set -u
umask 077
log=${MOLTIS_HOOK_DATA:-.}/metrics.jsonl

if [ -f "$log" ] && [ "$(wc -c <"$log")" -gt 5000000 ]; then
  mv "$log" "$log.1" || exit 2
fi
jq -c --arg time "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '
  def count: if type == "array" then length else . end;
  { time: $time, event, session_key, provider, model, iteration, iterations, tool_name, success,
    input_tokens, output_tokens, tool_calls: (.tool_calls | count) }
  | with_entries(select(.value != null))' >>"$log" || exit 2
