# SPDX-License-Identifier: Apache-2.0
"""open_connections.py ADDRESS PORT COUNT: opens so many TCP connections and says so; then for every
line that it reads, all of them ask for a page, and it says who answered how many."""
import json
import resource
import select
import socket
import sys
import time

REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
AT_ONCE = 500


def connect(address, port, count):
    """In small crowds: it is not about whether a server can take all at once."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = []
    while len(made) < count:
        poll, waiting, end = select.poll(), {}, time.monotonic() + 10
        for _ in range(min(AT_ONCE, count - len(made))):
            one = socket.socket(family, socket.SOCK_STREAM)
            one.setblocking(False)
            one.connect_ex((address, port))
            waiting[one.fileno()] = one
            poll.register(one, select.POLLOUT)
        while waiting and time.monotonic() < end:
            for number, _ in poll.poll(100):
                poll.unregister(number)
                one = waiting.pop(number)
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    made.append(one)
        if waiting or time.monotonic() >= end:
            break
    return made


def read(one):
    """The page's text; None: not whole yet; "broken": there will be none."""
    try:
        text = one.recv(65536, socket.MSG_PEEK).decode()
    except BlockingIOError:
        return None
    except OSError:
        return "broken"
    if not text:
        return "broken"
    head, found, body = text.partition("\r\n\r\n")
    sizes = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
    if not found or not sizes or len(body) < int(sizes[0]):
        return None
    one.recv(65536)
    return body.strip()


def ask(made):
    answers, open_ones = {}, []
    for at in range(0, len(made), AT_ONCE):
        poll, waiting, end = select.poll(), {}, time.monotonic() + 5
        for one in made[at:at + AT_ONCE]:
            try:
                one.send(REQUEST)
                waiting[one.fileno()] = one
                poll.register(one, select.POLLIN)
            except OSError:
                answers["broken"] = answers.get("broken", 0) + 1
        while waiting and time.monotonic() < end:
            for number, _ in poll.poll(100):
                name = read(waiting[number])
                if name is None:
                    continue
                poll.unregister(number)
                one = waiting.pop(number)
                answers[name] = answers.get(name, 0) + 1
                if name != "broken":
                    open_ones.append(one)
        if waiting:
            answers["broken"] = answers.get("broken", 0) + len(waiting)
    return answers, open_ones


def main():
    address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
    made = connect(address, port, count)
    print(json.dumps({"opened": len(made)}), flush=True)
    for _ in sys.stdin:
        answers, made = ask(made)
        print(json.dumps(answers), flush=True)


main()
