/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/error.h"

#include <stdio.h>
#include <string.h>

int
mr_error_set(struct mr_error *error, int code, const char *fmt, ...)
{
	va_list args;

	if (error) {
		error->code = code;
		va_start(args, fmt);
		vsnprintf(error->text, sizeof(error->text), fmt, args);
		va_end(args);
	}
	return code;
}

int
mr_error_prefix(struct mr_error *error, const char *fmt, ...)
{
	char old[sizeof(error->text)];
	va_list args;
	int used;

	if (!error)
		return 0;
	memcpy(old, error->text, sizeof(old));
	va_start(args, fmt);
	used = vsnprintf(error->text, sizeof(error->text), fmt, args);
	va_end(args);
	if (used >= 0 && (size_t)used < sizeof(error->text))
		snprintf(error->text + used, sizeof(error->text) - (size_t)used, ": %s", old);
	return error->code;
}
