#!/bin/sh
# Blocks a message that has one of the words of words.txt in it.
set -u
content=$(jq -r '.content // ""') || exit 2
# Beside this script, or beside what a link to it leads to.
dir=$(dirname "$0")
[ -f "$dir/words.txt" ] || dir=$dir/content-filter
words=$(sed -e 's/^#.*//' -e '/^[[:space:]]*$/d' "$dir/words.txt") || exit 2
[ -n "$words" ] || exit 0

found=0
printf '%s\n' "$content" | grep -i -F -q -e "$words" || found=$?
case $found in
  0) echo "the message has a word in it that is on the list" >&2; exit 1 ;;
  1) exit 0 ;;
  *) echo "the words can't be compared" >&2; exit 2 ;;
esac
