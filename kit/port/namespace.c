/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/namespace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

struct job {
	const char *path;
	bool create;
	int (*call)(void *arg, struct mr_error *);
	void *arg;
	struct mr_error *error;
	int rc;
};

static void
path_of(const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s%s", strchr(name, '/') ? "" : MR_NAMESPACE_FOLDER "/", name);
}

int
mr_namespace_check(const char *name, struct mr_error *error)
{
	const char *at;

	if (!*name || strlen(name) >= MR_NAMESPACE_NAME_MAX || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return mr_error_set(error, -EINVAL, "'%s' is no name for a network namespace",
		    name);
	for (at = name; *at; at++)
		if (*at == '/' || (unsigned char)*at <= ' ' || *at == 0x7f)
			return mr_error_set(error, -EINVAL,
			    "'%s' is no name for a network namespace: it has a character that is "
			    "not allowed",
			    name);
	return 0;
}

static const char *
wanted_right(int code)
{
	return code == EPERM || code == EACCES ? " (it takes CAP_SYS_ADMIN)" : "";
}

static int
enter(const struct job *j)
{
	int fd = open(j->path, O_RDONLY | O_CLOEXEC), code;

	if (fd < 0)
		return mr_error_set(j->error, -errno, "no network namespace %s: %s", j->path,
		    strerror(errno));
	code = setns(fd, CLONE_NEWNET) ? errno : 0;
	close(fd);
	if (!code)
		return 0;
	return mr_error_set(j->error, -code, "cannot enter network namespace %s: %s%s", j->path,
	    code == EINVAL ? "the file is no network namespace" : strerror(code),
	    wanted_right(code));
}

static void *
job_main(void *arg)
{
	struct job *j = arg;

	j->rc = j->create ? 0 : enter(j);
	if (!j->rc)
		j->rc = j->call(j->arg, j->error);
	return NULL;
}

static int
job_run(struct job *j)
{
	pthread_t thread;
	int code = pthread_create(&thread, NULL, job_main, j);

	if (code)
		return mr_error_set(j->error, -code, "no thread: %s", strerror(code));
	pthread_join(thread, NULL);
	return j->rc;
}

int
mr_namespace_run(const char *name, int (*call)(void *arg, struct mr_error *), void *arg,
    struct mr_error *error)
{
	char path[4096];
	struct job j = { .path = path, .call = call, .arg = arg, .error = error };

	path_of(name, path, sizeof(path));
	return job_run(&j);
}

bool
mr_namespace_exists(const char *name)
{
	char path[4096];

	path_of(name, path, sizeof(path));
	return access(path, F_OK) == 0;
}

/* The folder is a shared mount of itself, as `ip netns add` makes it, so that a namespace
 * is seen, and goes, in every mount namespace. */
static int
make_folder(struct mr_error *error)
{
	const char *folder = MR_NAMESPACE_FOLDER;

	if (mkdir(folder, 0755) && errno != EEXIST)
		return mr_error_set(error, -errno, "cannot make %s: %s%s", folder, strerror(errno),
		    wanted_right(errno));
	if (!mount("", folder, "none", MS_SHARED | MS_REC, NULL))
		return 0;
	if (errno != EINVAL || mount(folder, folder, "none", MS_BIND | MS_REC, NULL) ||
	    mount("", folder, "none", MS_SHARED | MS_REC, NULL))
		return mr_error_set(error, -errno, "cannot share %s: %s%s", folder, strerror(errno),
		    wanted_right(errno));
	return 0;
}

/* On a thread of its own. */
static int
make(void *arg, struct mr_error *error)
{
	const char *path = arg;
	char own[64];

	if (unshare(CLONE_NEWNET))
		return mr_error_set(error, -errno, "cannot make a network namespace: %s%s",
		    strerror(errno), wanted_right(errno));
	snprintf(own, sizeof(own), "/proc/self/task/%d/ns/net", (int)gettid());
	if (mount(own, path, "none", MS_BIND, NULL))
		return mr_error_set(error, -errno, "cannot mount network namespace %s: %s%s", path,
		    strerror(errno), wanted_right(errno));
	return 0;
}

int
mr_namespace_create(const char *name, struct mr_error *error)
{
	char path[4096];
	struct job j = { .create = true, .call = make, .arg = path, .error = error };
	int fd, rc;

	rc = mr_namespace_check(name, error);
	if (!rc)
		rc = make_folder(error);
	if (rc)
		return rc;
	path_of(name, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	if (fd < 0)
		return mr_error_set(error, -errno, "cannot make %s: %s", path, strerror(errno));
	close(fd);
	rc = job_run(&j);
	if (rc)
		unlink(path);
	return rc;
}

int
mr_namespace_delete(const char *name, struct mr_error *error)
{
	char path[4096];
	int rc = mr_namespace_check(name, error);

	if (rc)
		return rc;
	path_of(name, path, sizeof(path));
	if ((umount2(path, MNT_DETACH) && errno != EINVAL) || unlink(path))
		return mr_error_set(error, -errno, "cannot delete network namespace %s: %s", path,
		    strerror(errno));
	return 0;
}

/* Whether a thread of this process lives there. */
static bool
lives_in(const char *pid, const struct stat *want)
{
	char path[400];
	struct stat st;
	DIR *tasks;
	const struct dirent *task;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	tasks = opendir(path);
	while (tasks && !found && (task = readdir(tasks))) {
		if (task->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task/%.20s/ns/net", pid, task->d_name);
		found = !stat(path, &st) && st.st_ino == want->st_ino && st.st_dev == want->st_dev;
	}
	if (tasks)
		closedir(tasks);
	return found;
}

pid_t
mr_namespace_user(const char *name)
{
	char path[4096];
	struct stat want;
	DIR *all;
	const struct dirent *process;
	pid_t found = 0;

	path_of(name, path, sizeof(path));
	if (stat(path, &want))
		return 0;
	all = opendir("/proc");
	while (all && !found && (process = readdir(all))) {
		long pid = strtol(process->d_name, NULL, 10);

		if (pid > 0 && pid != getpid() && lives_in(process->d_name, &want))
			found = (pid_t)pid;
	}
	if (all)
		closedir(all);
	return found;
}
