# SPDX-License-Identifier: Apache-2.0
"""sip_peer.py call SERVER [early] | answer [early]: a SIP user agent of one call. `call` asks SERVER at port 5060 for one,
from its own port 5060, and says in JSON what came of it; `answer` takes one, says BYE after it, and
sends what it hears of media back to the address that the other has said. With `early` the caller speaks
first, to the address that was answered."""
import json
import re
import socket
import sys

MEDIA = 4000


def own(peer):
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.connect((peer, 9))
    return probe.getsockname()[0]


def sdp(address, port):
    return ("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n"
            % (address, address, port))


def message(start, fields, body=""):
    lines = [start] + fields
    if body:
        lines.append("Content-Type: application/sdp")
    return ("\r\n".join(lines + ["Content-Length: %d" % len(body), "", ""]) + body).encode()


def field(text, name):
    return re.search(r"^%s: (.*?)\r$" % name, text, re.M).group(1)


def is_whole(text):
    head, _, body = text.partition("\r\n\r\n")
    return int(field(head + "\r\n", "Content-Length")) == len(body)


def media_of(text):
    return (re.search(r"^c=IN IP4 (\S+)\r$", text, re.M).group(1),
            int(re.search(r"^m=audio (\d+)", text, re.M).group(1)))


def udp(port):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("", port))
    made.settimeout(3)
    return made


def call(server, early):
    me, signal, rtp, rtcp = own(server), udp(5060), udp(MEDIA), udp(MEDIA + 1)
    invite = message("INVITE sip:bob@%s SIP/2.0" % server, [
        "Via: SIP/2.0/UDP %s:5060;branch=z9hG4bK1;rport" % me, "From: <sip:alice@%s>;tag=1" % me,
        "To: <sip:bob@%s>" % server, "Call-ID: 1", "CSeq: 1 INVITE", "Contact: <sip:alice@%s:5060>" % me,
    ], sdp(me, MEDIA))
    signal.sendto(invite, (server, 5060))
    answer = signal.recv(4000).decode()
    said = {"via": field(answer, "Via"), "from": field(answer, "From"), "whole": is_whole(answer), "answer": answer}
    if early:
        udp(MEDIA + 10).sendto(b"early", media_of(answer))
    # The other speaks first: without a mapping for the media nothing would come in.
    for name, one in (("rtp", rtp), ("rtcp", rtcp)):
        heard, whom = one.recvfrom(100)
        said[name] = heard.decode()
        one.sendto(b"heard " + heard, whom)
    bye, whom = signal.recvfrom(4000)
    bye = bye.decode()
    said["bye"] = bye.splitlines()[0]
    signal.sendto(message("SIP/2.0 200 OK", ["Via: " + field(bye, "Via"), "From: " + field(bye, "From"),
                                             "To: " + field(bye, "To"), "Call-ID: 1", "CSeq: 2 BYE"]), whom)
    print(json.dumps(said))


def answer(early):
    signal, rtp = udp(5060), udp(MEDIA)
    signal.settimeout(30)
    print("ready", flush=True)
    text, whom = signal.recvfrom(4000)
    text = text.decode()
    me, contact = own(whom[0]), re.search(r"sip:\w+@([\d.]+)(?::(\d+))?", field(text, "Contact"))
    said = {"from": whom, "whole": is_whole(text), "text": text}
    signal.sendto(message("SIP/2.0 200 OK", [
        "Via: %s;received=%s" % (field(text, "Via").replace("rport", "rport=%d" % whom[1]), whom[0]),
        "From: " + field(text, "From"), "To: " + field(text, "To"), "Call-ID: 1", "CSeq: 1 INVITE",
        "Contact: <sip:bob@%s>" % me], sdp(me, MEDIA)), whom)
    if early:
        said["early"] = rtp.recv(100).decode()
    address, port = media_of(text)
    for number, name in ((0, "rtp"), (1, "rtcp")):
        rtp.sendto(name.encode(), (address, port + number))
        said[name] = rtp.recv(100).decode()
    where = (contact.group(1), int(contact.group(2) or 5060))
    signal.sendto(message("BYE sip:alice@%s:%d SIP/2.0" % where, [
        "Via: SIP/2.0/UDP %s:5060;branch=z9hG4bK2" % me, "From: <sip:bob@%s>" % me, "To: <sip:alice@%s>" % where[0],
        "Call-ID: 1", "CSeq: 2 BYE"]), where)
    signal.settimeout(3)
    said["ended"] = signal.recv(4000).decode().splitlines()[0]
    print(json.dumps(said))


if sys.argv[1] == "call":
    call(sys.argv[2], "early" in sys.argv)
else:
    answer("early" in sys.argv)
