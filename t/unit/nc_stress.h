/* Tests of the nc table with several processes and threads, and of all their interleavings.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_T_NC_STRESS_H
#define AUTHWS_T_NC_STRESS_H

void processes_offering_the_same_counts_share_them_out_exactly(void);
void threads_under_eviction_take_no_count_twice(void);
void processes_killed_at_any_moment_leave_a_sound_table(void);
void every_interleaving_of_small_scenes_is_sound(void);
void the_explorer_notices_a_broken_algorithm(void);

#endif
