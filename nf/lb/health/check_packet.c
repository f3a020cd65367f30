/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/lb/health/health_int.h"

#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <string.h>
#include <sys/epoll.h>

#include "kit/packet/checksum.h"

/* Connected, so that the kernel keeps away what others send and tells of ICMP errors. */
static enum health_verdict
send_and_wait(struct mr_health_target *t, const void *bytes, size_t size)
{
	if (connect(t->fd, (const struct sockaddr *)&t->to, t->to_size) ||
	    send(t->fd, bytes, size, MSG_NOSIGNAL) < 0 || health_watch(t, EPOLLIN))
		return health_bad_errno(t, errno);
	return HEALTH_WAIT;
}

/* -- UDP ----------------------------------------------------------------------------------- */

static int
udp_open(struct mr_health_target *t, struct mr_error *error)
{
	return health_socket(t->health, t->config.space, t->config.family, HEALTH_SOCKET_UDP,
	    error);
}

static enum health_verdict
udp_begin(struct mr_health_target *t)
{
	const char *text = t->config.send ? t->config.send : "";

	return send_and_wait(t, text, strlen(text));
}

static enum health_verdict
udp_ready(struct mr_health_target *t, uint32_t events)
{
	const char *expect = t->config.expect;
	uint8_t bytes[MR_HEALTH_BYTES_MAX];
	size_t size = expect ? strlen(expect) : 0;
	ssize_t n = recv(t->fd, bytes, sizeof(bytes), 0); /* the rest is cut off */

	(void)events;
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return HEALTH_WAIT;
		return errno == ECONNREFUSED ? health_bad(t, "port unreachable")
					     : health_bad_errno(t, errno);
	}
	if ((size_t)n < size || memcmp(bytes, expect ? expect : "", size))
		return health_bad(t, "an answer that was not expected");
	return HEALTH_GOOD;
}

static enum health_verdict
udp_late(struct mr_health_target *t)
{
	return t->config.expect ? health_bad(t, "timeout") : HEALTH_GOOD;
}

/* -- ICMP ---------------------------------------------------------------------------------- */

struct echo {
	uint8_t type, code;
	be16_t checksum;
	be16_t id, sequence;
	uint8_t token[HEALTH_TOKEN];
};

static_assert(sizeof(struct echo) == 8 + HEALTH_TOKEN, "no padding");

static int
icmp_open(struct mr_health_target *t, struct mr_error *error)
{
	return health_socket(t->health, t->config.space, t->config.family, HEALTH_SOCKET_ICMP,
	    error);
}

/* The kernel writes IPv6's checksum, and for sockets that it lends the number too. */
static enum health_verdict
icmp_begin(struct mr_health_target *t)
{
	uint64_t dice[2] = { health_random(t->health), health_random(t->health) };
	struct echo echo = {
		.type = t->config.family == 6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO,
		.id = (be16_t)health_random(t->health),
		.sequence = mr_be16(++t->sequence),
	};

	memcpy(t->token, dice, sizeof(t->token));
	memcpy(echo.token, t->token, sizeof(echo.token));
	echo.checksum = mr_checksum_finish(mr_checksum_add(0, &echo, sizeof(echo)));
	return send_and_wait(t, &echo, sizeof(echo));
}

/* A raw socket of IPv4 brings the header too. */
static bool
is_answer(const struct mr_health_target *t, const uint8_t *bytes, size_t size)
{
	uint8_t type = t->config.family == 6 ? ICMPV6_ECHO_REPLY : ICMP_ECHOREPLY;
	socklen_t length = sizeof(int);
	int kind = SOCK_DGRAM;
	struct echo echo;

	(void)getsockopt(t->fd, SOL_SOCKET, SO_TYPE, &kind, &length);
	if (kind == SOCK_RAW && t->config.family == 4) {
		size_t header = size ? (bytes[0] & 15u) * 4u : 0;

		if (header < 20 || header > size)
			return false;
		bytes += header;
		size -= header;
	}
	if (size < sizeof(echo))
		return false;
	memcpy(&echo, bytes, sizeof(echo));
	return echo.type == type && echo.sequence == mr_be16(t->sequence) &&
	    memcmp(echo.token, t->token, sizeof(echo.token)) == 0;
}

static enum health_verdict
icmp_ready(struct mr_health_target *t, uint32_t events)
{
	uint8_t bytes[256];

	(void)events;
	for (unsigned i = 0; i < HEALTH_READS; i++) {
		ssize_t n = recv(t->fd, bytes, sizeof(bytes), 0);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? HEALTH_WAIT
								 : health_bad_errno(t, errno);
		if (is_answer(t, bytes, (size_t)n))
			return HEALTH_GOOD;
	}
	return HEALTH_WAIT;
}

static enum health_verdict
icmp_late(struct mr_health_target *t)
{
	return health_bad(t, "timeout");
}

const struct health_check health_check_udp = { udp_open, udp_begin, udp_ready, udp_late };
const struct health_check health_check_icmp = { icmp_open, icmp_begin, icmp_ready, icmp_late };
