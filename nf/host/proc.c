/* SPDX-License-Identifier: Apache-2.0 */
/* What is only to be had through /proc. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nf/host/host_int.h"

/* -- sysctls ----------------------------------------------------------------------------- */

/* One that this kernel does not have is not missed. */
static void
set(const char *family, const char *name, const char *what, const char *value)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, name, what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* Nor is one that may not be set: the router works without any of them. */
	(void)!write(fd, value, strlen(value));
	close(fd);
}

void
host_sysctl_space(void)
{
	/* The larger of this and the interface's holds. */
	set("ipv4", "all", "rp_filter", "0");
}

/* The router filters, asks and answers; the kernel takes what it is given. */
void
host_sysctl_twin(const char *name)
{
	static const char *const four[][2] = {
		{ "rp_filter", "0" },
		{ "arp_ignore", "8" }, /* we answer */
		{ "accept_redirects", "0" },
		{ "send_redirects", "0" },
	};
	static const char *const six[][2] = {
		{ "accept_ra", "0" },
		{ "autoconf", "0" },
		{ "accept_dad", "0" },
		{ "dad_transmits", "0" },
		{ "router_solicitations", "0" },
		{ "accept_redirects", "0" },
		{ "keep_addr_on_down", "1" },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(four); i++)
		set("ipv4", name, four[i][0], four[i][1]);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(six); i++)
		set("ipv6", name, six[i][0], six[i][1]);
}

/* -- groups that were joined ------------------------------------------------------------- */

static uint16_t
interface_of(const struct host_space *s, int ifindex)
{
	for (const struct host_twin *t = s->twins; t; t = t->next)
		if (t->ifindex == ifindex && !t->lo)
			return t->interface;
	return 0;
}

/*
 * Idx	Device    : Count Querier	Group    Users Timer	Reporter
 * 2	eth0      :     2      V3
 *				FB0000E0     1 0:00000000		0
 */
unsigned
host_groups_parse4(const char *text, const struct host_space *s, struct host_addresses *out)
{
	uint16_t interface = 0;
	unsigned found = 0;
	const char *end;

	for (; *text; text = *end ? end + 1 : end) {
		struct mr_ip_address a = { .family = MR_IP4, .len = 32 };
		unsigned group;
		int ifindex;

		end = strchrnul(text, '\n');
		if (*text >= '0' && *text <= '9') {
			ifindex = (int)strtol(text, NULL, 10);
			interface = interface_of(s, ifindex);
		} else if (*text == '\t' && interface && sscanf(text, " %8x ", &group) == 1) {
			memcpy(a.bytes, &group, 4);
			found += host_addresses_add(out, interface, &a);
		}
	}
	return found;
}

/* 2    eth0            ff020000000000000000000000000001     1 0000000C 0 */
unsigned
host_groups_parse6(const char *text, const struct host_space *s, struct host_addresses *out)
{
	unsigned found = 0;
	const char *end;

	for (; *text; text = *end ? end + 1 : end) {
		struct mr_ip_address a = { .family = MR_IP6, .len = 128 };
		char group[33] = "";
		uint16_t interface;
		int ifindex;

		end = strchrnul(text, '\n');
		if (sscanf(text, "%d %*15s %32[0-9a-f]", &ifindex, group) != 2 ||
		    strlen(group) != 32)
			continue;
		interface = interface_of(s, ifindex);
		for (unsigned i = 0; i < 16; i++) {
			const char byte[3] = { group[2 * i], group[2 * i + 1], '\0' };

			a.bytes[i] = (uint8_t)strtoul(byte, NULL, 16);
		}
		if (interface)
			found += host_addresses_add(out, interface, &a);
	}
	return found;
}

/* The whole of a file that was opened inside the namespace; to be freed. */
static char *
read_all(int fd)
{
	size_t size = 0, room = 16384;
	char *text = malloc(room);

	while (text) {
		ssize_t got = pread(fd, text + size, room - size - 1, (off_t)size);

		if (got <= 0)
			break;
		size += (size_t)got;
		if (room - size < 4096) {
			char *more = room > (4u << 20) ? NULL : realloc(text, room *= 2);

			if (!more)
				break;
			text = more;
		}
	}
	if (text)
		text[size] = '\0';
	return text;
}

void
host_groups_read(const struct host_space *s, struct host_addresses *out)
{
	char *text;

	if (s->igmp >= 0 && (text = read_all(s->igmp)) != NULL) {
		host_groups_parse4(text, s, out);
		free(text);
	}
	if (s->igmp6 >= 0 && (text = read_all(s->igmp6)) != NULL) {
		host_groups_parse6(text, s, out);
		free(text);
	}
}
