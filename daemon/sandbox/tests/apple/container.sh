#!/usr/bin/env bash
# Stands in for Apple's `container`, which there is for macOS only. It takes the commands and options
# that the backend uses, spelled as in `Flags.swift` and the commands' own files at the tags 0.12.3 and
# 1.2.2 of github.com/apple/container, and refuses all others, as that program's parser does. What it
# prints has the shapes of that program's encoders. Where that program makes a virtual machine, this
# one makes namespaces with bubblewrap, so that what runs in one is as real, and sees as little.
# Beside it lie `flavor`, which says what it is, and `state`; it writes its arguments to `log`.
set -u
here=$(cd "$(dirname "$0")" && pwd)
state=$here/state
version=1.2.2 service=running ignores=
. "$here/flavor"
printf '%q ' "$@" >>"$here/log"
echo >>"$here/log"

fail() { echo "Error: $1" >&2; exit 1; }
usage() { echo "Error: $1" >&2; exit 64; }
unknown() { usage "Unknown option '$1'"; }
# An option that this one takes and does nothing about: a guard that is missing.
heeds() { [[ " $ignores " != *" $1 "* ]]; }
is_new() { [ "${version%%.*}" -ge 1 ]; }
whole_name() { case $1 in */*/*) echo "$1" ;; *) echo "docker.io/library/$1" ;; esac; }
child_of() { sed -n 's/.*"child-pid": \([0-9]*\).*/\1/p' "$1/info" 2>/dev/null; }
runs() { local pid; pid=$(child_of "$1"); [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }

# The service takes away what has ended, as `--rm` asks it to.
sweep() {
  local folder
  for folder in "$state"/containers/*; do
    [ ! -s "$folder/info" ] || runs "$folder" || rm -rf "$folder"
  done
}

labels() {
  local line first=
  while IFS= read -r line; do
    printf '%s"%s":"%s"' "$first" "${line%%=*}" "${line#*=}"
    first=,
  done <"$1/labels"
}

list() {
  [ "$*" = "--all --format json" ] || usage "list: $*"
  local folder id first= configuration
  sweep
  printf '['
  for folder in "$state"/containers/*; do
    [ -s "$folder/info" ] || continue
    id=${folder##*/}
    configuration="{\"id\":\"$id\",\"labels\":{$(labels "$folder")},\"mounts\":[],\"readOnly\":true}"
    if is_new; then
      printf '%s{"id":"%s","configuration":%s,"status":{"state":"running","networks":[]}}' \
        "$first" "$id" "$configuration"
    else
      printf '%s{"status":"running","configuration":%s,"networks":[]}' "$first" "$configuration"
    fi
    first=,
  done
  printf ']\n'
}

images() {
  local name first= descriptor='{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:00","size":3}'
  printf '['
  while IFS= read -r name; do
    if is_new; then
      printf '%s{"id":"00","configuration":{"creationDate":"2026-08-07T18:36:01Z","name":"%s","descriptor":%s},' \
        "$first" "$name" "$descriptor"
      printf '"variants":[{"platform":{"os":"linux","architecture":"arm64"},"digest":"sha256:01","size":8300000}]}'
    else
      printf '%s{"reference":"%s","fullSize":"8.3 MB","descriptor":%s}' "$first" "$name" "$descriptor"
    fi
    first=,
  done <"$state/images"
  printf ']\n'
}

image() {
  local name
  case "$1 $#" in
    "list 3") [ "$2 $3" = "--format json" ] || usage "image list: $*"; images ;;
    "pull 4")
      [ "$2 $3" = "--progress plain" ] || usage "image pull: $*"
      echo "[1/2] Fetching image" >&2
      grep -qxF "$(whole_name "$4")" "$state/remote" || fail "notFound: \"$4\""
      whole_name "$4" >>"$state/images"
      ;;
    "delete 2")
      name=$(whole_name "$2")
      grep -qxF "$name" "$state/images" || fail "failed to delete one or more images: [\"$2\"]"
      grep -vxF "$name" "$state/images" >"$state/images.new"
      mv "$state/images.new" "$state/images"
      echo "$2"
      ;;
    *) usage "image: $*" ;;
  esac
}

