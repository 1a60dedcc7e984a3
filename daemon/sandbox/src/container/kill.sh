# Ends processes of a container for good, until none is left that should not be there: those that
# were put into a group or session of their own as well, and those whose parents have gone.
# Arguments: the process that holds the container up; what becomes of what is listed, `spare` or
# `kill`, the rest fares the other way; marks, as environment variables of those that began it; pids.
# What a process is follows from the one that it descends from.
keep=$1 listed=$2 marks=$3 pids=$4

is_listed() {
  for wanted in $pids; do [ "$wanted" = "$1" ] && return 0; done
  while IFS= read -r text || [ -n "$text" ]; do
    for mark in $marks; do
      case $text in *"MOLTIS_RUN=$mark"*) return 0 ;; esac
    done
  done 2>/dev/null <"/proc/$1/environ"
  return 1
}

# Walks up to the process that was begun from outside, or whose parents have gone.
origin() {
  at=$1 steps=0
  while [ $steps -lt 300 ]; do
    for wanted in $pids; do [ "$wanted" = "$at" ] && return; done
    eval "up=\${parent_$at:-0}"
    [ "$up" -gt 1 ] || return
    eval "known=\${parent_$up:-}"
    [ -n "$known" ] || return
    at=$up steps=$((steps + 1))
  done
}

while :; do
  again='' all=''
  list=$(grep -sE '^(State|PPid):' /proc/[0-9]*/status) || [ -n "$list" ] || exit 1
  while IFS='/: 	' read -r _ _ pid _ key value _; do
    case $key in
      State) state=$value ;;
      PPid)
        eval "parent_$pid=$value"
        case $state in Z* | X*) ;; *) all="$all $pid" ;; esac
        ;;
    esac
  done <<LIST
$list
LIST
  for pid in $all; do
    case $pid in 1 | "$keep" | $$) continue ;; esac
    origin "$pid"
    [ "$at" != $$ ] || continue
    eval "verdict=\${verdict_$at:-}"
    if [ -z "$verdict" ]; then
      if is_listed "$at"; then verdict=listed; else verdict=other; fi
      eval "verdict_$at=$verdict"
    fi
    case $listed-$verdict in
      spare-other | kill-listed) kill -9 "$pid" 2>/dev/null && again=1 ;;
    esac
  done
  for pid in $all; do eval "unset parent_$pid verdict_$pid"; done
  [ -n "$again" ] || exit 0
done
