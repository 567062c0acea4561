/* Tests of the log sink.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdio.h>

#include "base/log.h"

typedef struct heard_t {
    int times;
    aw_log_level_e level;
    unsigned number;
    char text[2048];
} heard_t;

static void hear(void *baton, aw_log_level_e level, unsigned number, const char *text)
{
    heard_t *heard = baton;

    heard->times++;
    heard->level = level;
    heard->number = number;
    snprintf(heard->text, sizeof(heard->text), "%s", text);
}

static void a_message_reaches_the_sink_formatted(void)
{
    heard_t heard = {0};
    const aw_log_t log = {hear, &heard};

    aw_log(&log, AW_LOG_WARNING, 7, "%s has %d users", "file", 3);
    CU_ASSERT_EQUAL(heard.times, 1);
    CU_ASSERT_EQUAL(heard.level, AW_LOG_WARNING);
    CU_ASSERT_EQUAL(heard.number, 7);
    CU_ASSERT_STRING_EQUAL(heard.text, "file has 3 users");
}

static void a_long_message_is_cut_at_1000_characters(void)
{
    heard_t heard = {0};
    const aw_log_t log = {hear, &heard};

    aw_log(&log, AW_LOG_DEBUG, 8, "%1000d", 1);
    CU_ASSERT_EQUAL(strlen(heard.text), 1000);
    CU_ASSERT_EQUAL(heard.text[999], '1');
    aw_log(&log, AW_LOG_DEBUG, 8, "%1500d", 1);
    CU_ASSERT_EQUAL(strlen(heard.text), 1000);
    CU_ASSERT_EQUAL(heard.text[999], ' ');
}

static void no_sink_takes_everything_quietly(void)
{
    heard_t heard = {0};
    const aw_log_t none = {NULL, &heard};

    aw_log(NULL, AW_LOG_ERROR, 9, "%d", 1);
    aw_log(&none, AW_LOG_ERROR, 9, "%d", 1);
    CU_ASSERT_EQUAL(heard.times, 0);
}

static const unit_test_t tests[] = {
    {"a message reaches the sink formatted", a_message_reaches_the_sink_formatted},
    {"a long message is cut at 1000 characters", a_long_message_is_cut_at_1000_characters},
    {"no sink takes everything quietly", no_sink_takes_everything_quietly},
    {NULL, NULL}};

const unit_suite_t log_suite = {"log", tests};
