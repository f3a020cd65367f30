/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/peers.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef MR_BENCH_PEER_DIR
#define MR_BENCH_PEER_DIR "/usr/libexec/millrace/peers"
#endif

bool
mr_bench_peers_find(const char *name, char *path, size_t size)
{
	const char *dir = getenv("MR_BENCH_PEERS");
	char self[512];
	ssize_t n;

	if (dir) {
		snprintf(path, size, "%s/%s", dir, name);
		return access(path, X_OK) == 0;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = 0;
		*strrchr(self, '/') = 0;
		snprintf(path, size, "%s/peers/%s", self, name);
		if (access(path, X_OK) == 0)
			return true;
		snprintf(path, size, "%s/bench/peers/%s", self, name);
		if (access(path, X_OK) == 0)
			return true;
	}
	snprintf(path, size, MR_BENCH_PEER_DIR "/%s", name);
	return access(path, X_OK) == 0;
}

bool
mr_bench_peers_hugepages(unsigned megabytes)
{
	unsigned pages = 0;
	FILE *f;

	f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	if (!f)
		return false;
	if (fscanf(f, "%u", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages >= megabytes / 2;
}

pid_t
mr_bench_peers_thread(pid_t process, const char *wanted)
{
	char path[320], name[32];
	struct dirent *entry;
	pid_t thread = 0;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", process);
	dir = opendir(path);
	while (dir && !thread && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", process, entry->d_name);
		f = fopen(path, "re");
		if (f && fgets(name, sizeof(name), f) && strstr(name, wanted))
			thread = atoi(entry->d_name);
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return thread;
}

pid_t
mr_bench_peers_worker(pid_t process)
{
	return mr_bench_peers_thread(process, "worker");
}
