# SPDX-License-Identifier: MIT
"""vnc.py PORT TEXT: takes one picture from a VNC server and looks for a screen that is filled with
the pixel whose bytes are TEXT (its first three count). RFC 6143."""

import socket
import struct
import sys

RAW = 0


class Link:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                sys.exit("vnc: the server hung up")
            data += piece
        return data

    def unpack(self, form):
        return struct.unpack(form, self.read(struct.calcsize(form)))

    def send(self, form, *values):
        self.socket.sendall(struct.pack(form, *values))


def login(link):
    """No password; returns width and height. Pixels come as the framebuffer has them: 32 bits."""
    link.send("12s", link.read(12))
    link.read(link.unpack("B")[0])
    link.send("B", 1)
    if link.unpack(">I")[0]:
        sys.exit("vnc: the server refuses")
    link.send("B", 1)
    width, height = link.unpack(">HH16x")
    link.read(link.unpack(">I")[0])
    link.send(">B3x4B3H3B3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
    link.send(">BxHi", 2, 1, RAW)
    return width, height


def picture(link, width, height):
    link.send(">BB4H", 3, 0, 0, 0, width, height)
    pixels = b""
    while len(pixels) < width * height * 4:
        kind, count = link.unpack(">BxH")
        if kind != 0:
            sys.exit(f"vnc: message {kind}")
        for _ in range(count):
            _, _, w, h, encoding = link.unpack(">4Hi")
            if encoding != RAW:
                sys.exit(f"vnc: encoding {encoding}")
            pixels += link.read(w * h * 4)
    return pixels


def main():
    link = Link(int(sys.argv[1]))
    wanted = sys.argv[2].encode()[:3]
    pixels = picture(link, *login(link))
    found, all_pixels = pixels.count(wanted), len(pixels) // 4
    print(f"vnc: {found} of {all_pixels} pixels")
    sys.exit(0 if found * 10 > all_pixels * 9 else 1)


main()
