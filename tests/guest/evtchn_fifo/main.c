// SPDX-License-Identifier: MIT
// The FIFO event ABI: control block, event array, priorities, delivery order.
//
// xen ABI: event_channel.h "FIFO ABI", EVTCHNOP_init_control, expand_array, set_priority. After
// init_control the pending state lives in event words; a delivered event is linked into the queue
// of its priority, whose head is in the control block with a ready bit. Link fields have 17 bits.
#include "lib/guest.h"

const char test_title[] = "FIFO event channels";

static struct evtchn_fifo_control_block *control;
static event_word_t *words;
static unsigned int order[8], order_used;

static long set_priority(evtchn_port_t port, unsigned int priority)
{
    struct evtchn_set_priority arg = {.port = port, .priority = priority};

    return hc_event_channel_op(EVTCHNOP_set_priority, &arg);
}

static long init_control(uint64_t gfn, unsigned int offset, unsigned int vcpu, uint8_t *bits)
{
    struct evtchn_init_control arg = {.control_gfn = gfn, .offset = offset, .vcpu = vcpu};
    long rc = hc_event_channel_op(EVTCHNOP_init_control, &arg);

    *bits = arg.link_bits;
    return rc;
}

static long expand_array(uint64_t gfn)
{
    struct evtchn_expand_array arg = {.array_gfn = gfn};

    return hc_event_channel_op(EVTCHNOP_expand_array, &arg);
}

// Take the head of one queue; false when it ran empty.
static bool take(unsigned int priority)
{
    unsigned int port = control->head[priority];
    event_word_t w;

    if (!port)
        return false;
    w = __atomic_fetch_and(&words[port], ~(1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK),
                           __ATOMIC_SEQ_CST);
    control->head[priority] = w & EVTCHN_FIFO_LINK_MASK;
    if ((w >> EVTCHN_FIFO_PENDING & 1) && !(w >> EVTCHN_FIFO_MASKED & 1)) {
        __atomic_and_fetch(&words[port], ~(1u << EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
        if (order_used < ARRAY_SIZE(order))
            order[order_used++] = port;
    }
    return control->head[priority] != 0;
}

static void fifo_upcall(void)
{
    uint32_t ready = __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST);

    while (ready) {
        unsigned int priority = (unsigned int)__builtin_ctz(ready);

        ready &= ready - 1;
        while (take(priority))
            ;
        ready |= __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST);
    }
}

static void check_setup(void)
{
    uint8_t bits = 0;

    control = page_alloc();
    words = page_alloc();
    CHECK_RC(set_priority(1, 0), -ENOSYS); // only with the FIFO ABI
    CHECK_RC(init_control(va_to_mfn(control), 4096 - 8, 0, &bits), -EINVAL);
    CHECK_RC(init_control(va_to_mfn(control), 4, 0, &bits), -EINVAL); // alignment 8
    CHECK_RC(init_control(va_to_mfn(control), 0, 64, &bits), -ENOENT);
    CHECK_RC(init_control(0xffffffff, 0, 0, &bits), -EINVAL);
    CHECK_RC(init_control(va_to_mfn(control), 0, 0, &bits), 0);
    CHECK_EQ(bits, EVTCHN_FIFO_LINK_BITS);
    CHECK_RC(expand_array(0xffffffff), -EINVAL);
    CHECK_RC(expand_array(va_to_mfn(words)), 0);
}

static void check_delivery(void)
{
    evtchn_port_t port[3];

    for (unsigned int i = 0; i < 3; i++)
        REQUIRE(bind_ipi(0, &port[i]) == 0);
    CHECK_RC(set_priority(port[0], EVTCHN_FIFO_PRIORITY_MIN), 0);
    CHECK_RC(set_priority(port[2], EVTCHN_FIFO_PRIORITY_MAX), 0);
    CHECK_RC(set_priority(port[1], EVTCHN_FIFO_PRIORITY_MIN + 1), -EINVAL);
    CHECK_RC(set_priority(4000, 0), -EINVAL);
    upcall_hook = fifo_upcall;
    for (unsigned int i = 0; i < 3; i++) {
        words[port[i]] &= ~(1u << EVTCHN_FIFO_MASKED);
        CHECK_RC(evtchn_send(port[i]), 0);
        CHECK_EQ(words[port[i]] >> EVTCHN_FIFO_PENDING & 1, 1);
        CHECK_EQ(words[port[i]] >> EVTCHN_FIFO_LINKED & 1, 1);
    }
    CHECK_EQ(control->ready, 1u << 15 | 1u << 7 | 1u << 0);
    events_enable();
    CHECK_EQ(order_used, 3);
    CHECK_EQ(order[0], port[2]);
    CHECK_EQ(order[1], port[1]);
    CHECK_EQ(order[2], port[0]);
}

static void check_mask(void)
{
    evtchn_port_t port;

    REQUIRE(bind_ipi(0, &port) == 0);
    words[port] |= 1u << EVTCHN_FIFO_MASKED;
    order_used = 0;
    CHECK_RC(evtchn_send(port), 0);
    CHECK_EQ(words[port] >> EVTCHN_FIFO_PENDING & 1, 1);
    CHECK_EQ(words[port] >> EVTCHN_FIFO_LINKED & 1, 0);
    CHECK_EQ(order_used, 0);
    CHECK_RC(evtchn_unmask(port), 0);
    CHECK_EQ(words[port] >> EVTCHN_FIFO_MASKED & 1, 0);
    CHECK_EQ(order_used, 1);
    CHECK_EQ(order[0], port);
}

static void check_reset(void)
{
    struct evtchn_reset arg = {.dom = DOMID_SELF};
    evtchn_port_t port;

    CHECK_RC(hc_event_channel_op(EVTCHNOP_reset, &arg), 0);
    events_disable();
    REQUIRE(bind_ipi(0, &port) == 0);
    CHECK_RC(evtchn_send(port), 0);
    CHECK(port_pending(port)); // 2-level again
    CHECK_RC(set_priority(port, 0), -ENOSYS);
}

void test_main(void)
{
    check_setup();
    check_delivery();
    check_mask();
    check_reset();
}
