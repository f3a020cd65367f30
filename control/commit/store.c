/* SPDX-License-Identifier: Apache-2.0 */
#include "control/commit/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit/base/hash.h"

#define SIZE_MAX_READ (64u << 20)
#define NAME_PART 160 /* of a path in a folder's name; longer ones are cut and told apart */

struct commit_store {
	char *path;
	int fd; /* of the folder; -1: not open */
	bool locked;
};

void
commit_hash(const void *bytes, size_t size, char text[COMMIT_HASH_TEXT])
{
	static const uint64_t keys[2][2] = {
		{ 0x6d696c6c72616365, 0x636f6d6d69747331 },
		{ 0x6d696c6c72616365, 0x636f6d6d69747332 },
	};

	snprintf(text, COMMIT_HASH_TEXT, "%016" PRIx64 "%016" PRIx64,
	    mr_siphash(keys[0], bytes, size), mr_siphash(keys[1], bytes, size));
}

/* -- the folder ------------------------------------------------------------------------------ */

/* "/etc/millrace/lab.yaml" as one name: %2Fetc%2Fmillrace%2Flab.yaml. */
static void
folder_name(const char *file, char *name, size_t size)
{
	char hash[COMMIT_HASH_TEXT];
	size_t used = 0, length = strlen(file);

	if (length * 3 > NAME_PART) {
		commit_hash(file, length, hash);
		used = (size_t)snprintf(name, size, "%s-", hash);
		file += length > NAME_PART / 3 ? length - NAME_PART / 3 : 0;
	}
	for (; *file && used + 4 < size; file++) {
		unsigned char c = (unsigned char)*file;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    c == '-' || c == '_' || (c == '.' && used))
			name[used++] = (char)c;
		else
			used += (size_t)snprintf(name + used, size - used, "%%%02X", c);
	}
	name[used] = '\0';
}

static int
default_folder(char *path, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		snprintf(path, size, "/var/lib/millrace");
	else if (state && *state == '/')
		snprintf(path, size, "%s/millrace", state);
	else if (home && *home == '/')
		snprintf(path, size, "%s/.local/state/millrace", home);
	else
		return -ENOENT;
	return 0;
}

int
commit_store_create(struct commit_store **out, const char *folder, const char *file,
    struct mr_error *error)
{
	struct commit_store *s = calloc(1, sizeof(*s));
	char fallback[PATH_MAX], name[NAME_MAX];

	*out = NULL;
	if (!folder && default_folder(fallback, sizeof(fallback))) {
		free(s);
		return mr_error_set(error, -ENOENT,
		    "no folder for commits: $HOME is not set (system/state-directory names one)");
	}
	folder_name(file, name, sizeof(name));
	if (!s || asprintf(&s->path, "%s/%s", folder ? folder : fallback, name) < 0) {
		free(s);
		return mr_error_set(error, -ENOMEM, "no memory for commits");
	}
	s->fd = -1;
	*out = s;
	return 0;
}

void
commit_store_destroy(struct commit_store *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s);
}

const char *
commit_store_path(const struct commit_store *s)
{
	return s->path;
}

static int
fail(const struct commit_store *s, struct mr_error *error, int rc, const char *what)
{
	return mr_error_set(error, rc, "%s: %s: %s", s->path, what, strerror(-rc));
}

/* Opens the folder for reading. */
static int
open_folder(struct commit_store *s)
{
	if (s->fd < 0)
		s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->fd < 0 ? -errno : 0;
}

/* Each folder of the path that is not there. */
static int
make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int rc;

		*slash = '\0';
		rc = mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
		*slash = '/';
		if (rc)
			return rc;
	}
	/* Configurations may hold secrets. */
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

