#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What the examples' scripts share: hosts in network namespaces, links between them, millrace in one
# of them with a configuration of this folder. To be read by a script (`. lab.sh`) that has set
# `example`, its name. Everything is named by the process and taken away at the end, also
# after ^C.
#
#	lab_host NAME            a namespace
#	lab_link A DEV B DEV     a veth between two
#	lab_in NAME COMMAND..    runs there
#	lab_begin NAME COMMAND.. in the background, until the end
#	lab_run NAME FILE SED..  millrace with a file of this folder, changed by sed's expressions;
#	                         answering before it goes on
#	lab_check TEXT COMMAND.. says so when it succeeds, ends the script when not
# shellcheck disable=SC2154
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export PATH
folder=$(cd "$(dirname "$0")" && pwd) || exit 1
millrace=${MILLRACE-$folder/../build/millrace}
case $millrace in
/*) ;;
*) millrace=$PWD/$millrace ;;
esac

if [ "$(id -u)" != 0 ]; then
	echo "$example: needs root, for network namespaces" >&2
	exit 77
fi
if [ ! -x "$millrace" ]; then
	echo "$example: no $millrace; build it (meson setup build && ninja -C build), or name it in MILLRACE" >&2
	exit 1
fi

lab_id=mrx$$
lab_work=$(mktemp -d) || exit 1
chmod 711 "$lab_work"
lab_started=
lab_hosts=

lab_clean_up()
{
	trap '' INT TERM HUP
	for pid in $lab_started; do
		kill "$pid" 2>/dev/null
	done
	for pid in $lab_started; do
		wait "$pid" 2>/dev/null
	done
	for name in $lab_hosts; do
		ip netns delete "$lab_id-$name"
	done
	rm -rf "$lab_work"
}
trap lab_clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

lab_failed()
{
	echo "$example: $1" >&2
	[ ! -s "$lab_work/log" ] || sed 's/^/    | /' "$lab_work/log" >&2
	exit 1
}

lab_host()
{
	ip netns add "$lab_id-$1" || exit 1
	lab_hosts="$lab_hosts $1"
	lab_in "$1" ip link set lo up
}

lab_in()
{
	lab_name=$1
	shift
	ip netns exec "$lab_id-$lab_name" "$@"
}

lab_link()
{
	ip link add "$2" netns "$lab_id-$1" type veth peer name "$4" netns "$lab_id-$3" || exit 1
	lab_in "$1" ip link set "$2" up
	lab_in "$3" ip link set "$4" up
}

# lab_address NAME DEVICE ADDRESS GATEWAY
lab_address()
{
	lab_in "$1" ip address add "$3" dev "$2"
	lab_in "$1" ip route add default via "$4"
}

lab_begin()
{
	lab_name=$1
	shift
	ip netns exec "$lab_id-$lab_name" "$@" >/dev/null 2>&1 &
	lab_last=$!
	lab_started="$lab_started $lab_last"
}

# lab_wait SECONDS COMMAND..: until it succeeds, looked at 20 times a second.
lab_wait()
{
	lab_tries=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		lab_tries=$((lab_tries - 1))
		[ $lab_tries -gt 0 ] || return 1
		sleep 0.05
	done
}

lab_show()
{
	"$millrace" show --socket "$lab_work/socket" "$@"
}

lab_run()
{
	lab_name=$1
	{
		echo "system: {control-socket: $lab_work/socket}"
		cat "$folder/$2"
	} >"$lab_work/config.yaml"
	shift 2
	[ $# = 0 ] || sed -i "$@" "$lab_work/config.yaml"
	ip netns exec "$lab_id-$lab_name" "$millrace" run "$lab_work/config.yaml" >"$lab_work/log" 2>&1 &
	lab_millrace=$!
	lab_started="$lab_started $lab_millrace"
	lab_wait 5 lab_show packets || lab_failed "millrace did not start"
}

# lab_change EXPRESSION..: the configuration changed by sed, while it runs
lab_change()
{
	lab_before=$(grep -c ' applied' "$lab_work/log")
	sed -i "$@" "$lab_work/config.yaml"
	kill -HUP "$lab_millrace"
	lab_wait 5 lab_applied || lab_failed "the changed configuration was not applied"
}

lab_applied()
{
	[ "$(grep -c ' applied' "$lab_work/log")" -gt "$lab_before" ]
}

# The same without what people need not see: lab_config FILE
lab_config()
{
	sed '/^#/d; s/^/    /' "$folder/$1"
}

# lab_end: it has to end well.
lab_end()
{
	kill -TERM "$lab_millrace"
	wait "$lab_millrace" || lab_failed "millrace ended badly"
	echo "$example: ok"
}

lab_check()
{
	lab_text=$1
	shift
	"$@" >"$lab_work/said" 2>&1 || {
		sed 's/^/    | /' "$lab_work/said" >&2
		lab_failed "not so: $lab_text"
	}
	echo "  $lab_text"
}

# What must not succeed.
lab_refused()
{
	lab_text=$1
	shift
	if "$@" >/dev/null 2>&1; then
		lab_failed "not so: $lab_text"
	fi
	echo "  $lab_text"
}

# A web server at a port of a host, that answers with who has asked: lab_web NAME PORT
lab_web()
{
	lab_begin "$1" /usr/bin/python3 "$folder/who_asks.py" "$1" "$2"
	lab_wait 5 lab_listens "$1" "$2" || lab_failed "no web server on $1"
}

lab_listens()
{
	lab_in "$1" ss -Hltn "sport = :$2" | grep -q .
}
