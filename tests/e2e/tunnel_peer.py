# SPDX-License-Identifier: Apache-2.0
"""tunnel_peer.py DEVICE: the server's end of IP in IP (4 and 6 in 4 and 6) and of GUE, where the kernel
has none. What comes is taken out of its outer header, which the kernel has checked, and comes in again
by the tun device DEVICE, made here. Once a line is read, it says in JSON how many there were of each
kind, and of those whose outer header said something else than was inside."""
import fcntl
import json
import os
import select
import socket
import struct
import sys

GUE_PORT = 6080
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def tun(name):
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def whole(packet):
    """Whether it is one IP packet and nothing else, by the length that it says itself."""
    if packet[0] >> 4 == 6:
        return len(packet) == 40 + struct.unpack_from("!H", packet, 4)[0]
    return len(packet) == struct.unpack_from("!H", packet, 2)[0]


def main():
    device, sockets, count = tun(sys.argv[1]), {}, {}
    for family, word in ((socket.AF_INET, "4"), (socket.AF_INET6, "6")):
        for proto in (socket.IPPROTO_IPIP, socket.IPPROTO_IPV6):
            sockets[socket.socket(family, socket.SOCK_RAW, proto)] = "ipip in " + word, \
                20 if family == socket.AF_INET else 0
        udp = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        udp.bind(("", GUE_PORT))
        sockets[udp] = "gue in " + word, 4
    print("ready", flush=True)
    while True:
        for ready in select.select(list(sockets) + [sys.stdin], [], [])[0]:
            if ready is sys.stdin:
                print(json.dumps(count), flush=True)
                return
            kind, head = sockets[ready]
            packet = ready.recv(65536)[head:]
            kind += "" if whole(packet) else ", wrong"
            count[kind] = count.get(kind, 0) + 1
            os.write(device, packet)


main()
