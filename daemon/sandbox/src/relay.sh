# What takes connections inside of a sandbox, at the port that programs are told of, and carries them
# to the socket that leads out. Whoever runs it waits until it listens.
relay='-t 300 TCP-LISTEN:3128,bind=127.0.0.1,reuseaddr,fork UNIX-CONNECT:/run/moltis/proxy'
listens() {
  while read -r _ address _ state _; do
    [ "$address $state" = '0100007F:0C38 0A' ] && return 0
  done </proc/net/tcp
  return 1
}
until_listens() {
  tries=0
  until listens; do
    tries=$((tries + 1))
    [ $tries -lt 500 ] || return 1
    sleep 0.01 || sleep 1
  done
}
