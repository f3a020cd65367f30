/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nf/nat/log/log_int.h"

/* A line that a crash cut off gets its newline, so that the next is whole. */
static void
mend(struct nat_log_file *f)
{
	char last = '\n';

	if (f->size && pread(f->fd, &last, 1, (off_t)f->size - 1) == 1 && last != '\n' &&
	    write(f->fd, "\n", 1) == 1)
		f->size++;
}

int
nat_log_file_open(struct nat_log_file *f, struct mr_error *error)
{
	struct stat st;

	f->fd = open(f->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (f->fd < 0)
		return mr_error_set(error, -errno, "%s: %s", f->path, strerror(errno));
	if (fstat(f->fd, &st) || !S_ISREG(st.st_mode)) {
		close(f->fd);
		f->fd = -1;
		return mr_error_set(error, -EINVAL, "%s is no plain file", f->path);
	}
	f->size = (uint64_t)st.st_size;
	mend(f);
	return 0;
}

/* Somebody moved or removed the file: a new one takes its place. */
static void
leave_if_moved(struct nat_log_file *f)
{
	struct stat ours, there;

	if (f->fd < 0 || fstat(f->fd, &ours))
		return;
	if (!stat(f->path, &there) && there.st_ino == ours.st_ino && there.st_dev == ours.st_dev)
		return;
	close(f->fd);
	f->fd = -1;
}

int
nat_log_file_flush(struct nat_log_file *f)
{
	size_t done = 0;
	int rc = 0;

	if (!f->used)
		return 0;
	leave_if_moved(f);
	if (f->fd < 0)
		rc = nat_log_file_open(f, NULL);
	while (done < f->used && !rc) {
		ssize_t n = write(f->fd, f->buffer + done, f->used - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			rc = n == 0 ? -ENOSPC : -errno;
	}
	memmove(f->buffer, f->buffer + done, f->used - done);
	f->used -= done;
	f->size += done;
	return rc;
}

int
nat_log_file_put(struct nat_log_file *f, const char *line, size_t len)
{
	int rc;

	if (f->used + len + 1 > sizeof(f->buffer)) {
		rc = nat_log_file_flush(f);
		if (f->used + len + 1 > sizeof(f->buffer))
			return rc ? rc : -ENOSPC;
	}
	memcpy(f->buffer + f->used, line, len);
	f->used += len;
	f->buffer[f->used++] = '\n';
	return 0;
}

static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names sort by time. */
static void
remove_oldest(const struct nat_log_file *f)
{
	char folder[PATH_MAX], *names[1024], path[PATH_MAX * 2];
	const char *base = base_of(f->path);
	size_t len = strlen(base);
	unsigned count = 0;
	struct dirent *e;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%.*s", (int)(base - f->path), f->path);
	dir = opendir(folder[0] ? folder : ".");
	while (dir && count < MR_ARRAY_COUNT(names) && (e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, base, len) == 0 && e->d_name[len] == '.' &&
		    strlen(e->d_name + len) == sizeof(".YYYYMMDDTHHMMSS.mmmZ") - 1)
			names[count++] = strdup(e->d_name);
	}
	if (dir)
		closedir(dir);
	qsort(names, count, sizeof(*names), compare_names);
	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s%s", folder, names[i]);
		if (i + f->keep < count)
			(void)unlink(path);
		free(names[i]);
	}
}

int
nat_log_file_turn(struct nat_log_file *f, int64_t time)
{
	char text[NAT_TIME_SIZE], name[PATH_MAX];
	int rc = nat_log_file_flush(f), n;

	if (rc)
		return rc;
	nat_time_print(time, text);
	n = snprintf(name, sizeof(name), "%s.%.4s%.2s%.2sT%.2s%.2s%.6s", f->path, text, text + 5,
	    text + 8, text + 11, text + 14, text + 17);
	if (n >= (int)sizeof(name) - 1)
		return -ENAMETOOLONG;
	strcat(name, "Z");
	/* Not over another one: link fails where there is one, a millisecond is not much. */
	if (link(f->path, name) || unlink(f->path))
		return -errno;
	close(f->fd);
	f->fd = -1;
	if (f->keep)
		remove_oldest(f);
	return nat_log_file_open(f, NULL);
}

void
nat_log_file_close(struct nat_log_file *f)
{
	(void)nat_log_file_flush(f);
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
