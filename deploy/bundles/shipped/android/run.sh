#!/bin/sh
# Time the networks of a bundle for Android with ncnn's benchncnn, on a phone or board behind adb.
#
#     sh run.sh NCNN BUNDLE [THREADS]
#
# NCNN     benchncnn of the ncnn release that you want to time, built for Android, or a folder with it
# BUNDLE   a folder that `make engine BOARD=android` wrote, such as engines/android/kestrel_fast-fp16
# THREADS  2, if not given; they run on the big cores
#
# ANDROID_SERIAL chooses among several devices. ROUNDS (5) of LOOPS (50) frames are timed.
# Exit codes: 0, 2 it can't be done (a sentence says why), 3 the device was slowed down by heat.

set -u
AT=/data/local/tmp/hotpath
root=$(cd "$(dirname "$0")/../../../.." && pwd)

fail() {
    echo "run.sh: $1" >&2
    exit 2
}

# adb reads standard input, so it must not see that of a loop. Old ones end lines with \r\n.
device() {
    adb "$@" </dev/null 2>&1 | tr -d '\r'
}

phone() {
    if [ -x "$root/.venv/bin/python" ]; then python=$root/.venv/bin/python; else python=python3; fi
    PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" "${PYTHON:-$python}" -m hotpath.deploy.fps.phone "$@"
}

[ $# -ge 2 ] || fail "give benchncnn and a bundle: sh run.sh NCNN BUNDLE [THREADS]"
ncnn=$1 bundle=$2 threads=${3:-2}
if [ -d "$ncnn" ]; then
    found=$(find "$ncnn" -type f -name benchncnn | sort | head -n 1)
    [ -n "$found" ] || fail "there is no benchncnn in $ncnn; build ncnn for Android with \
-DNCNN_BUILD_BENCHMARK=ON, as its releases for Android have only the library"
    ncnn=$found
fi
[ -f "$ncnn" ] || fail "$ncnn is not there; name benchncnn, built for Android"
jobs=$(phone jobs "$bundle") || exit 2
command -v adb >/dev/null || fail "adb is not installed; install Android's platform tools"

# -- the device
adb start-server >/dev/null 2>&1 </dev/null || fail "adb's server does not start; run: adb devices"
listed=$(device devices | sed -n '2,$p' | grep -v '^[*]' | grep .)
if [ -n "${ANDROID_SERIAL:-}" ]; then
    listed=$(printf '%s\n' "$listed" | awk -v serial="$ANDROID_SERIAL" '$1 == serial')
    [ -n "$listed" ] || fail "adb sees no device $ANDROID_SERIAL; see: adb devices"
fi
case $(printf '%s' "$listed" | grep -c .) in
0) fail "adb sees no device; connect one and switch USB debugging on" ;;
1) ;;
*) fail "adb sees several devices; name one, such as \
ANDROID_SERIAL=$(printf '%s\n' "$listed" | awk 'NR == 1 {print $1}')" ;;
esac
case $(printf '%s\n' "$listed" | awk '{print $2}') in
device) ;;
unauthorized) fail "the device does not trust this computer; allow it on the device's screen" ;;
*) fail "the device is not ready: $listed; connect it anew" ;;
esac

# -- the files
log=$(mktemp -d) || exit 2
trap 'rm -rf "$log"' EXIT
trap 'exit 130' INT TERM
told=$(device shell "mkdir -p $AT && echo made") # before Android 7, adb shell always ends with 0
[ "$told" = made ] || fail "$AT can't be made on the device: $told"
for file in "$ncnn" "$bundle"/*.param; do
    case $file in *.param) name=${file##*/} ;; *) name=benchncnn ;; esac
    told=$(adb push "$file" "$AT/$name" </dev/null 2>&1) || fail "adb push $file: $told"
done
device shell "chmod 755 $AT/benchncnn" >/dev/null

# -- a sample of the temperatures and of what slows the device down
samples=0
sample() {
    samples=$((samples + 1))
    device shell 'for d in /sys/class/thermal/*; do for f in type temp cur_state; do
        [ -r $d/$f ] && echo "$d/$f $(cat $d/$f)"; done; done 2>/dev/null; dumpsys thermalservice' \
        >"$log/sample-$(printf %03d $samples)"
}

# -- the times
sample
round=0
while [ $round -lt "${ROUNDS:-5}" ]; do
    round=$((round + 1))
    while read -r param shape; do # 2: big cores, -1: no GPU, 0: no pause of 10 s
        told=$(device shell "cd $AT && ./benchncnn ${LOOPS:-50} $threads 2 -1 0 \
            param=$param 'shape=$shape'")
        line=$(printf '%s\n' "$told" | grep "^ *$param  *min = ")
        [ -n "$line" ] || fail "benchncnn does not time $param; it is of ncnn 20230517 or newer? It \
says: $(printf '%s\n' "$told" | tail -n 1)"
        echo "$line" >>"$log/times"
    done <<JOBS
$jobs
JOBS
    sample
done
phone verdict "$log"
