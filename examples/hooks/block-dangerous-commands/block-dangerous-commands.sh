#!/bin/sh
# Blocks (exit 1) when the command of a tool call fits one of the patterns.
set -u
command=$(jq -r '.arguments | if type == "object" then .command // "" else "" end') || exit 2
[ -n "$command" ] || exit 0

# Beside this script, or beside what a link to it leads to.
dir=$(dirname "$0")
[ -f "$dir/patterns.txt" ] || dir=$dir/block-dangerous-commands
patterns=$(sed -e 's/^#.*//' -e '/^[[:space:]]*$/d' "$dir/patterns.txt") || exit 2
[ -n "$patterns" ] || exit 0

# grep says 0: found, 1: not found, more: it failed, and then nothing is known.
found=0
printf '%s\n' "$command" | grep -E -q -e "$patterns" || found=$?
case $found in
  0) echo "this command could destroy the machine or what is on it" >&2; exit 1 ;;
  1) exit 0 ;;
  *) echo "the patterns can't be compared" >&2; exit 2 ;;
esac
