#!/usr/bin/env bash
# A real S3 for tests: one Ceph RADOS Gateway on loopback, kept in memory, gone with who started it.
#
#   scripts/s3.sh install                 Debian's packages (root)
#   scripts/s3.sh run DIR PORT [PID]      start; prints "ready"; ends when process PID does (or on a signal)
#
# Keys: testkey / testsecret. PORT for S3, PORT+1 and PORT+2 for Ceph's monitor, all on 127.0.0.1.
set -euo pipefail

install() {
  if command -v radosgw ceph-mon ceph-osd ceph >/dev/null; then return; fi
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends radosgw ceph-mon ceph-osd ceph-common >/dev/null
}

run() {
  local dir=$1 port=$2 watched=${3:-}
  local mon=$((port + 1)) user
  user=$(id -un)
  mkdir -p "$dir"/{mon,osd,log,run}
  cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = [v2:127.0.0.1:$((mon + 1)),v1:127.0.0.1:$mon]
public addr = 127.0.0.1
ms bind ipv6 = false
keyring = $dir/keyring
run dir = $dir/run
log file = $dir/log/\$name.log
mon cluster log file = $dir/log/cluster.log
admin socket = $dir/run/\$name.asok
pid file = $dir/run/\$name.pid
mon allow pool size one = true
mon max pg per osd = 1000
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
[mon]
mon data = $dir/mon
mon initial members = a
[osd]
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd class load list = *
osd class default list = *
[client.rgw.a]
# without tcp_nodelay every answer with a body waits 40 ms for an acknowledgement
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw enable ops log = false
rgw enable usage log = false
rgw thread pool size = 64
CONF
  local as=(-c "$dir/ceph.conf")
  export CEPH_ARGS="-c $dir/ceph.conf"
  ceph-authtool "$dir/keyring" --create-keyring --gen-key -n mon. --cap mon 'allow *' >/dev/null
  ceph-authtool "$dir/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' >/dev/null
  ceph-authtool "$dir/keyring" --gen-key -n client.rgw.a --cap mon 'allow rw' --cap osd 'allow rwx' --cap mgr 'allow rw' >/dev/null
  ceph-authtool "$dir/keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *' --cap mgr 'allow profile osd' >/dev/null
  local fsid
  fsid=$(sed -n 's/^fsid = //p' "$dir/ceph.conf")
  monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$((mon + 1)),v1:127.0.0.1:$mon]" "$dir/monmap" >/dev/null
  ceph-mon "${as[@]}" --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring" --setuser "$user" --setgroup "$user" >/dev/null
  # children of this script, in the foreground: they end with it, whatever becomes of it
  local made=("$dir"/{mon,osd,log,run,keyring,monmap,ceph.conf})
  trap 'trap - EXIT; kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "${made[@]}"' EXIT
  trap 'exit 143' TERM INT HUP
  ceph-mon "${as[@]}" -f -i a --setuser "$user" --setgroup "$user" >"$dir/log/mon.out" 2>&1 &
  local osd
  osd=$(ceph "${as[@]}" osd create)
  ceph-osd "${as[@]}" -i "$osd" --mkfs --setuser "$user" --setgroup "$user" >/dev/null 2>&1
  ceph "${as[@]}" osd crush add "osd.$osd" 1.0 host=localhost root=default >/dev/null 2>&1
  ceph-osd "${as[@]}" -f -i "$osd" --setuser "$user" --setgroup "$user" >"$dir/log/osd.out" 2>&1 &
  for _ in $(seq 240); do
    if ceph "${as[@]}" osd stat | grep -q '1 up'; then break; fi
    sleep 0.25
  done
  radosgw "${as[@]}" -f -n client.rgw.a --setuser "$user" --setgroup "$user" >"$dir/log/rgw.out" 2>&1 &
  for _ in $(seq 480); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
    sleep 0.25
  done
  radosgw-admin "${as[@]}" user create --uid=test --display-name=test --access-key=testkey --secret-key=testsecret >/dev/null 2>&1
  echo ready
  while [ -z "$watched" ] || kill -0 "$watched" 2>/dev/null; do
    sleep 1 &
    wait $!
  done
}

case "${1:-}" in
  install) install ;;
  run) shift; run "$@" ;;
  *) sed -n '2,8p' "$0"; exit 2 ;;
esac
