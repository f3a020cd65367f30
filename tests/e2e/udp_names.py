# SPDX-License-Identifier: Apache-2.0
"""udp_names.py serve NAME PORT: answers every datagram with the name.
udp_names.py ask ADDRESS PORT FIRST COUNT: from each of COUNT ports one datagram, and again where no
answer comes; says who answered which port."""
import json
import resource
import select
import socket
import sys


def serve(name, port):
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    made.bind(("::", port))
    while True:
        _, whom = made.recvfrom(2048)
        made.sendto(name.encode(), whom)


def ask(address, port, first, count):
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    names, asked, poll = {}, {}, select.poll()
    for number in range(first, first + count):
        one = socket.socket(family, socket.SOCK_DGRAM)
        one.bind(("", number))
        one.connect((address, port))
        asked[one.fileno()] = (number, one)
        poll.register(one, select.POLLIN)
    for _ in range(3):
        for batch in range(0, count, 64):
            for number, one in list(asked.values())[batch:batch + 64]:
                if number not in names:
                    one.send(b"who?")
            collect(poll, asked, names, 10)
        collect(poll, asked, names, 300)
    print(json.dumps(names))


def collect(poll, asked, names, wait):
    while True:
        ready = poll.poll(wait)
        if not ready:
            return
        for file, _ in ready:
            number, one = asked[file]
            try:
                names[number] = one.recv(100).decode()
            except OSError:
                pass


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    ask(sys.argv[2], *map(int, sys.argv[3:]))
