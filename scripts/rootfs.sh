#!/usr/bin/env bash
# rootfs.sh BINARY FOLDER: lays out the file system of the image around a binary.
set -euo pipefail
binary=$1 root=$2
here=$(cd "$(dirname "$0")/.." && pwd)

mkdir -p "$root"/{usr/bin,etc/lanner,etc/ssl/certs,var/lib/lanner}
install -m 0755 "$binary" "$root/usr/bin/lanner"
# The libraries it is linked with, at the paths where the loader looks for them.
ldd "$binary" | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) { print $i; break } }' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
# The resolver is loaded by name when an address is looked up.
for library in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
  found=$(ldconfig -p 2>/dev/null | awk -v name="$library" '$1 == name && !path { path = $NF } END { print path }')
  if [ -n "$found" ]; then
    mkdir -p "$root$(dirname "$found")"
    cp -L "$found" "$root$found"
  fi
done
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
fi
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
echo 'lanner:x:65532:65532:Lanner:/:/sbin/nologin' > "$root/etc/passwd"
echo 'lanner:x:65532:' > "$root/etc/group"
install -m 0644 "$here/pipelines/container.yaml" "$root/etc/lanner/config.yaml"
install -d -m 1777 "$root/tmp"
chmod 0700 "$root/var/lib/lanner"
if [ "$(id -u)" = 0 ]; then chown 65532:65532 "$root/var/lib/lanner"; fi
