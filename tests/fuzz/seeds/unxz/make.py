#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of tests/fuzz/unxz.c; its head says what the first byte means."""
import lzma
import pathlib

HERE = pathlib.Path(__file__).parent
XZ, ALONE, RAW = lzma.FORMAT_XZ, lzma.FORMAT_ALONE, lzma.FORMAT_RAW
TEXT = b"".join(b"%d: the quick brown fox, %d times\n" % (i, i * i) for i in range(30))
# Calls of three functions, opcodes inside of operands, and bytes that are no calls.
CODE = b"".join(b"\x55\xe8" + (0x400 * (i % 3) - 7 * i & 0xFFFFFFFF).to_bytes(4, "little") +
                bytes([0xE8, i, 0xE9, 0, 0xFF, 0xE8][:i % 7]) for i in range(60))
RANDOM = bytes((i * i * 7919 >> 5 ^ i * 31) & 255 for i in range(200))


def lzma2(**options):
    return {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 65536, **options}


def main():
    x86 = {"id": lzma.FILTER_X86}
    one = {"id": lzma.FILTER_LZMA1, "preset": 6, "dict_size": 65536}
    seeds = {
        "xz-none": b"\0" + lzma.compress(TEXT, XZ, lzma.CHECK_NONE, filters=[lzma2()]),
        "xz-crc32": b"\0" + lzma.compress(CODE, XZ, lzma.CHECK_CRC32, filters=[x86, lzma2()]),
        "xz-crc64": b"\0" + lzma.compress(TEXT, XZ, lzma.CHECK_CRC64, filters=[lzma2()]),
        "xz-sha256": b"\0" + lzma.compress(TEXT, XZ, lzma.CHECK_SHA256, filters=[lzma2()]),
        "xz-empty": b"\0" + lzma.compress(b"", XZ),
        "alone": b"\1" + lzma.compress(TEXT + bytes(300), ALONE, filters=[one]),
        "alone-known": b"\1" + (lambda s: s[:5] + len(TEXT).to_bytes(8, "little") + s[13:])(
            lzma.compress(TEXT, ALONE, filters=[one])),
        "raw": b"\2" + lzma.compress(TEXT, RAW, filters=[lzma2()]),
        "raw-literals": b"\2" + lzma.compress(TEXT, RAW, filters=[lzma2(lc=0, lp=4, pb=4)]),
        "raw-code": b"\6" + lzma.compress(CODE, RAW, filters=[lzma2(lc=1, lp=2, pb=0)]),
        "raw-plain": b"\2" + lzma.compress(RANDOM, RAW, filters=[lzma2()]),
        "raw-chunks": b"\2" + lzma.compress(TEXT, RAW, filters=[lzma2()])[:-1] +
                      b"\2\0\3abcd" + lzma.compress(RANDOM, RAW, filters=[lzma2()]),
    }
    for name, data in seeds.items():
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
