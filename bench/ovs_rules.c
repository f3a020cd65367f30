/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ovs_rules.h"

#include <errno.h>
#include <stdio.h>

#include "bench/frames.h"
#include "bench/peer_ovs.h"

enum { ENTRY, TRACKED, ACL, ROUTES };

/* So long a prefix wins: among 65,536 priorities there is room for both uses. */
#define ROUTE_PRIORITY 100
#define ACL_PRIORITY 60000

uint32_t
mr_bench_ovs_block(uint32_t from, uint32_t last, uint16_t *mask)
{
	uint32_t size = from ? from & -from : 0x10000;

	while (from + size - 1 > last)
		size /= 2;
	*mask = (uint16_t) ~(size - 1);
	return from + size;
}

static unsigned
write_conntrack(FILE *f, unsigned next)
{
	fprintf(f, "table=%d,in_port=%d,ip,actions=ct(table=%d)\n", ENTRY, MR_BENCH_OVS_IN,
	    TRACKED);
	fprintf(f, "table=%d,in_port=%d,ip,actions=ct(table=%d)\n", ENTRY, MR_BENCH_OVS_BACK,
	    TRACKED);
	fprintf(f, "table=%d,in_port=%d,ip,actions=drop\n", TRACKED, MR_BENCH_OVS_BACK);
	fprintf(f, "table=%d,in_port=%d,ct_state=+trk+new,ip,actions=ct(commit),goto_table:%u\n",
	    TRACKED, MR_BENCH_OVS_IN, next);
	fprintf(f, "table=%d,in_port=%d,ct_state=+trk+est,ip,actions=goto_table:%u\n", TRACKED,
	    MR_BENCH_OVS_IN, next);
	return 5;
}

static void
write_address(FILE *f, const char *field, uint32_t address, unsigned len)
{
	if (len)
		fprintf(f, ",%s=%u.%u.%u.%u/%u", field, address >> 24, address >> 16 & 255,
		    address >> 8 & 255, address & 255, len);
}

static void
write_port(FILE *f, const char *field, uint32_t port, uint16_t mask)
{
	if (mask)
		fprintf(f, ",%s=0x%x/0x%x", field, port, mask);
}

static void
write_line(FILE *f, const struct mr_bench_ovs_match *m, unsigned priority, uint32_t sport,
    uint16_t sport_mask, uint32_t dport, uint16_t dport_mask)
{
	fprintf(f, "table=%d,priority=%u,ip", ACL, priority);
	if (m->proto)
		fprintf(f, ",nw_proto=%u", m->proto);
	write_address(f, "nw_src", m->src, m->src_len);
	write_address(f, "nw_dst", m->dst, m->dst_len);
	write_port(f, "tp_src", sport, sport_mask);
	write_port(f, "tp_dst", dport, dport_mask);
	if (m->proto == 6 && m->flags_mask)
		fprintf(f, ",tcp_flags=0x%x/0x%x", m->flags & m->flags_mask & 0xfff,
		    m->flags_mask & 0xfff);
	if (m->deny)
		fprintf(f, ",actions=drop\n");
	else
		fprintf(f, ",actions=goto_table:%d\n", ROUTES);
}

/* Protocols without ports have none to match. */
static unsigned
write_match(FILE *f, const struct mr_bench_ovs_match *m, unsigned priority)
{
	bool ports = m->proto == 6 || m->proto == 17 || m->proto == 132;
	uint32_t s, d, s_next, d_next;
	uint16_t s_mask, d_mask;
	unsigned lines = 0;

	if (!ports) {
		write_line(f, m, priority, 0, 0, 0, 0);
		return 1;
	}
	for (s = m->sport[0]; s <= m->sport[1]; s = s_next) {
		s_next = mr_bench_ovs_block(s, m->sport[1], &s_mask);
		for (d = m->dport[0]; d <= m->dport[1]; d = d_next) {
			d_next = mr_bench_ovs_block(d, m->dport[1], &d_mask);
			write_line(f, m, priority, s, s_mask, d, d_mask);
			lines++;
		}
	}
	return lines;
}

static unsigned
write_routes(FILE *f, const struct mr_bench_ovs_rules *rules)
{
	const struct mr_bench_route *r;
	const uint8_t *to, *from;
	size_t i;

	if (!rules->routes) {
		fprintf(f, "table=%d,actions=output:%d\n", ROUTES, MR_BENCH_OVS_OUT);
		return 1;
	}
	for (i = 0; i < rules->routes->count; i++) {
		r = &rules->routes->routes[i];
		to = rules->macs[r->hop][0];
		from = rules->macs[r->hop][1];
		fprintf(f,
		    "table=%d,priority=%u,ip,nw_dst=%u.%u.%u.%u/%u,"
		    "actions=mod_dl_src:%02x:%02x:%02x:%02x:%02x:%02x,"
		    "mod_dl_dst:%02x:%02x:%02x:%02x:%02x:%02x,dec_ttl,output:%d\n",
		    ROUTES, ROUTE_PRIORITY + r->len, r->address[0], r->address[1], r->address[2],
		    r->address[3], r->len, from[0], from[1], from[2], from[3], from[4], from[5],
		    to[0], to[1], to[2], to[3], to[4], to[5], MR_BENCH_OVS_OUT);
	}
	return (unsigned)rules->routes->count;
}

int
mr_bench_ovs_rules_write(const struct mr_bench_ovs_rules *rules, char *path, size_t size,
    unsigned *lines)
{
	/* Of more rules than priorities, neighbours share one. */
	unsigned next = rules->match_count ? ACL : ROUTES, i,
		 share = rules->match_count / ACL_PRIORITY + 1;
	FILE *f;
	int fd;

	f = mr_bench_file(path, size, &fd);
	if (!f)
		return -ENOMEM;
	if (rules->conntrack) {
		*lines = write_conntrack(f, next);
	} else {
		fprintf(f, "table=%d,in_port=%d,actions=goto_table:%u\n", ENTRY, MR_BENCH_OVS_IN,
		    next);
		*lines = 1;
	}
	for (i = 0; i < rules->match_count; i++)
		*lines += write_match(f, &rules->matches[i], ACL_PRIORITY - i / share);
	*lines += write_routes(f, rules);
	return mr_bench_file_done(f, fd);
}
