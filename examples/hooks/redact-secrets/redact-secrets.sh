#!/bin/sh
# Changes the result of a tool, or an answer, if something in it looks like a secret.
# Code 1 would block: whatever goes wrong here must end with another one.
set -u
jq -c '
  def forms: [
    "sk-[A-Za-z0-9_-]{16,}",
    "gh[pousr]_[A-Za-z0-9]{20,}",
    "github_pat_[A-Za-z0-9_]{20,}",
    "(AKIA|ASIA)[A-Z0-9]{16}",
    "AIza[A-Za-z0-9_-]{30,}",
    "xox[abeoprs]-[A-Za-z0-9-]{10,}",
    "glpat-[A-Za-z0-9_-]{16,}",
    "eyJ[A-Za-z0-9_-]{8,}\\.eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,}",
    "(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*",
    "-----BEGIN [A-Z ]*PRIVATE KEY-----[\\s\\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)"
  ];
  def redacted: reduce forms[] as $form (.; gsub($form; "[redacted]"));
  (if .event == "ToolResultPersist" then "result" else "content" end) as $key
  | .[$key] as $old
  | ($old | walk(if type == "string" then redacted else . end)) as $new
  | if $new == $old then empty else { action: "modify", data: { ($key): $new } } end' || exit 2
