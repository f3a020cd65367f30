# SPDX-License-Identifier: Apache-2.0
"""who_asks.py NAME PORT: a web server whose only page says its name and who has asked."""
import http.server
import sys


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = ("%s was asked by %s port %d\n" % (sys.argv[1], *self.client_address[:2])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


Server(("", int(sys.argv[2])), Page).serve_forever()
