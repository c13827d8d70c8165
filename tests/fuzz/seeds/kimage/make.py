#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of tests/fuzz/kimage.c beside itself: one small kernel, in each wrapping.

Needs gzip, xz, zstd and lz4 in PATH; lzo is written out by hand.
"""
import pathlib
import struct
import subprocess

HERE = pathlib.Path(__file__).parent
BASE, PHYS = 0xFFFFFFFF80000000, 0x100000
NOTES_AT, TEXT_AT, TEXT = 0x100, 0x400, b"\x90\xc3" * 64


def note(kind, desc):
    if isinstance(desc, int):
        desc = struct.pack("<Q", desc)
    return struct.pack("<III", 4, len(desc), kind) + b"Xen\0" + desc + bytes(-len(desc) % 4)


def elf(notes, section):
    """One text segment with BSS; notes as a PT_NOTE segment or as the section of that name."""
    names = b"\0"
    sections = struct.pack("<IIQQQQIIQQ", *[0] * 10)
    kind = {"segment": 4, ".note": 0}[section]
    sections += struct.pack("<IIQQQQIIQQ", 0, 7 if section == ".note" else 1, 0, 0, NOTES_AT, len(notes), 0, 0,
                            4, 0)
    sections += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, 0x3E0, len(names), 0, 0, 1, 0)
    shoff = TEXT_AT + len(TEXT)
    head = b"\x7fELF\2\1\1" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, BASE + PHYS, 64, shoff, 0, 64, 56, 2, 64, 3, 2)
    head += struct.pack("<IIQQQQQQ", 1, 7, TEXT_AT, 0, PHYS, len(TEXT), 0x1800, 4096)
    head += struct.pack("<IIQQQQQQ", kind, 4, NOTES_AT, 0, 0, len(notes), len(notes), 4)
    out = (head.ljust(NOTES_AT, b"\0") + notes).ljust(0x3E0, b"\0") + names
    return out.ljust(TEXT_AT, b"\0") + TEXT + sections


def bzimage(payload):
    head = bytearray(2 * 512)
    head[0x1F1] = 1
    head[0x1FE:0x200] = b"\x55\xaa"
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, 0x20F)
    struct.pack_into("<II", head, 0x248, 0, len(payload))
    return bytes(head) + payload


def lzo_length(length):
    return bytes(length // 255 - (length % 255 == 0)) + bytes([(length - 1) % 255 + 1])


def lzo(data):
    """lzop 0.940 file: header without checksums, one LZO1X block, end.

    The block is literals up to the first zero of the padding, a copy of that, and literals."""
    start = data.index(bytes(100)) + 1
    end = start + len(data[start:]) - len(data[start:].lstrip(b"\0"))
    block = b"\0" + lzo_length(start - 18) + data[:start]
    block += b"\x20" + lzo_length(end - start - 33) + b"\0\0"
    block += b"\0" + lzo_length(len(data) - end - 18) + data[end:] + b"\x11\0\0"
    head = b"\x89LZO\0\r\n\x1a\n" + struct.pack(">HHHBBIIIIBI", 0x940, 0, 0x940, 1, 5, 0, 0, 0, 0,
                                               0, 0)
    return head + struct.pack(">II", len(data), len(block)) + block + bytes(4)


def pack(command, data):
    return subprocess.run(command.split(), input=data, stdout=subprocess.PIPE, check=True).stdout


NOTES = b"".join([
    note(6, b"linux\0"), note(7, b"2.6\0"), note(5, b"xen-3.0\0"), note(8, b"generic\0"),
    note(3, BASE), note(1, BASE + PHYS), note(2, BASE + PHYS + 0x1000), note(15, 0x8000000000),
    note(10, b"!writable_page_tables|pae_pgdir_above_4gb\0"), note(17, struct.pack("<I", 0x8801)),
    note(9, b"yes\0"), note(11, b"yes\0"), note(12, 0xFFFF800000000000), note(16, 1), note(14, 1),
    note(13, struct.pack("<QQ", 1, 1)), note(18, PHYS), note(4, 0),
])


def main():
    kernel = elf(NOTES, "segment")
    size = struct.pack("<I", len(kernel))
    seeds = {
        "elf": kernel,
        "elf-section": elf(NOTES, ".note"),
        "elf-gzip": pack("gzip -nc9", kernel),
        "bz-none": bzimage(kernel),
        "bz-gzip": bzimage(pack("gzip -nc9", kernel)),
        "bz-xz": bzimage(pack("xz -c --check=crc32 --x86 --lzma2=dict=64KiB", kernel) + size),
        "bz-lzma": bzimage(pack("xz -c --format=lzma --lzma1=dict=64KiB", kernel) + size),
        "bz-zstd": bzimage(pack("zstd -qc19", kernel) + size),
        "bz-lz4": bzimage(pack("lz4 -qlc9", kernel) + size),
        "bz-lzo": bzimage(lzo(kernel) + size),
    }
    for name, data in seeds.items():
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
