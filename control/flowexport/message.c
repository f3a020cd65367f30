/* SPDX-License-Identifier: Apache-2.0 */
#include "control/flowexport/message.h"

#include <string.h>

#include "kit/packet/wire.h"

#define IPFIX_HEADER 16u
#define NETFLOW9_HEADER 20u
#define SET_HEADER 4u
#define VARIABLE 65535u
/* Names in version 9 have one length. */
#define NAME_FIXED 32u

/* Sets that carry templates. */
enum { IPFIX_TEMPLATES = 2, IPFIX_OPTIONS = 3, NETFLOW9_TEMPLATES = 0, NETFLOW9_OPTIONS = 1 };

/* What a field is filled from. */
enum what {
	SRC,
	DST,
	SPORT,
	DPORT,
	PROTO,
	TOS,
	TCP,
	VERSION,
	ICMP,
	IN,
	OUT,
	VLAN,
	VRF,
	DIRECTION,
	END,
	STATUS,
	PACKETS,
	OCTETS,
	FIRST,
	LAST,
	TO_SRC,
	TO_DST,
	TO_SPORT,
	TO_DPORT,
};

/* An information element, here and in version 9 (0: the same), and its bytes. */
struct field {
	uint16_t element, element9;
	uint8_t size, size9;
	uint8_t what;
};

/* `icmp`: of this family; version 9 has one for both. */
#define COMMON(icmp) \
	{ 7, 0, 2, 2, SPORT }, { 11, 0, 2, 2, DPORT }, { 4, 0, 1, 1, PROTO }, { 5, 0, 1, 1, TOS }, \
	    { 6, 0, 1, 1, TCP }, { 60, 0, 1, 1, VERSION }, { icmp, 32, 2, 2, ICMP }, \
	    { 10, 0, 4, 4, IN }, { 14, 0, 4, 4, OUT }, { 58, 0, 2, 2, VLAN }, \
	    { 234, 0, 4, 4, VRF }, { 61, 0, 1, 1, DIRECTION }, { 136, 0, 1, 1, END }, \
	    { 89, 0, 1, 1, STATUS }, { 2, 0, 8, 8, PACKETS }, { 1, 0, 8, 8, OCTETS }, \
	    { 152, 22, 8, 4, FIRST }, \
	{ \
		153, 21, 8, 4, LAST \
	}
#define PORTS_AFTER \
	{ 227, 0, 2, 2, TO_SPORT }, \
	{ \
		228, 0, 2, 2, TO_DPORT \
	}

static const struct field ip4[] = { { 8, 0, 4, 4, SRC }, { 12, 0, 4, 4, DST }, COMMON(32) };
static const struct field ip6[] = { { 27, 0, 16, 16, SRC }, { 28, 0, 16, 16, DST }, COMMON(139) };
static const struct field ip4_translated[] = { { 8, 0, 4, 4, SRC }, { 12, 0, 4, 4, DST },
	COMMON(32), { 225, 0, 4, 4, TO_SRC }, { 226, 0, 4, 4, TO_DST }, PORTS_AFTER };
static const struct field ip6_translated[] = { { 27, 0, 16, 16, SRC }, { 28, 0, 16, 16, DST },
	COMMON(139), { 281, 0, 16, 16, TO_SRC }, { 282, 0, 16, 16, TO_DST }, PORTS_AFTER };

static const struct {
	const struct field *fields;
	unsigned count;
} flows[] = {
	[TEMPLATE_IP4] = { ip4, MR_ARRAY_COUNT(ip4) },
	[TEMPLATE_IP6] = { ip6, MR_ARRAY_COUNT(ip6) },
	[TEMPLATE_IP4_TRANSLATED] = { ip4_translated, MR_ARRAY_COUNT(ip4_translated) },
	[TEMPLATE_IP6_TRANSLATED] = { ip6_translated, MR_ARRAY_COUNT(ip6_translated) },
};

/* Options: the first is the scope. In version 9 a scope has a number of its own kind: 1 the system,
 * 2 an interface. interfaceName is of variable length in IPFIX. */
struct option {
	uint16_t element, size, size9;
};
static const struct option interface_options[] = { { 10, 4, 4 }, { 82, VARIABLE, NAME_FIXED },
	{ 164, 8, 8 }, { 165, 8, 8 } };
/* Scope: exportingProcessId. What was sent, and what could not be (RFC 7011, section 4.3). */
static const struct option exporter_options[] = { { 144, 4, 4 }, { 41, 8, 8 }, { 42, 8, 8 },
	{ 40, 8, 8 }, { 166, 8, 8 }, { 167, 8, 8 }, { 168, 8, 8 } };

