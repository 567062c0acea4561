/* Tests of the throttle's table that need several threads or processes; see throttle_stress.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_T_THROTTLE_STRESS_H
#define AUTHWS_T_THROTTLE_STRESS_H

void of_many_threads_failures_each_counts_once(void);
void threads_failing_under_several_names_share_a_bucket(void);
void throttle_processes_killed_at_any_moment_leave_a_sound_table(void);

#endif
