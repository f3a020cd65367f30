/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nf/nat/log/whohad_int.h"

#define BUFFER (1u << 20)
#define STAMP ".YYYYMMDDTHHMMSS.mmmZ"

struct text {
	char *bytes;
	size_t used;
	char wanted[INET_ADDRSTRLEN + 2]; /* a line without is about another address */
	bool skip;                        /* the rest of a line that is too long */
};

static int
take_line(struct nat_whohad *w, const struct text *t, const char *line, size_t len)
{
	/* Most lines are about others: no need to read them. */
	if (w->only && !memmem(line, len, t->wanted, strlen(t->wanted)) &&
	    !memmem(line, len, "\"st", 3))
		return 0;
	return len ? nat_whohad_line(w, line, len) : 0;
}

/* All whole lines; what is left goes to the front. */
static int
take_lines(struct nat_whohad *w, struct text *t)
{
	char *at = t->bytes, *end = t->bytes + t->used, *newline;
	int rc = 0;

	while (!rc && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		if (!t->skip)
			rc = take_line(w, t, at, (size_t)(newline - at));
		t->skip = false;
		at = newline + 1;
	}
	t->used = (size_t)(end - at);
	if (t->used == BUFFER) {
		/* No line of ours. */
		w->bad += !t->skip;
		t->skip = true;
		t->used = 0;
	}
	memmove(t->bytes, at, t->used);
	return rc;
}

static int
read_file(struct nat_whohad *w, struct text *t, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	t->used = 0;
	t->skip = false;
	while (!rc && (n = read(fd, t->bytes + t->used, BUFFER - t->used)) > 0) {
		t->used += (size_t)n;
		rc = take_lines(w, t);
	}
	if (!rc && n < 0)
		rc = -errno;
	/* A last line without its newline is being written, or was cut off by a crash. */
	if (!rc && t->used && !t->skip)
		rc = take_line(w, t, t->bytes, t->used);
	close(fd);
	return rc;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
	char **names;
	size_t count, room;
};

static int
add_name(struct names *n, const char *folder, const char *name)
{
	if (n->count == n->room) {
		size_t room = n->room ? n->room * 2 : 64;
		char **more = realloc(n->names, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		n->names = more;
		n->room = room;
	}
	return asprintf(&n->names[n->count], "%s%s", folder, name) < 0 ? -ENOMEM : (n->count++, 0);
}

/* The older files of a log, whose names sort by time. */
static int
older_files(struct names *n, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char folder[PATH_MAX];
	size_t len = strlen(base);
	struct dirent *e;
	int rc = 0;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%.*s", (int)(base - path), path);
	dir = opendir(folder[0] ? folder : ".");
	if (!dir)
		return -errno;
	while (!rc && (e = readdir(dir)) != NULL)
		if (strncmp(e->d_name, base, len) == 0 && e->d_name[len] == '.' &&
		    strlen(e->d_name + len) == sizeof(STAMP) - 1)
			rc = add_name(n, folder, e->d_name);
	closedir(dir);
	if (n->count)
		qsort(n->names, n->count, sizeof(*n->names), compare_names);
	return rc;
}

int
nat_whohad_read(struct nat_whohad *w, const char *path, struct mr_error *error)
{
	struct text t = { .bytes = malloc(BUFFER) };
	struct names older = { 0 };
	const char *at = path;
	char address[INET_ADDRSTRLEN];
	int rc = t.bytes ? older_files(&older, path) : -ENOMEM;

	inet_ntop(AF_INET, &w->only, address, sizeof(address));
	snprintf(t.wanted, sizeof(t.wanted), "\"%s\"", address);
	for (size_t i = 0; !rc && i < older.count; i++) {
		rc = read_file(w, &t, older.names[i]);
		/* Removed meanwhile, as the oldest. */
		rc = rc == -ENOENT ? 0 : rc;
		at = rc ? older.names[i] : path;
	}
	if (!rc)
		rc = read_file(w, &t, path);
	/* Between one file and the next there is none of this name. */
	if (rc == -ENOENT && older.count)
		rc = 0;
	if (rc)
		(void)mr_error_set(error, rc, "%s: %s", at, strerror(-rc));
	for (size_t i = 0; i < older.count; i++)
		free(older.names[i]);
	free(older.names);
	free(t.bytes);
	return rc;
}
