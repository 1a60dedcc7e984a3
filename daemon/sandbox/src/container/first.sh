# The first program of a session's container: says what it finds, so that the daemon can check what
# the engine was asked for, then waits until the daemon lets go of its input. When it ends, the
# kernel ends everything else in the container. Arguments: the mark of the relay, empty where there is
# none; paths whose inodes are wanted.
# `wait` reaps whatever is orphaned meanwhile.
exec 3<&0 </dev/null
mark=$1
shift
while IFS= read -r line; do
  case $line in Uid:* | Gid:* | Cap*:* | NoNewPrivs:* | Seccomp:*) echo "status $line" ;; esac
done </proc/self/status
while IFS= read -r line; do
  echo "mount $line"
done </proc/self/mounts
for device in /sys/class/net/*; do
  echo "net ${device##*/}"
done
for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.swap.max /sys/fs/cgroup/pids.max \
  /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max; do
  if [ -r "$file" ] && read -r line <"$file"; then echo "limit ${file##*/} $line"; fi
done
while IFS= read -r line; do
  case $line in 'Max processes '*) echo "most $line" ;; esac
done </proc/self/limits
for file; do
  line=$(ls -di "$file") && echo "inode $line"
done
for tool in grep socat tmux; do
  if command -v "$tool" >/dev/null 2>&1; then echo "tool $tool"; fi
done
cat <&3 >/dev/null &
keep=$!
exec 3<&-
if [ -n "$mark" ] && command -v socat >/dev/null 2>&1; then
  # Programs that expect a way out are not left without one: when it ends, all ends.
  MOLTIS_RUN=$mark /bin/sh -c 'socat $1; kill "$2"' relay "$relay" "$keep" </dev/null >/dev/null 2>&1 &
  until_listens && echo relay
fi
echo "ready $keep"
wait "$keep"
