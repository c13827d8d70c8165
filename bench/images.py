# SPDX-License-Identifier: MIT
"""What the benchmark must know about the files it boots: where a hypervisor starts and how many
bytes it loads, and where a PV kernel starts. Reads ELF, multiboot 1 headers and bzImage."""

import lzma
import struct
import zlib
from collections import namedtuple

Segment = namedtuple("Segment", "type offset file_bytes memory_bytes")

PT_LOAD, PT_NOTE = 1, 4
ELFNOTE_ENTRY = 1  # xen ABI: elfnote.h
MULTIBOOT_MAGIC, MULTIBOOT_HAS_ADDRESSES = 0x1BADB002, 1 << 16


class BadImage(Exception):
    """The file is not what it should be; the text says in what way."""


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise BadImage(f"{path}: {error.strerror}") from error


def elf_segments(data):
    """The program headers of a 32- or 64-bit ELF."""
    if data[4] == 2:
        table, size, count = (*struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54))
        headers = (struct.unpack_from("<IIQQQQQQ", data, table + i * size) for i in range(count))
        return [Segment(h[0], h[2], h[5], h[6]) for h in headers]
    table, size, count = (*struct.unpack_from("<I", data, 28), *struct.unpack_from("<HH", data, 42))
    headers = (struct.unpack_from("<8I", data, table + i * size) for i in range(count))
    return [Segment(h[0], h[1], h[4], h[5]) for h in headers]


def hypervisor_bytes(path):
    """Bytes loaded from the file, and bytes of memory they take with what starts as zero."""
    data = read(path)
    if data[:4] != b"\x7fELF":
        raise BadImage(f"{path}: not an ELF file")
    loaded = [s for s in elf_segments(data) if s.type == PT_LOAD]
    return sum(s.file_bytes for s in loaded), sum(s.memory_bytes for s in loaded)


def hypervisor_entry(path):
    """Physical address of the first instruction when started by multiboot 1."""
    data = read(path)
    for offset in range(0, min(len(data), 8192) - 32, 4):
        header = struct.unpack_from("<8I", data, offset)
        if header[0] == MULTIBOOT_MAGIC and sum(header[:3]) & 0xFFFFFFFF == 0:
            if header[1] & MULTIBOOT_HAS_ADDRESSES:
                return header[7]
            return struct.unpack_from("<I", data, 24)[0]
    raise BadImage(f"{path}: no multiboot 1 header")


def kernel_elf(path):
    """The ELF inside a bzImage, or the file itself when it is one."""
    data = read(path)
    if data[:4] == b"\x7fELF":
        return data
    if data[0x202:0x206] != b"HdrS":
        raise BadImage(f"{path}: neither ELF nor bzImage")
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (data[0x1F1] + 1) * 512 + offset
    payload = data[start:start + length]
    if payload[:6] == b"\xfd7zXZ\0":
        return lzma.LZMADecompressor().decompress(payload)
    if payload[:2] == b"\x1f\x8b":
        return zlib.decompressobj(31).decompress(payload)
    raise BadImage(f"{path}: payload is compressed with neither xz nor gzip")


def notes(data, segment):
    """(name, type, value) of each note in a PT_NOTE segment."""
    at, end = segment.offset, segment.offset + segment.file_bytes
    while at + 12 <= end:
        name_bytes, value_bytes, kind = struct.unpack_from("<III", data, at)
        value_at = at + 12 + (name_bytes + 3 & ~3)
        yield data[at + 12:at + 12 + name_bytes], kind, data[value_at:value_at + value_bytes]
        at = value_at + (value_bytes + 3 & ~3)


def kernel_entry(path):
    """Virtual address of the first instruction of a PV kernel."""
    data = kernel_elf(path)
    for segment in elf_segments(data):
        if segment.type != PT_NOTE:
            continue
        for name, kind, value in notes(data, segment):
            if name == b"Xen\0" and kind == ELFNOTE_ENTRY:
                return int.from_bytes(value, "little")
    raise BadImage(f"{path}: no Xen ELF note with an entry")
