/* The command line of authws-htdigest.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_HTDIGEST_OPTIONS_H
#define AUTHWS_TOOLS_HTDIGEST_OPTIONS_H

#include "htdigest_run.h"

/* Reads the command line into a job that borrows from it. The exit status; *answered when it was
 * --help or --version and nothing is left to do. */
int options_read(int argc, char **argv, job_t *job, bool *answered);

#endif
