/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/icmp/options_int.h"

#include "nf/icmp/route_int.h"

#define HEADER 20u
#define DAY 86400000u

/* Where in an option of `size` bytes the next `need` bytes go: its pointer, or 0 when it is full.
 * *problem: the pointer is wrong, or there is room, but not enough (RFC 791, 3.1). */
static unsigned
slot(const uint8_t *option, unsigned size, unsigned least, unsigned need, bool *problem)
{
	unsigned pointer = option[2];

	*problem = pointer < least || (pointer <= size && pointer + need - 1 > size);
	return pointer <= size ? pointer : 0;
}

static unsigned
scan_timestamp(const uint8_t *option, unsigned size, unsigned at)
{
	unsigned kind, need;
	bool problem;

	if (size < 4)
		return at + 1;
	kind = option[3] & 15u;
	if (kind != 0 && kind != 1 && kind != 3)
		return at + 3;
	need = kind ? 8 : 4;
	if (!slot(option, size, 5, need, &problem) && !problem && option[3] >> 4 == 15)
		return at + 3; /* the count of those that found no room overflows, too */
	return problem ? at + 2 : 0;
}

static unsigned
scan_one(const uint8_t *option, unsigned size, unsigned at, struct ip4_options *o)
{
	bool problem;

	switch (option[0]) {
	case IP4_OPTION_RECORD_ROUTE:
		if (o->record)
			return at;
		o->record = (uint8_t)at;
		break;
	case IP4_OPTION_LOOSE_ROUTE:
	case IP4_OPTION_STRICT_ROUTE:
		if (o->route)
			return at; /* RFC 1812, 5.2.4.1: one at most, of either kind */
		o->route = (uint8_t)at;
		o->strict = option[0] == IP4_OPTION_STRICT_ROUTE;
		break;
	case IP4_OPTION_TIMESTAMP:
		if (o->timestamp)
			return at;
		o->timestamp = (uint8_t)at;
		return scan_timestamp(option, size, at);
	case IP4_OPTION_ROUTER_ALERT:
		if (size != 4)
			return at + 1;
		o->alert |= option[2] == 0 && option[3] == 0;
		return 0;
	default:
		return 0;
	}
	if (size < 3)
		return at + 1;
	(void)slot(option, size, 4, 4, &problem);
	return problem ? at + 2 : 0;
}

unsigned
ip4_options_scan(const uint8_t *ip, unsigned len, struct ip4_options *o)
{
	unsigned at = HEADER, size, problem;

	memset(o, 0, sizeof(*o));
	while (at < len && ip[at] != IP4_OPTION_END) {
		if (ip[at] == IP4_OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= len)
			return at;
		size = ip[at + 1];
		if (size < 2 || at + size > len)
			return at + 1;
		problem = scan_one(ip + at, size, at, o);
		if (problem)
			return problem;
		at += size;
	}
	return 0;
}

/* -- filling in ----------------------------------------------------------------------- */

static void
set_byte(const struct icmp_work *w, struct mr_packet *p, unsigned at, uint8_t value)
{
	mr_edit_set(w->rec, p, at, &value, 1);
}

static void
fill_timestamp(const struct icmp_work *w, struct mr_packet *p, unsigned at, be32_t address)
{
	const struct mr_ip_interface *in = icmp_interface(w, p);
	const uint8_t *option = mr_packet_bytes_const(p) + at;
	unsigned kind = option[3] & 15u, pointer = option[2], size = option[1];
	uint64_t ms = w->run->now / (w->icmp->hz / 1000) +
	    atomic_load_explicit(&w->icmp->day, memory_order_relaxed);
	unsigned where = at + pointer - 1;

	if (pointer > size) {
		/* Kind 3 names who is to answer; nobody is left out. */
		if (kind != 3)
			set_byte(w, p, at + 3, (uint8_t)(option[3] + 0x10));
		return;
	}
	if (kind == 3 && (!in || !icmp_is_ours(w, in, MR_IP4, option + pointer - 1)))
		return;
	if (kind == 1)
		mr_edit_set32(w->rec, p, where, address);
	if (kind)
		where += 4;
	mr_edit_set32(w->rec, p, where, mr_be32((uint32_t)(ms % DAY)));
	set_byte(w, p, at + 2, (uint8_t)(pointer + (kind ? 8 : 4)));
}

void
ip4_options_fill(const struct icmp_work *w, struct mr_packet *p, unsigned l3,
    const struct ip4_options *o, be32_t address)
{
	if (o->record) {
		unsigned at = l3 + o->record;
		const uint8_t *option = mr_packet_bytes_const(p) + at;
		unsigned pointer = option[2];

		if (pointer <= option[1]) {
			mr_edit_set32(w->rec, p, at + pointer - 1, address);
			set_byte(w, p, at + 2, (uint8_t)(pointer + 4));
		}
	}
	if (o->timestamp)
		fill_timestamp(w, p, l3 + o->timestamp, address);
}

/* The route that led here, backwards: its last stop is where the reply goes first, the sender is
 * the last one of the new route. */
static bool
reverse_route(const struct icmp_work *w, struct mr_packet *p, unsigned l3, unsigned option,
    be32_t source, be32_t *to)
{
	const uint8_t *bytes = mr_packet_bytes_const(p) + l3 + option;
	unsigned stops = (bytes[1] - 3u) / 4;
	uint8_t route[40];

	if (bytes[2] <= bytes[1])
		return false; /* it does not end here */
	*to = source;
	if (!stops)
		return true;
	memcpy(to, bytes + 3 + (stops - 1) * 4, 4);
	for (unsigned i = 0; i + 1 < stops; i++)
		memcpy(route + i * 4, bytes + 3 + (stops - 2 - i) * 4, 4);
	memcpy(route + (stops - 1) * 4, &source, 4);
	icmp_write(w->rec, p, l3 + option + 3, route, stops * 4);
	set_byte(w, p, l3 + option + 2, 4);
	return true;
}

bool
ip4_options_return(const struct icmp_work *w, struct mr_packet *p, unsigned l3, be32_t from,
    be32_t *to)
{
	const uint8_t *ip = mr_packet_bytes_const(p) + l3;
	struct ip4_options o;
	be32_t source;

	if (ip4_options_scan(ip, (ip[0] & 15u) * 4, &o))
		return false;
	memcpy(&source, ip + 12, 4);
	*to = source;
	if (o.route && !reverse_route(w, p, l3, o.route, source, to))
		return false;
	if (!icmp_is_host4(*to))
		return false;
	ip4_options_fill(w, p, l3, &o, from);
	return true;
}

void
ip4_header_checksum(const struct icmp_work *w, struct mr_packet *p, unsigned l3)
{
	const struct mr_ip4 *ip = (const struct mr_ip4 *)(mr_packet_bytes_const(p) + l3);

	mr_edit_set16(w->rec, p, l3 + 10, mr_checksum_ipv4_header(ip));
}