build() {
  local tag= file=
  while [ $# -gt 1 ]; do
    case $1 in
      --tag) tag=$2 ;;
      --file) file=$2 ;;
      --progress | --label) ;;
      *) unknown "$1" ;;
    esac
    shift 2
  done
  [ -d "${1:-}" ] || fail "no folder to build from"
  echo '#1 [1/2] FROM' >&2
  sed 's/^/#2 /' "$file" >&2
  if grep -q no-such-package "$file"; then fail 'unknown: "exit code: 100"'; fi
  whole_name "$tag" >>"$state/images"
  echo "Successfully built $tag"
}

# type=tmpfs,target=PATH,size=NM,mode=1777
mount_in_memory() {
  local part target= size= mode=755 parts
  IFS=, read -ra parts <<<"$1"
  for part in "${parts[@]}"; do
    case $part in
      type=tmpfs) ;;
      target=*) target=${part#*=} ;;
      size=*M) size=${part#*=} size=$((${size%M} * 1024 * 1024)) ;;
      mode=*) mode=${part#*=} ;;
      *) fail "unknown directive $part when parsing mount $1" ;;
    esac
  done
  mounts+=(--size "$size" --perms "$mode" --tmpfs "$target")
}

mount_folder() {
  local parts
  IFS=: read -ra parts <<<"$1"
  case ${#parts[@]} in 2 | 3) ;; *) fail "invalid volume format $1" ;; esac
  [ -e "${parts[0]}" ] || fail "path '${parts[0]}' does not exist"
  if [ "${parts[2]:-}" = ro ] && heeds volume:ro; then
    mounts+=(--ro-bind "${parts[0]}" "${parts[1]}")
  else
    mounts+=(--bind "${parts[0]}" "${parts[1]}")
  fi
}

run() {
  local name= uid=0 gid=0 read_only= caps= network=default memory= entry= interactive=
  local -a mounts=() environment=() rights=() sys
  : >"$state/labels.$$"
  while [ $# -gt 0 ]; do
    case $1 in
      --interactive) interactive=1 ;;
      --rm) ;;
      --read-only) read_only=1 ;;
      --name) name=$2 ;;
      --label) echo "$2" >>"$state/labels.$$" ;;
      --uid) uid=$2 ;;
      --gid) gid=$2 ;;
      --cap-drop) caps=$2 ;;
      --memory) memory=$((${2%M} * 1024 * 1024)) ;;
      --cpus) [[ $2 =~ ^[1-9][0-9]*$ ]] || usage "The value '$2' is invalid for '--cpus <cpus>'" ;;
      --ulimit) limit "$2" ;;
      --network) network=$2 ;;
      --mount) mount_in_memory "$2" ;;
      --volume) mount_folder "$2" ;;
      --env) environment+=("$2") ;;
      --workdir) [ "$2" = / ] || fail "workdir: $2" ;;
      --entrypoint) entry=$2 ;;
      --progress) [ "$2" = none ] || fail "progress: $2" ;;
      -*) unknown "$1" ;;
      *) break ;;
    esac
    case $1 in --interactive | --rm | --read-only) shift ;; *) shift 2 ;; esac
  done
  [[ $name =~ ^[a-zA-Z0-9][a-zA-Z0-9_.-]+$ && ${#name} -le 63 ]] || fail "container ID $name is not valid"
  grep -qxF "$(whole_name "$1")" "$state/images" || fail "notFound: \"$1\""
  shift
  [ -n "$interactive" ] || exec </dev/null
  local folder=$state/containers/$name
  mkdir "$folder" || fail "container with id $name already exists"
  mv "$state/labels.$$" "$folder/labels"
  printf '%s\0' ${environment[@]+"${environment[@]}"} >"$folder/environment"
  sys=(--perms 755 --tmpfs /sys --dir /sys/class/net/lo)
  if [ "$network" != none ] || ! heeds network:none; then sys+=(--dir /sys/class/net/eth0); fi
  if [ "$caps" = ALL ] && heeds --cap-drop; then rights+=(--cap-drop ALL); fi
  heeds --uid || uid=0
  if [ -n "$read_only" ] && heeds --read-only; then mounts+=(--remount-ro /); fi
  echo "$memory" >"$folder/memory"
  exec 4<&0
  env -i ${environment[@]+"${environment[@]}"} "$(command -v bwrap)" --unshare-all --as-pid-1 --info-fd 3 \
    --uid "$uid" --gid "$gid" ${rights[@]+"${rights[@]}"} --bind "$here/root" / --proc /proc --dev /dev \
    "${sys[@]}" --file 7 /sys/fs/cgroup/memory.max ${mounts[@]+"${mounts[@]}"} -- "$entry" "$@" \
    3>"$folder/info" 7<"$folder/memory" <&4 &
  wait $!
  local code=$?
  rm -rf "$folder"
  exit $code
}

limit() {
  local most=${2:-${1#*=}}
  case $1 in
    core=*) ulimit -c "$most" ;;
    nofile=*) ulimit -n "$most" ;;
    # Root's processes have no such limit, and here all are those of one person.
    nproc=*) ;;
    *) fail "invalid ulimit $1" ;;
  esac
}

