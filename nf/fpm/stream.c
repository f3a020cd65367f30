/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/fpm/stream.h"

#include <linux/rtnetlink.h>
#include <string.h>

#define VERSION 1
#define TYPE_NETLINK 1

void
mr_fpm_stream_reset(struct mr_fpm_stream *s)
{
	s->start = s->end = 0;
}

uint8_t *
mr_fpm_stream_room(struct mr_fpm_stream *s, size_t *room)
{
	if (s->start) {
		memmove(s->bytes, s->bytes + s->start, s->end - s->start);
		s->end -= s->start;
		s->start = 0;
	}
	*room = sizeof(s->bytes) - s->end;
	return s->bytes + s->end;
}

void
mr_fpm_stream_filled(struct mr_fpm_stream *s, size_t size)
{
	s->end += (uint32_t)size;
}

bool
mr_fpm_stream_next(struct mr_fpm_stream *s, const uint8_t **messages, size_t *size,
    enum mr_fpm_fault *fault)
{
	const uint8_t *header = s->bytes + s->start;
	uint32_t left = s->end - s->start, length;

	/* What is wrong already in the first bytes is not waited out. */
	if (left >= 1 && header[0] != VERSION) {
		*fault = MR_FPM_FAULT_VERSION;
		return false;
	}
	if (left >= 2 && header[1] != TYPE_NETLINK) {
		*fault = MR_FPM_FAULT_TYPE;
		return false;
	}
	if (left < MR_FPM_HEADER)
		return false;
	length = (uint32_t)header[2] << 8 | header[3];
	if (length < MR_FPM_HEADER) {
		*fault = MR_FPM_FAULT_SIZE;
		return false;
	}
	if (left < length)
		return false;
	*messages = header + MR_FPM_HEADER;
	*size = length - MR_FPM_HEADER;
	s->start += length;
	return true;
}

bool
mr_fpm_stream_is_partial(const struct mr_fpm_stream *s)
{
	return s->end > s->start;
}

/* -- what a frame says ---------------------------------------------------------------------- */

static bool
is_forwarded(uint8_t type)
{
	return type == RTN_UNICAST || type == RTN_BLACKHOLE || type == RTN_UNREACHABLE ||
	    type == RTN_PROHIBIT;
}

static bool
same_prefix(const struct mr_rtnl_route *a, const struct mr_rtnl_route *b)
{
	return a->family == b->family && a->len == b->len &&
	    !memcmp(a->prefix, b->prefix, sizeof(a->prefix));
}

struct frame {
	struct mr_import *import;
	struct mr_fpm_counts *counts;
	uint32_t table;
	bool removing; /* `removed` waits: the frame may add it again */
	struct mr_rtnl_route removed;
};

static void
remove_now(struct frame *f, struct mr_rtnl *m)
{
	struct mr_rtnl_route keep = m->route;
	bool deleted = m->deleted;

	if (!f->removing)
		return;
	f->removing = false;
	m->route = f->removed;
	m->deleted = true;
	mr_import_route(f->import, m);
	m->route = keep;
	m->deleted = deleted;
}

static void
read_route(struct frame *f, struct mr_rtnl *m)
{
	struct mr_fpm_counts *counts = f->counts;

	counts->routes++;
	if (m->route.table != f->table) {
		counts->other_table++;
	} else if (m->route.protocol == RTPROT_KERNEL) {
		counts->connected++;
	} else if (m->route.sourced || m->route.tos ||
	    (!m->deleted && !is_forwarded(m->route.type))) {
		counts->unsupported++;
	} else if (m->deleted) {
		remove_now(f, m);
		f->removed = m->route;
		f->removing = true;
	} else {
		if (f->removing && same_prefix(&f->removed, &m->route))
			f->removing = false;
		remove_now(f, m);
		mr_import_route(f->import, m);
	}
}

enum mr_fpm_fault
mr_fpm_frame(struct mr_import *import, uint32_t table, const uint8_t *at, size_t left,
    struct mr_fpm_counts *counts)
{
	struct frame f = { .import = import, .counts = counts, .table = table };
	enum mr_rtnl_fault fault = MR_RTNL_NONE;
	struct mr_rtnl m;

	memset(&m.route, 0, sizeof(m.route));
	m.deleted = false;
	counts->frames++;
	while (left && !fault) {
		fault = mr_rtnl_next(&at, &left, &m);
		if (fault)
			break;
		counts->messages++;
		if (m.kind == MR_RTNL_ROUTE) {
			read_route(&f, &m);
			continue;
		}
		if (m.kind != MR_RTNL_NEXTHOP) {
			counts->other++;
			continue;
		}
		counts->nexthops++;
		remove_now(&f, &m);
		mr_import_nexthop(import, &m);
	}
	remove_now(&f, &m);
	if (fault)
		counts->faults[fault]++;
	return (enum mr_fpm_fault)fault;
}

const char *
mr_fpm_fault_name(enum mr_fpm_fault fault)
{
	static const char *const names[] = {
#define X(name, text) text,
		MR_FPM_FAULTS(X)
#undef X
	};

	if (fault <= MR_FPM_FAULT_LAST_RTNL)
		return mr_rtnl_fault_name((enum mr_rtnl_fault)fault);
	return fault < MR_FPM_FAULT_COUNT ? names[fault - MR_RTNL_FAULT_COUNT] : "unknown";
}
