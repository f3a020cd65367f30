/* SPDX-License-Identifier: Apache-2.0 */

/* Where the checks read: under the root, each file bounded and shown to who keeps it. */

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "cmd/doctor/doctor.h"

#define PATH_SIZE 512

/* The path as it is on the machine, and where it is read. */
static bool
place(const struct doctor *d, char *path, char *real, const char *fmt, va_list args)
{
	int n = vsnprintf(path, PATH_SIZE, fmt, args);

	return n > 0 && n < PATH_SIZE && snprintf(real, PATH_MAX, "%s%s", d->root, path) < PATH_MAX;
}

static size_t
read_some(const char *real, char *text, size_t size)
{
	size_t used = 0;
	gzFile in = gzopen(real, "re"); /* reads what is not packed as it is */
	int n;

	while (in && used < size && (n = gzread(in, text + used, (unsigned)(size - used))) > 0)
		used += (size_t)n;
	if (in)
		gzclose(in);
	return used;
}

static char *
take(struct doctor *d, const char *path, const char *real)
{
	struct stat st;
	char *text, *less;
	size_t size;

	/* Devices and pipes are not asked: a read might not come back. */
	if (stat(real, &st) || !S_ISREG(st.st_mode) || access(real, R_OK))
		return NULL;
	text = malloc(DOCTOR_FILE_MAX + 1);
	if (!text)
		return NULL;
	size = read_some(real, text, DOCTOR_FILE_MAX);
	text[size] = '\0';
	less = realloc(text, size + 1);
	if (d->saw)
		d->saw(d->saw_arg, path, less ? less : text, size);
	return less ? less : text;
}

char *
doctor_read(struct doctor *d, const char *fmt, ...)
{
	char path[PATH_SIZE], real[PATH_MAX];
	va_list args;
	bool fits;

	va_start(args, fmt);
	fits = place(d, path, real, fmt, args);
	va_end(args);
	return fits ? take(d, path, real) : NULL;
}

bool
doctor_line(struct doctor *d, char *line, size_t size, const char *fmt, ...)
{
	char path[PATH_SIZE], real[PATH_MAX], *text = NULL;
	va_list args;
	bool fits;

	va_start(args, fmt);
	fits = place(d, path, real, fmt, args);
	va_end(args);
	if (fits)
		text = take(d, path, real);
	if (!text)
		return false;
	snprintf(line, size, "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
	return true;
}

int64_t
doctor_number(struct doctor *d, int64_t fallback, const char *fmt, ...)
{
	char path[PATH_SIZE], real[PATH_MAX], *text = NULL, *end;
	int64_t n = fallback;
	va_list args;
	bool fits;

	va_start(args, fmt);
	fits = place(d, path, real, fmt, args);
	va_end(args);
	if (fits)
		text = take(d, path, real);
	if (text) {
		n = strtoll(text, &end, 10);
		n = end == text ? fallback : n;
	}
	free(text);
	return n;
}

bool
doctor_exists(struct doctor *d, const char *fmt, ...)
{
	char path[PATH_SIZE], real[PATH_MAX];
	struct stat st;
	va_list args;
	bool fits;

	va_start(args, fmt);
	fits = place(d, path, real, fmt, args);
	va_end(args);
	if (!fits || stat(real, &st))
		return false;
	if (d->saw)
		d->saw(d->saw_arg, path, S_ISDIR(st.st_mode) ? NULL : "", 0);
	return true;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

unsigned
doctor_list(struct doctor *d, char names[][64], unsigned max, const char *fmt, ...)
{
	char path[PATH_SIZE], real[PATH_MAX];
	const struct dirent *entry;
	unsigned count = 0;
	DIR *dir = NULL;
	va_list args;

	va_start(args, fmt);
	if (place(d, path, real, fmt, args))
		dir = opendir(real);
	va_end(args);
	while (dir && count < max && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < 64)
			strcpy(names[count++], entry->d_name);
	if (dir)
		closedir(dir);
	qsort(names, count, sizeof(names[0]), by_name);
	return count;
}

bool
doctor_process(struct doctor *d, const char *name, unsigned *pid)
{
	char path[PATH_SIZE], real[PATH_MAX], line[32];
	const struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(real, sizeof(real), "%s/proc", d->root);
	dir = opendir(real);
	while (dir && !found && (entry = readdir(dir)) != NULL) {
		FILE *in;

		if (!isdigit((unsigned char)entry->d_name[0]) || strlen(entry->d_name) > 10)
			continue;
		/* This one is called millrace, too. */
		if (!*d->root && strtol(entry->d_name, NULL, 10) == (long)getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%.10s/comm", entry->d_name);
		snprintf(real, sizeof(real), "%s%s", d->root, path);
		in = fopen(real, "re");
		if (!in)
			continue;
		if (fgets(line, sizeof(line), in)) {
			line[strcspn(line, "\n")] = '\0';
			found = strcmp(line, name) == 0;
			*pid = found ? (unsigned)strtoul(entry->d_name, NULL, 10) : *pid;
		}
		fclose(in);
		if (found && d->saw)
			d->saw(d->saw_arg, path, line, strlen(line));
	}
	if (dir)
		closedir(dir);
	return found;
}
