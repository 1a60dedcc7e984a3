#!/bin/sh
# Posts a line to a Slack incoming webhook. The address is a secret: it is no argument of curl's.
set -u
body=$(jq -c '
  # What Slack takes for markup: https://docs.slack.dev/messaging/formatting-message-text
  def plain: tostring | gsub("&"; "&amp;") | gsub("<"; "&lt;") | gsub(">"; "&gt;");
  if .event == "AgentEnd"
  then { text: "*\(.session_key // "a session" | plain)* answered: \(.text // "" | tostring | .[0:500] | plain)" }
  else { text: "*\(.session_key // "a session" | plain)*: \(.event)" } end') || exit 2
printf 'url = "%s"\n' "$SLACK_WEBHOOK_URL" |
  curl --config - --silent --show-error --fail --max-time 10 --output /dev/null \
    --header 'Content-Type: application/json' --data-binary "$body" || exit 2
