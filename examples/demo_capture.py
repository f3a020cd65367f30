#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the captures of ./demo without privilege: what three hosts on a switch say.

    examples/demo_capture.py FOLDER      FOLDER/host1.pcap, host2.pcap, host3.pcap

Each file has what one host sends: ARP, ping, a small TCP conversation, UDP, IPv6.
"""
import sys

from scapy.all import ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6EchoRequest, IPv6, Raw, wrpcap

HOSTS = (1, 2, 3)
START = 1700000000


def mac(host):
    return "02:00:00:00:00:%02x" % host


def ethernet(source, target):
    return Ether(src=mac(source), dst=mac(target))


def ip(source, target):
    return IP(src="10.7.0.%d" % source, dst="10.7.0.%d" % target)


def announce(said):
    """Every host says who it is, all at once: each file then begins at the same moment,
    and the switch knows everybody before the first conversation."""
    for host in HOSTS:
        packet = Ether(src=mac(host), dst="ff:ff:ff:ff:ff:ff") / ARP(
            op=1, hwsrc=mac(host), psrc="10.7.0.%d" % host, pdst="10.7.0.%d" % host)
        packet.time = START
        said[host].append(packet)


def say(said, source, packet):
    """A millisecond after whatever was said last."""
    packet.time = START + 0.05 + sum(map(len, said.values())) / 1000
    said[source].append(packet)


def ping(said, a, b, count):
    say(said, a, Ether(src=mac(a), dst="ff:ff:ff:ff:ff:ff") /
        ARP(op=1, hwsrc=mac(a), psrc="10.7.0.%d" % a, pdst="10.7.0.%d" % b))
    say(said, b, ethernet(b, a) / ARP(op=2, hwsrc=mac(b), psrc="10.7.0.%d" % b,
                                      hwdst=mac(a), pdst="10.7.0.%d" % a))
    for number in range(count):
        data = Raw(bytes(range(56)))
        say(said, a, ethernet(a, b) / ip(a, b) / ICMP(type=8, id=a, seq=number) / data)
        say(said, b, ethernet(b, a) / ip(b, a) / ICMP(type=0, id=a, seq=number) / data)


def conversation(said, a, b, port, count):
    """A TCP connection in which b sends `count` full segments."""
    size = 1400
    forth = ethernet(a, b) / ip(a, b)
    back = ethernet(b, a) / ip(b, a)
    say(said, a, forth / TCP(sport=40000 + a, dport=port, flags="S", seq=100))
    say(said, b, back / TCP(sport=port, dport=40000 + a, flags="SA", seq=500, ack=101))
    say(said, a, forth / TCP(sport=40000 + a, dport=port, flags="A", seq=101, ack=501))
    for number in range(count):
        at = 501 + number * size
        say(said, b, back / TCP(sport=port, dport=40000 + a, flags="PA", seq=at, ack=101) /
            Raw(b"millrace" * (size // 8)))
        say(said, a, forth / TCP(sport=40000 + a, dport=port, flags="A", seq=101, ack=at + size))
    say(said, a, forth / TCP(sport=40000 + a, dport=port, flags="FA", seq=101, ack=501 + count * size))
    say(said, b, back / TCP(sport=port, dport=40000 + a, flags="FA", seq=501 + count * size, ack=102))


def main():
    said = {host: [] for host in HOSTS}
    announce(said)
    ping(said, 1, 2, 10)
    ping(said, 3, 1, 10)
    conversation(said, 1, 3, 80, 8)
    for number in range(20):
        say(said, 2, ethernet(2, 3) / ip(2, 3) / UDP(sport=5000, dport=5001) / Raw(b"%03d" % number))
    say(said, 2, Ether(src=mac(2), dst="33:33:00:00:00:01") /
        IPv6(src="fe80::2", dst="ff02::1") / ICMPv6EchoRequest())
    for host in HOSTS:
        wrpcap("%s/host%d.pcap" % (sys.argv[1], host), said[host])


if __name__ == "__main__":
    main()
