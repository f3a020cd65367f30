/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_RENDER_H
#define MR_CMD_RENDER_H

/*
 * State for people: lists as tables, containers as lines of name and value. It
 * knows no function; what the model calls things is what is shown. A column in which
 * every value is zero or absent is left out, unless everything is asked for.
 *
 * Ownership: nothing is kept. Threads: one. Errors: none.
 */

#include <jansson.h>
#include <stdio.h>

#include "kit/base/def.h"

void mr_render(FILE *, const char *title, const json_t *value, bool everything);

#endif
