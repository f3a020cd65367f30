/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_DOCTOR_TEXT_H
#define MR_CMD_DOCTOR_TEXT_H

/*
 * Reading what the kernel writes into /proc and /sys: small parsers over zero-terminated texts that
 * may hold anything.
 *
 * Ownership: nothing is kept. Threads: any. Errors: false, with the results as they were.
 */

#include <stddef.h>
#include <stdint.h>

#include "kit/base/def.h"

/* The value of the line "name: value" or "name=value", blanks around it left out. */
bool text_field(const char *text, const char *name, char *value, size_t size);
/* The same as a number: decimal, or hexadecimal. */
bool text_field_uint(const char *text, const char *name, uint64_t *value);
bool text_field_hex(const char *text, const char *name, uint64_t *value);
/* Whether a word stands in a list of words separated by blanks. */
bool text_has_word(const char *text, const char *word);
/* Whether a line's first word is this. */
bool text_row(const char *text, const char *word);
/* The soft limit of a line of /proc/PID/limits; UINT64_MAX: unlimited. */
bool text_limit(const char *text, const char *name, uint64_t *soft);
/* The one in brackets: "always [madvise] never". */
bool text_chosen(const char *text, char *word, size_t size);
/* "6.1.0-13-amd64": 6001. */
bool text_version(const char *text, unsigned *version);
/* Of a CPU's line in /proc/stat: all time, and what a hypervisor took of it. */
bool text_cpu_time(const char *text, unsigned cpu, uint64_t *all, uint64_t *stolen);
/* Of a mount table: the type of what is mounted at this very place. */
bool text_mount(const char *text, const char *place, char *type, size_t size);
/* The next line of /proc/interrupts that names the device; its number. *cursor starts as the text. */
bool text_interrupt(const char **cursor, const char *device, unsigned *number);

#endif
