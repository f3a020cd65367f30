# SPDX-License-Identifier: Apache-2.0
"""A millrace that translates between an inside and an outside, all in network namespaces.

        host 1, 2           10.0.0.N/24, behind port1, port2 (a bridge's place: two inside networks)
          |
        millrace            10.0.N.1 inside, 203.0.113.1 outside
          |
        host 3              203.0.113.3, and 198.51.100.7, 198.51.100.8 as further addresses
"""
from lab import Lab

CONFIG = """
interface:
  in1: {device: port1}
  in2: {device: port2}
  wan: {device: port3}
router:
  default:
    interface:
      in1: {address: [10.0.1.1/24]}
      in2: {address: [10.0.2.1/24]}
      wan: {address: [203.0.113.1/24]}
    route: {198.51.100.0/24: {via: 203.0.113.3}}
nat:
  instance:
    x: {outside: [wan], inside: [in1, in2], %s}
lanes: {mode: %s}
"""


class NatLab(Lab):
    def __init__(self, body, mode="auto"):
        super().__init__()
        for number in (1, 2, 3):
            self.add_host(number)
            self.in_host(number, "ip", "address", "flush", "dev", "eth0")
        for number in (1, 2):
            self.in_host(number, "ip", "address", "add", "10.0.%d.5/24" % number, "dev", "eth0")
            self.in_host(number, "ip", "route", "add", "default", "via", "10.0.%d.1" % number)
        self.in_host(3, "ip", "address", "add", "203.0.113.3/24", "dev", "eth0")
        for last in (7, 8):
            self.in_host(3, "ip", "address", "add", "198.51.100.%d/32" % last, "dev", "eth0")
        self.start(CONFIG % (body, mode))
