// SPDX-License-Identifier: MIT
// The VGA text screen. The mode is the firmware's; IBM "VGA Technical Reference" for the cursor.
#include "io/vga.h"

#include "cpu/io.h"

enum {
    CELLS = VGA_ROWS * VGA_COLUMNS,
    BLANK = 0x0700 | ' ', // light grey on black
    CRTC_INDEX = 0x3d4,
    CRTC_DATA = 0x3d5,
    CRTC_CURSOR_HIGH = 0x0e,
    CRTC_CURSOR_LOW = 0x0f,
    TAB = 8,
};

static void blank(struct vga_text *v, u32 from)
{
    for (u32 i = from; i < CELLS; i++)
        v->cells[i] = BLANK;
}

static void scroll(struct vga_text *v)
{
    for (u32 i = VGA_COLUMNS; i < CELLS; i++)
        v->cells[i - VGA_COLUMNS] = v->cells[i];
    blank(v, CELLS - VGA_COLUMNS);
    v->row--;
}

static void newline(struct vga_text *v)
{
    v->column = 0;
    if (++v->row == VGA_ROWS)
        scroll(v);
}

static void put(struct vga_text *v, char c)
{
    if (v->column == VGA_COLUMNS)
        newline(v);
    v->cells[v->row * VGA_COLUMNS + v->column++] = (u16)((BLANK & 0xff00) | (u8)c);
}

static void interpret(struct vga_text *v, char c)
{
    switch (c) {
    case '\n':
        newline(v);
        break;
    case '\r':
        v->column = 0;
        break;
    case '\b':
        v->column -= v->column > 0;
        break;
    case '\t':
        do
            put(v, ' ');
        while (v->column % TAB);
        break;
    default:
        put(v, c);
    }
}

static void crtc_set(u8 reg, u8 v)
{
    outb(CRTC_INDEX, reg);
    outb(CRTC_DATA, v);
}

static void vga_write(struct console_dev *dev, const char *text, size_t len)
{
    struct vga_text *v = CONTAINER_OF(dev, struct vga_text, dev);
    for (size_t i = 0; i < len; i++)
        interpret(v, text[i]);
    u32 cursor = v->row * VGA_COLUMNS + v->column;
    crtc_set(CRTC_CURSOR_HIGH, (u8)(cursor >> 8));
    crtc_set(CRTC_CURSOR_LOW, (u8)cursor);
}

void vga_init(struct vga_text *v, void *memory)
{
    *v = (struct vga_text){.dev = {.name = "vga", .write = vga_write}, .cells = memory};
    blank(v, 0);
    console_register(&v->dev);
}