static const struct {
	const struct option *options;
	unsigned count;
	uint16_t scope9;
} options[] = {
	[TEMPLATE_INTERFACE] = { interface_options, MR_ARRAY_COUNT(interface_options), 2 },
	[TEMPLATE_EXPORTER] = { exporter_options, MR_ARRAY_COUNT(exporter_options), 1 },
};

/* -- bytes --------------------------------------------------------------------------------------- */

static bool
is_ipfix(const struct message *m)
{
	return m->protocol == MESSAGE_IPFIX;
}

/* A number of `size` bytes. */
static void
put(struct message *m, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		m->bytes[m->size++] = (uint8_t)(value >> 8 * (size - 1 - i));
}

static void
put_bytes(struct message *m, const void *bytes, unsigned size)
{
	memcpy(m->bytes + m->size, bytes, size);
	m->size += size;
}

/* -- sets ----------------------------------------------------------------------------------------- */

void
message_begin(struct message *m)
{
	m->size = is_ipfix(m) ? IPFIX_HEADER : NETFLOW9_HEADER;
	m->set = 0;
	m->records = m->data_records = m->flows = 0;
	m->packets = m->octets = 0;
}

bool
message_is_empty(const struct message *m)
{
	return m->records == 0;
}

static void
close_set(struct message *m)
{
	if (!m->set)
		return;
	while (m->size % 4)
		m->bytes[m->size++] = 0;
	mr_store_be16(m->bytes + m->set + 2, (uint16_t)(m->size - m->set));
	m->set = 0;
}

/* Room for a record of this size in a set of this number: in the open one, or in a new one.
 * False: there is none. */
static bool
open_set(struct message *m, uint16_t id, uint32_t size)
{
	bool same = m->set && m->set_id == id;
	/* As it is when the open set was closed. */
	uint32_t at = same ? m->size : MR_ALIGN_UP(m->size, 4u) + SET_HEADER;

	if (MR_ALIGN_UP(at + size, 4u) > m->limit)
		return false;
	if (same)
		return true;
	close_set(m);
	m->set = m->size;
	m->set_id = id;
	put(m, id, 2);
	put(m, 0, 2);
	return true;
}

void
message_finish(struct message *m, const struct message_stamp *s)
{
	uint8_t *h = m->bytes;

	close_set(m);
	if (is_ipfix(m)) {
		mr_store_be16(h, 10);
		mr_store_be16(h + 2, (uint16_t)m->size);
		mr_store_be32(h + 4, (uint32_t)(s->now / 1000));
		mr_store_be32(h + 8, s->sequence);
		mr_store_be32(h + 12, m->domain);
	} else {
		/* Both clocks at the same moment, which is a whole second: whoever takes one from the
		 * other finds when we began, to the millisecond. The next one, as no record may lie behind. */
		uint64_t now = (s->now + 999) / 1000 * 1000;

		mr_store_be16(h, 9);
		mr_store_be16(h + 2, (uint16_t)m->records);
		mr_store_be32(h + 4, (uint32_t)(now - s->boot));
		mr_store_be32(h + 8, (uint32_t)(now / 1000));
		mr_store_be32(h + 12, s->sequence);
		mr_store_be32(h + 16, m->domain);
	}
}

/* -- templates ------------------------------------------------------------------------------------ */

static bool
put_flow_template(struct message *m, enum message_template t)
{
	unsigned count = flows[t].count;

	if (!open_set(m, is_ipfix(m) ? IPFIX_TEMPLATES : NETFLOW9_TEMPLATES, 4 + 4 * count))
		return false;
	put(m, TEMPLATE_ID(t), 2);
	put(m, count, 2);
	for (unsigned i = 0; i < count; i++) {
		const struct field *f = &flows[t].fields[i];

		put(m, !is_ipfix(m) && f->element9 ? f->element9 : f->element, 2);
		put(m, is_ipfix(m) ? f->size : f->size9, 2);
	}
	return true;
}

static bool
put_options_template(struct message *m, enum message_template t)
{
	unsigned count = options[t].count;

	if (!open_set(m, is_ipfix(m) ? IPFIX_OPTIONS : NETFLOW9_OPTIONS, 6 + 4 * count))
		return false;
	put(m, TEMPLATE_ID(t), 2);
	/* Fields, the scope among them; or bytes, apart. */
	put(m, is_ipfix(m) ? count : 4, 2);
	put(m, is_ipfix(m) ? 1 : 4 * (count - 1), 2);
	for (unsigned i = 0; i < count; i++) {
		const struct option *o = &options[t].options[i];

		put(m, !is_ipfix(m) && i == 0 ? options[t].scope9 : o->element, 2);
		put(m, is_ipfix(m) ? o->size : o->size9, 2);
	}
	return true;
}

