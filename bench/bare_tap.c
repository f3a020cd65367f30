/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bare_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BURST 256

static int
open_tap(int *fd, const char *name, struct mr_error *error)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	*fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0 || ioctl(*fd, TUNSETIFF, &r) < 0)
		return mr_error_set(error, -errno, "bare TAP %s: %s", name, strerror(errno));
	return 0;
}

int
mr_bench_bare_tap_open(struct mr_bench_bare_tap *t, const char *from, const char *to,
    struct mr_error *error)
{
	int rc;

	t->from = t->to = -1;
	rc = open_tap(&t->from, from, error);
	if (rc == 0)
		rc = open_tap(&t->to, to, error);
	if (rc < 0)
		mr_bench_bare_tap_close(t);
	return rc;
}

void
mr_bench_bare_tap_close(struct mr_bench_bare_tap *t)
{
	if (t->from >= 0)
		close(t->from);
	if (t->to >= 0)
		close(t->to);
	t->from = t->to = -1;
}

unsigned
mr_bench_bare_tap_turn(struct mr_bench_bare_tap *t)
{
	uint8_t frame[2048];
	unsigned n;
	ssize_t len;

	for (n = 0; n < BURST; n++) {
		len = read(t->from, frame, sizeof(frame));
		if (len <= 0 || write(t->to, frame, (size_t)len) != len)
			break;
	}
	return n;
}