/* Opens it for writing: makes it, and keeps others from it. */
static int
own_folder(struct commit_store *s, struct mr_error *error)
{
	int rc = open_folder(s);

	if (rc == -ENOENT) {
		rc = make_folders(s->path);
		if (rc)
			return fail(s, error, rc, "cannot be made");
		rc = open_folder(s);
	}
	if (rc)
		return fail(s, error, rc, "cannot be opened");
	if (s->locked)
		return 0;
	if (flock(s->fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK
		    ? mr_error_set(error, -EBUSY, "%s: another millrace keeps its commits there",
			  s->path)
		    : fail(s, error, -errno, "cannot be locked");
	s->locked = true;
	return 0;
}

/* -- reading --------------------------------------------------------------------------------- */

static void
file_name(char name[32], uint64_t id, const char *ending)
{
	snprintf(name, 32, "%010" PRIu64 ".%s", id, ending);
}

static const char *
ending_of(bool pending)
{
	return pending ? "pending" : "yaml";
}

int
commit_store_each(struct commit_store *s, int (*each)(void *arg, uint64_t id, bool pending),
    void *arg, struct mr_error *error)
{
	const struct dirent *entry;
	int rc = open_folder(s), fd;
	DIR *dir;

	if (rc == -ENOENT)
		return 0;
	fd = rc ? -1 : openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		rc = rc ? rc : -errno;
		if (fd >= 0)
			close(fd);
		return fail(s, error, rc, "cannot be read");
	}
	while (!rc && (entry = readdir(dir)) != NULL) {
		char *end;
		uint64_t id = strtoull(entry->d_name, &end, 10);

		if (end != entry->d_name + 10 || !id)
			continue;
		if (!strcmp(end, ".yaml"))
			rc = each(arg, id, false);
		else if (!strcmp(end, ".pending"))
			rc = each(arg, id, true);
	}
	closedir(dir);
	return rc;
}

int
commit_store_read(struct commit_store *s, uint64_t id, bool pending, char **text, size_t *size,
    struct mr_error *error)
{
	char name[32], *t;
	struct stat st;
	size_t used = 0;
	ssize_t n = 1;
	int fd, rc = open_folder(s);

	*text = NULL;
	file_name(name, id, ending_of(pending));
	fd = rc ? -1 : openat(s->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fail(s, error, rc ? rc : -errno, name);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > (off_t)SIZE_MAX_READ) {
		close(fd);
		return fail(s, error, -EFBIG, name);
	}
	t = malloc((size_t)st.st_size + 1);
	while (t && n && used < (size_t)st.st_size) {
		n = read(fd, t + used, (size_t)st.st_size - used);
		if (n < 0 && errno != EINTR)
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	rc = !t ? -ENOMEM : n < 0 ? -errno : 0;
	close(fd);
	if (rc) {
		free(t);
		return fail(s, error, rc, name);
	}
	t[used] = '\0';
	*text = t;
	*size = used;
	return 0;
}

/* -- writing --------------------------------------------------------------------------------- */

static int
write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) ? -errno : 0;
}

int
commit_store_write(struct commit_store *s, uint64_t id, const char *text, size_t size,
    struct mr_error *error)
{
	int rc = own_folder(s, error), fd;
	char name[32];

	if (rc)
		return rc;
	file_name(name, id, "new");
	fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(s, error, -errno, name);
	rc = write_all(fd, text, size);
	if (close(fd) && !rc)
		rc = -errno;
	if (rc) {
		commit_store_discard(s, id);
		return fail(s, error, rc, name);
	}
	return 0;
}

void
commit_store_discard(struct commit_store *s, uint64_t id)
{
	char name[32];

	file_name(name, id, "new");
	unlinkat(s->fd, name, 0);
}

static int
rename_synced(struct commit_store *s, const char *from, const char *to, struct mr_error *error)
{
	if (renameat(s->fd, from, s->fd, to))
		return fail(s, error, -errno, to);
	return fsync(s->fd) ? fail(s, error, -errno, to) : 0;
}

int
commit_store_publish(struct commit_store *s, uint64_t id, bool pending, struct mr_error *error)
{
	char from[32], to[32];

	file_name(from, id, "new");
	file_name(to, id, ending_of(pending));
	return rename_synced(s, from, to, error);
}

int
commit_store_confirm(struct commit_store *s, uint64_t id, struct mr_error *error)
{
	char from[32], to[32];
	int rc = own_folder(s, error);

	if (rc)
		return rc;
	file_name(from, id, ending_of(true));
	file_name(to, id, ending_of(false));
	return rename_synced(s, from, to, error);
}

int
commit_store_remove(struct commit_store *s, uint64_t id, bool pending)
{
	char name[32];
	struct mr_error error;
	int rc = own_folder(s, &error);

	if (rc)
		return rc;
	file_name(name, id, ending_of(pending));
	return unlinkat(s->fd, name, 0) ? -errno : 0;
}
