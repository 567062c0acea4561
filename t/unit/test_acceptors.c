/* The table of processes that take over sockets: the living are found, the dead are not.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shm/acceptors.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define SLOTS 4

static aw_acceptors_t fresh(void)
{
    aw_acceptors_t acceptors = {NULL, 0};
    void *memory = mmap(NULL, SLOTS * 8, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CU_ASSERT_PTR_NOT_EQUAL_FATAL(memory, MAP_FAILED);
    CU_ASSERT_EQUAL_FATAL(aw_acceptors_init(&acceptors, memory, SLOTS * 8), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(acceptors.count, SLOTS);
    return acceptors;
}

static void forget(aw_acceptors_t acceptors)
{
    munmap(acceptors.slots, SLOTS * 8);
}

/* A child process that adds itself, says so, and waits for its end; *who is what stands for it. */
static pid_t acceptor(const aw_acceptors_t *acceptors, uint64_t *who)
{
    int said[2];

    CU_ASSERT_EQUAL_FATAL(pipe(said), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        *who = aw_acceptors_self();
        *who = aw_acceptors_add(acceptors, *who) ? *who : 0;
        if (write(said[1], who, sizeof(*who)) == (ssize_t)sizeof(*who)) {
            pause();
        }
        _exit(0);
    }
    CU_ASSERT_EQUAL_FATAL(read(said[0], who, sizeof(*who)), sizeof(*who));
    CU_ASSERT_NOT_EQUAL(*who, 0);
    close(said[0]);
    close(said[1]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
}

static void memory_that_cannot_hold_a_slot_is_refused(void)
{
    static uint64_t memory[2];
    aw_acceptors_t acceptors = {NULL, 0};

    CU_ASSERT_EQUAL(aw_acceptors_init(&acceptors, NULL, 8), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_acceptors_init(&acceptors, memory, 7), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_acceptors_init(&acceptors, (char *)memory + 4, 8), APR_EINVAL);
    CU_ASSERT_PTR_NULL(acceptors.slots);
}

static void a_process_is_no_other_to_itself(void)
{
    const aw_acceptors_t acceptors = fresh();
    const uint64_t self = aw_acceptors_self();

    CU_ASSERT_FALSE(aw_acceptors_others(&acceptors, self));
    CU_ASSERT_TRUE(aw_acceptors_add(&acceptors, self));
    CU_ASSERT_TRUE(aw_acceptors_add(&acceptors, self));
    CU_ASSERT_FALSE(aw_acceptors_others(&acceptors, self));
    CU_ASSERT_TRUE(aw_acceptors_others(&acceptors, self + 1));
    aw_acceptors_remove(&acceptors, self);
    CU_ASSERT_FALSE(aw_acceptors_others(&acceptors, self + 1));
    forget(acceptors);
}

static void another_process_is_found_as_long_as_it_lives(void)
{
    const aw_acceptors_t acceptors = fresh();
    const uint64_t self = aw_acceptors_self();
    uint64_t first, second;
    const pid_t one = acceptor(&acceptors, &first), two = acceptor(&acceptors, &second);

    CU_ASSERT_TRUE(aw_acceptors_others(&acceptors, self));
    end(one);
    CU_ASSERT_TRUE(aw_acceptors_others(&acceptors, self));
    CU_ASSERT_FALSE(aw_acceptors_others(&acceptors, second));
    aw_acceptors_remove(&acceptors, second);
    CU_ASSERT_FALSE(aw_acceptors_others(&acceptors, self));
    end(two);
    forget(acceptors);
}

static void a_process_that_is_dead_but_not_waited_for_is_not_found(void)
{
    const aw_acceptors_t acceptors = fresh();
    siginfo_t info;
    uint64_t who;
    const pid_t pid = acceptor(&acceptors, &who);

    kill(pid, SIGKILL);
    CU_ASSERT_EQUAL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    CU_ASSERT_FALSE(aw_acceptors_others(&acceptors, aw_acceptors_self()));
    end(pid);
    forget(acceptors);
}

static void another_process_with_the_id_of_a_dead_one_is_not_taken_for_it(void)
{
    const aw_acceptors_t acceptors = fresh();
    const uint64_t self = aw_acceptors_self();
    /* This process's id, started at another time. */
    const uint64_t before = self ^ 1;

    CU_ASSERT_NOT_EQUAL((uint32_t)self, 0);
    CU_ASSERT_TRUE(aw_acceptors_add(&acceptors, before));
    CU_ASSERT_FALSE(aw_acceptors_others(&acceptors, self));
    forget(acceptors);
}

static void slots_of_the_dead_are_taken_those_of_the_living_are_not(void)
{
    const aw_acceptors_t acceptors = fresh();
    const uint64_t self = aw_acceptors_self();
    uint64_t who[SLOTS];
    pid_t pid[SLOTS];

    for (unsigned i = 0; i < SLOTS; i++) {
        pid[i] = acceptor(&acceptors, &who[i]);
    }
    CU_ASSERT_FALSE(aw_acceptors_add(&acceptors, self));
    end(pid[2]);
    CU_ASSERT_TRUE(aw_acceptors_add(&acceptors, self));
    CU_ASSERT_FALSE(
        aw_acceptors_others(&(aw_acceptors_t){(uint64_t *)acceptors.slots + 2, 1}, self));
    for (unsigned i = 0; i < SLOTS; i++) {
        if (i != 2) {
            end(pid[i]);
        }
    }
    forget(acceptors);
}

static const unit_test_t tests[] = {
    {"memory that cannot hold a slot is refused", memory_that_cannot_hold_a_slot_is_refused},
    {"a process is no other to itself", a_process_is_no_other_to_itself},
    {"another process is found as long as it lives", another_process_is_found_as_long_as_it_lives},
    {"a process that is dead but not waited for is not found",
     a_process_that_is_dead_but_not_waited_for_is_not_found},
    {"another process with the id of a dead one is not taken for it",
     another_process_with_the_id_of_a_dead_one_is_not_taken_for_it},
    {"slots of the dead are taken those of the living are not",
     slots_of_the_dead_are_taken_those_of_the_living_are_not},
    {NULL, NULL},
};

const unit_suite_t acceptors_suite = {"acceptors", tests};
