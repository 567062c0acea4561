/* Words of the configuration: times, sizes, numbers, and what is said about a wrong one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "words.h"

#include <ap_expr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/text.h"

const char *authws_word_quoted(apr_pool_t *p, const char *word)
{
    const size_t room = 4 * 64 + 4;
    const size_t len = strlen(word);

    return aw_text_escape(apr_palloc(p, room), room, (aw_span_t){word, len < 64 ? len : 64});
}

const char *authws_word_time(apr_interval_time_t *out, cmd_parms *cmd, const char *word,
                             apr_interval_time_t min, apr_interval_time_t max, const char *range)
{
    const char *text = word;
    const size_t len = strlen(word);
    apr_interval_time_t value;

    if (len > 1 && (word[len - 1] == 'm' || word[len - 1] == 'M')) {
        text =
            apr_pstrcat(cmd->temp_pool, apr_pstrmemdup(cmd->temp_pool, word, len - 1), "mi", NULL);
    }
    if (!apr_isdigit(word[0]) || ap_timeout_parameter_parse(text, &value, "s") != APR_SUCCESS) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" is not a time; write a number with ms, s, m (or mi) or h, "
                            "a plain number is seconds",
                            cmd->cmd->name, authws_word_quoted(cmd->pool, word));
    }
    if (value < min || value > max) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is out of range; allowed is %s", cmd->cmd->name,
                            authws_word_quoted(cmd->pool, word), range);
    }
    *out = value;
    return NULL;
}

const char *authws_word_size(apr_off_t *out, cmd_parms *cmd, const char *word, apr_off_t min,
                             apr_off_t max, const char *range)
{
    char *end;
    apr_off_t value;
    int shift = 0;
    const bool number = apr_isdigit(word[0]) && apr_strtoff(&value, word, &end, 10) == APR_SUCCESS;

    if (number && *end != '\0') {
        static const char suffixes[] = "kmg";
        const char *suffix = strchr(suffixes, apr_tolower(*end));

        shift = suffix ? 10 * (int)(suffix - suffixes + 1) : -1;
    }
    if (!number || shift < 0 || (shift > 0 && end[1] != '\0')) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" is not a size; write a number of bytes, or one with K, M "
                            "or G",
                            cmd->cmd->name, authws_word_quoted(cmd->pool, word));
    }
    if (value > (max >> shift) || (value << shift) < min) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is out of range; allowed is %s", cmd->cmd->name,
                            authws_word_quoted(cmd->pool, word), range);
    }
    *out = value << shift;
    return NULL;
}

const char *authws_word_missing(cmd_parms *cmd, const char *allowed)
{
    return apr_psprintf(cmd->pool, "%s: nothing is given; write %s", cmd->cmd->name, allowed);
}

const char *authws_word_number(int *out, cmd_parms *cmd, const char *word, int min, int max)
{
    const size_t len = strlen(word);
    apr_off_t value;

    if (len == 0 || strspn(word, "0123456789") != len ||
        apr_strtoff(&value, word, NULL, 10) != APR_SUCCESS || value < min || value > max) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is not a number from %d to %d", cmd->cmd->name,
                            authws_word_quoted(cmd->pool, word), min, max);
    }
    *out = (int)value;
    return NULL;
}

unsigned authws_expr_flags(cmd_parms *cmd)
{
    return AP_EXPR_FLAG_STRING_RESULT |
           (ap_check_cmd_context(cmd, NOT_IN_HTACCESS) ? AP_EXPR_FLAG_RESTRICTED : 0);
}
