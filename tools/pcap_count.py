#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Print how many packets a pcap file holds."""
import struct
import sys


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at, count = 24, 0
    while at + 16 <= len(data):
        at += 16 + struct.unpack_from(order + "I", data, at + 8)[0]
        count += 1
    print(count)


if __name__ == "__main__":
    main()