inside() {
  local interactive= directory=/ folder pid code turns line
  local -a environment=()
  while [ $# -gt 0 ]; do
    case $1 in
      --interactive) interactive=1; shift ;;
      --workdir) directory=$2; shift 2 ;;
      --env) environment+=("$2"); shift 2 ;;
      -*) unknown "$1" ;;
      *) break ;;
    esac
  done
  sweep
  folder=$state/containers/$1
  pid=$(child_of "$folder")
  [ -n "$pid" ] || fail "notFound: \"container $1 not found\""
  shift
  while IFS= read -r -d '' line; do environment+=("$line"); done <"$folder/environment"
  [ -n "$interactive" ] || exec </dev/null
  local one two
  exec 4<&0
  exec 5> >(exec cat)
  one=$!
  exec 6> >(exec cat >&2)
  two=$!
  env -i "${environment[@]}" "$(command -v nsenter)" --preserve-credentials -U -m -p -n -i -u -t "$pid" \
    /bin/sh -c 'cd "$0" && exec "$@"' "$directory" "$@" <&4 >&5 2>&6 5>&- 6>&- 4<&- &
  wait $!
  code=$?
  exec 5>&- 6>&-
  # What it printed is waited for, but no longer than three seconds (`ProcessIO.swift`).
  for ((turns = 0; turns < 150; turns++)); do
    kill -0 "$one" 2>/dev/null || kill -0 "$two" 2>/dev/null || exit $code
    sleep 0.02
  done
  fail 'failed to exec process'
}

delete() {
  [ "$1 $#" = "--force 2" ] || usage "delete: $*"
  local folder=$state/containers/$2 pid
  sweep
  [ -d "$folder" ] || fail "failed to delete one or more containers: [\"$2\"]"
  pid=$(child_of "$folder")
  [ -n "$pid" ] || fail "failed to delete one or more containers: [\"$2\"]"
  kill -9 "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
  rm -rf "$folder"
  echo "$2"
}

status() {
  [ "$*" = "status --format json" ] || usage "system: $*"
  local text='{"apiServerAppName":"","apiServerBuild":"","apiServerCommit":"","apiServerVersion":"","appRoot":"","installRoot":"","status":"%s"}\n'
  # shellcheck disable=SC2059
  printf "$text" "$service"
  [ "$service" = running ] || exit 1
}

case ${1:-} in
  --version) echo "container CLI version $version (build: release, commit: af405ff)"; exit ;;
  system) shift; status "$@"; exit ;;
esac
[ "$service" = running ] || fail 'interrupted: "XPC connection error: Connection invalid"'
command=${1:-}
shift
case $command in
  list) list "$@" ;;
  image) image "$@" ;;
  build) build "$@" ;;
  run) run "$@" ;;
  exec) inside "$@" ;;
  delete) delete "$@" ;;
  *) usage "Unexpected argument '$command'" ;;
esac
