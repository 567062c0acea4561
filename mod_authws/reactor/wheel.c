/* A hashed wheel of timers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wheel.h"

static void ring_init(authws_timer_t *head)
{
    head->next = head;
    head->prev = head;
}

static void ring_add(authws_timer_t *head, authws_timer_t *timer)
{
    timer->next = head;
    timer->prev = head->prev;
    head->prev->next = timer;
    head->prev = timer;
}

static void ring_remove(authws_timer_t *timer)
{
    timer->prev->next = timer->next;
    timer->next->prev = timer->prev;
    timer->next = NULL;
    timer->prev = NULL;
}

void authws_wheel_init(authws_wheel_t *wheel, apr_time_t now)
{
    for (size_t i = 0; i < AUTHWS_WHEEL_SLOTS; i++) {
        ring_init(&wheel->slots[i]);
    }
    memset(wheel->marked, 0, sizeof wheel->marked);
    wheel->tick = now / AUTHWS_WHEEL_TICK;
    wheel->count = 0;
}

static unsigned slot_of(int64_t tick)
{
    return (unsigned)(tick & (AUTHWS_WHEEL_SLOTS - 1));
}

void authws_wheel_set(authws_wheel_t *wheel, authws_timer_t *timer, apr_time_t at)
{
    const int64_t tick = at / AUTHWS_WHEEL_TICK + 1;

    authws_wheel_cancel(wheel, timer);
    /* A slot that has been called already would wait a whole revolution. */
    timer->at = tick > wheel->tick ? tick : wheel->tick + 1;
    const unsigned slot = slot_of(timer->at);
    ring_add(&wheel->slots[slot], timer);
    wheel->marked[slot / 64] |= UINT64_C(1) << slot % 64;
    wheel->count++;
}

void authws_wheel_cancel(authws_wheel_t *wheel, authws_timer_t *timer)
{
    if (!timer->next) {
        return;
    }
    /* The slot's mark stays when this was its last: an empty look later costs less than a check
     * now, since timers are mostly set anew. */
    ring_remove(timer);
    wheel->count--;
}

/* Ticks from the present one to the next slot that is marked: 1 to 512. */
static unsigned distance_get(const authws_wheel_t *wheel)
{
    const unsigned first = slot_of(wheel->tick + 1);

    for (unsigned i = 0; i <= AUTHWS_WHEEL_SLOTS / 64; i++) {
        const unsigned word = (first / 64 + i) % (AUTHWS_WHEEL_SLOTS / 64);
        uint64_t bits = wheel->marked[word];

        if (i == 0) {
            bits &= ~UINT64_C(0) << first % 64;
        }
        if (bits) {
            const unsigned slot = word * 64 + (unsigned)__builtin_ctzll(bits);
            return ((slot - first) & (AUTHWS_WHEEL_SLOTS - 1)) + 1;
        }
    }
    return AUTHWS_WHEEL_SLOTS;
}

int authws_wheel_wait(const authws_wheel_t *wheel, apr_time_t now)
{
    if (wheel->count == 0) {
        return -1;
    }
    const apr_time_t at = (wheel->tick + distance_get(wheel)) * AUTHWS_WHEEL_TICK;
    return at > now ? (int)((at - now + 999) / 1000) : 0;
}

/* Moves what is due in one slot to the ring `due`. */
static void slot_collect(authws_wheel_t *wheel, unsigned slot, authws_timer_t *due)
{
    authws_timer_t *head = &wheel->slots[slot];

    for (authws_timer_t *timer = head->next, *next; timer != head; timer = next) {
        next = timer->next;
        if (timer->at <= wheel->tick) {
            ring_remove(timer);
            ring_add(due, timer);
        }
    }
    if (head->next == head) {
        wheel->marked[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    }
}

void authws_wheel_run(authws_wheel_t *wheel, apr_time_t now)
{
    const int64_t tick = now / AUTHWS_WHEEL_TICK;
    authws_timer_t due = {.next = NULL};

    if (tick <= wheel->tick) {
        return;
    }
    int64_t slots = tick - wheel->tick;
    if (slots > AUTHWS_WHEEL_SLOTS) {
        slots = AUTHWS_WHEEL_SLOTS;
    }
    ring_init(&due);
    wheel->tick = tick;
    for (int64_t i = slots - 1; i >= 0; i--) {
        const unsigned slot = slot_of(tick - i);

        if (wheel->marked[slot / 64] >> slot % 64 & 1) {
            slot_collect(wheel, slot, &due);
        }
    }
    /* One at a time from the front: each may take others out of the ring. */
    while (due.next != &due) {
        authws_timer_t *timer = due.next;

        ring_remove(timer);
        wheel->count--;
        timer->due(timer);
    }
}
