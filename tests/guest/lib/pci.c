// SPDX-License-Identifier: MIT
// PCI configuration space through ports 0xcf8/0xcfc, and QEMU's "edu" device.
#include "lib/guest.h"
#include "lib/port.h"

uint32_t pci_read(unsigned int devfn, unsigned int reg)
{
    outl(0xcf8, 0x80000000 | devfn << 8 | (reg & 0xfc));
    return inl(0xcfc);
}

void pci_write(unsigned int devfn, unsigned int reg, uint32_t value)
{
    outl(0xcf8, 0x80000000 | devfn << 8 | (reg & 0xfc));
    outl(0xcfc, value);
}

// A function of bus 0 by vendor and device, or -1.
int pci_find(uint32_t id)
{
    for (unsigned int devfn = 0; devfn < 256; devfn++) {
        if (pci_read(devfn, 0) == id)
            return (int)devfn;
    }
    return -1;
}

unsigned int pci_capability(unsigned int devfn, unsigned int cap)
{
    unsigned int at = pci_read(devfn, 0x34) & 0xfc;

    while (at) {
        uint32_t head = pci_read(devfn, at);

        if ((head & 0xff) == cap)
            return at;
        at = head >> 8 & 0xfc;
    }
    return 0;
}

int edu_setup(volatile uint32_t *regs)
{
    struct physdev_set_iopl iopl = {.iopl = 1};
    int devfn;

    REQUIRE(hc_physdev_op(PHYSDEVOP_set_iopl, &iopl) == 0);
    devfn = pci_find(0x11e81234);
    if (devfn < 0)
        return devfn;
    pci_write((unsigned int)devfn, 4, (pci_read((unsigned int)devfn, 4) | 6) & ~0x400u);
    REQUIRE(map_page(kernel_l4(), (void *)regs,
                     (pci_read((unsigned int)devfn, 0x10) & PTE_ADDR) | PTE_RW | PTE_PCD));
    REQUIRE((regs[0] & 0xff) == 0xed); // its identification
    return devfn;
}