bool
message_put_template(struct message *m, enum message_template t)
{
	bool good = t < TEMPLATE_INTERFACE ? put_flow_template(m, t) : put_options_template(m, t);

	m->records += good;
	return good;
}

/* -- records --------------------------------------------------------------------------------------- */

/* Milliseconds of the exporter's life, as version 9 tells time. */
static uint64_t
uptime(const struct message *m, uint64_t at)
{
	return at > m->boot ? at - m->boot : 0;
}

static uint64_t
number(const struct message *m, const struct flow_record *r, enum what what)
{
	switch (what) {
	case SPORT:
		return r->sport;
	case DPORT:
		return r->dport;
	case PROTO:
		return r->proto;
	case TOS:
		return r->tos;
	case TCP:
		return r->tcp;
	case VERSION:
		return r->six ? 6 : 4;
	case ICMP:
		return r->icmp;
	case IN:
		return r->in;
	case OUT:
		return r->out;
	case VLAN:
		return r->vlan;
	case VRF:
		return r->vrf;
	case END:
		return r->end;
	case STATUS:
		return r->status;
	case PACKETS:
		return r->packets;
	case OCTETS:
		return r->octets;
	case FIRST:
		return is_ipfix(m) ? r->first : uptime(m, r->first);
	case LAST:
		return is_ipfix(m) ? r->last : uptime(m, r->last);
	case TO_SPORT:
		return r->to_sport;
	case TO_DPORT:
		return r->to_dport;
	default: /* DIRECTION: flows are seen where they come in */
		return 0;
	}
}

static const uint8_t *
address(const struct flow_record *r, enum what what)
{
	switch (what) {
	case SRC:
		return r->src;
	case DST:
		return r->dst;
	case TO_SRC:
		return r->to_src;
	case TO_DST:
		return r->to_dst;
	default:
		return NULL;
	}
}

bool
message_put_flow(struct message *m, const struct flow_record *r)
{
	enum message_template t = r->translated
	    ? (r->six ? TEMPLATE_IP6_TRANSLATED : TEMPLATE_IP4_TRANSLATED)
	    : (r->six ? TEMPLATE_IP6 : TEMPLATE_IP4);
	unsigned size = 0;

	for (unsigned i = 0; i < flows[t].count; i++)
		size += is_ipfix(m) ? flows[t].fields[i].size : flows[t].fields[i].size9;
	if (!open_set(m, TEMPLATE_ID(t), size))
		return false;
	for (unsigned i = 0; i < flows[t].count; i++) {
		const struct field *f = &flows[t].fields[i];
		const uint8_t *bytes = address(r, (enum what)f->what);

		size = is_ipfix(m) ? f->size : f->size9;
		if (bytes)
			put_bytes(m, bytes, size);
		else
			put(m, number(m, r, (enum what)f->what), size);
	}
	m->records++;
	m->data_records++;
	m->flows++;
	m->packets += r->packets;
	m->octets += r->octets;
	return true;
}

bool
message_put_interface(struct message *m, const struct interface_record *r)
{
	unsigned length = (unsigned)strnlen(r->name, MESSAGE_NAME_MAX);
	uint8_t name[NAME_FIXED] = { 0 };

	if (!open_set(m, TEMPLATE_ID(TEMPLATE_INTERFACE),
		4 + 16 + (is_ipfix(m) ? 1 + length : NAME_FIXED)))
		return false;
	put(m, r->index, 4);
	if (is_ipfix(m)) {
		put(m, length, 1);
		put_bytes(m, r->name, length);
	} else {
		memcpy(name, r->name, MR_MIN(length, NAME_FIXED));
		put_bytes(m, name, sizeof(name));
	}
	put(m, r->ignored_packets, 8);
	put(m, r->ignored_octets, 8);
	m->records++;
	m->data_records++;
	return true;
}

bool
message_put_exporter(struct message *m, const struct exporter_record *r)
{
	if (!open_set(m, TEMPLATE_ID(TEMPLATE_EXPORTER), 4 + 6 * 8))
		return false;
	put(m, 1, 4);
	put(m, r->messages, 8);
	put(m, r->flows, 8);
	put(m, r->octets, 8);
	put(m, r->lost_flows, 8);
	put(m, r->lost_packets, 8);
	put(m, r->lost_octets, 8);
	m->records++;
	m->data_records++;
	return true;
}
