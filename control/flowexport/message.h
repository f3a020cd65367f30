/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_FLOWEXPORT_MESSAGE_H
#define MR_CONTROL_FLOWEXPORT_MESSAGE_H

/*
 * Messages of IPFIX (RFC 7011) and NetFlow version 9 (RFC 3954): templates, flows and option
 * records, put one after another into a message until there is no room for the next. One table of
 * fields says what a template announces and what a record has, so that they cannot differ.
 *
 *	message_begin(m);
 *	while (message_put_flow(m, flow)) ...
 *	message_finish(m, &stamp);	m->bytes, m->size
 *
 * Ownership: the caller's. Threads: none. Errors: what does not fit is not put.
 */

#include "kit/base/def.h"

#define MESSAGE_MAX 65535u
#define MESSAGE_MIN 512u
#define MESSAGE_NAME_MAX 64u

enum message_protocol { MESSAGE_IPFIX, MESSAGE_NETFLOW9 };

/* IANA "flowEndReason". */
enum flow_end {
	FLOW_END_IDLE = 1,
	FLOW_END_ACTIVE = 2,
	FLOW_END_DETECTED = 3,
	FLOW_END_FORCED = 4,
	FLOW_END_RESOURCES = 5,
};

/* One flow record: what a flow had since the last one. Numbers in host order. */
struct flow_record {
	bool six, translated;
	uint8_t src[16], dst[16];
	uint8_t to_src[16], to_dst[16]; /* translated: what it leaves with */
	uint16_t sport, dport, to_sport, to_dport;
	uint16_t icmp; /* type << 8 | code */
	uint16_t vlan;
	uint8_t proto, tos, tcp, end, status;
	uint32_t in, out; /* interfaces, from 1; 0: not known */
	uint32_t vrf;
	uint64_t packets, octets;
	uint64_t first, last; /* milliseconds since 1970 */
};

/* Of an interface: its name, and what its flows do not have. */
struct interface_record {
	uint32_t index;
	const char *name;
	uint64_t ignored_packets, ignored_octets;
};

/* Of the exporter. */
struct exporter_record {
	uint64_t messages, flows, octets; /* sent */
	uint64_t lost_flows, lost_packets, lost_octets;
};

enum message_template {
	TEMPLATE_IP4,
	TEMPLATE_IP6,
	TEMPLATE_IP4_TRANSLATED,
	TEMPLATE_IP6_TRANSLATED,
	TEMPLATE_INTERFACE, /* options from here on */
	TEMPLATE_EXPORTER,
	TEMPLATES,
};
#define TEMPLATE_ID(t) (256u + (unsigned)(t))

/* When a message leaves. */
struct message_stamp {
	uint32_t sequence;
	uint64_t now;  /* milliseconds since 1970 */
	uint64_t boot; /* likewise, when the exporter began: of version 9 */
};

struct message {
	enum message_protocol protocol;
	uint32_t domain;
	uint32_t limit; /* bytes of a message, MESSAGE_MIN to MESSAGE_MAX */
	uint64_t boot;  /* see struct message_stamp */

	uint32_t size;
	uint32_t set;    /* where the open set begins; 0: none */
	uint16_t set_id; /* its number */
	/* What is in the message. */
	uint32_t records;      /* that the header counts: of version 9 templates, too */
	uint32_t data_records; /* those that are no templates: they move IPFIX's sequence number */
	uint32_t flows;
	uint64_t packets, octets;
	uint8_t bytes[MESSAGE_MAX + 1];
};

void message_begin(struct message *);
bool message_is_empty(const struct message *);
/* Each returns false when the message has no room for it. */
bool message_put_template(struct message *, enum message_template);
bool message_put_flow(struct message *, const struct flow_record *);
bool message_put_interface(struct message *, const struct interface_record *);
bool message_put_exporter(struct message *, const struct exporter_record *);
/* Completes header and sets. */
void message_finish(struct message *, const struct message_stamp *);

#endif
