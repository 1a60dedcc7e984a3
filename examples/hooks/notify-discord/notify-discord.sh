#!/bin/sh
# Posts a line to a Discord webhook. The address is a secret: it is no argument of curl's.
set -u
# https://discord.com/developers/docs/resources/webhook#execute-webhook: 2000 characters at most.
body=$(jq -c '
  (.session_key // "a session" | tostring | .[0:100]) as $who
  | if .event == "AgentEnd"
    then "**\($who)** answered: \(.text // "" | tostring | .[0:500])"
    else "**\($who)**: \(.event)" end
  | { content: ., allowed_mentions: { parse: [] } }') || exit 2
printf 'url = "%s"\n' "$DISCORD_WEBHOOK_URL" |
  curl --config - --silent --show-error --fail --max-time 10 --output /dev/null \
    --header 'Content-Type: application/json' --data-binary "$body" || exit 2
