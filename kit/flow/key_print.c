/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "kit/flow/key.h"

struct line {
	char *text;
	size_t size, len;
};

static void mr_printf(2, 3) add(struct line *l, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(l->len < l->size ? l->text + l->len : NULL,
	    l->len < l->size ? l->size - l->len : 0, fmt, args);
	va_end(args);
	if (n > 0)
		l->len += (size_t)n;
}

static void
address(struct line *l, const uint8_t *at, bool six, bool ports, be16_t port)
{
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(six ? AF_INET6 : AF_INET, at, text, sizeof(text)))
		return;
	if (!ports)
		add(l, "%s", text);
	else
		add(l, six ? "[%s]:%u" : "%s:%u", text, mr_be16(port));
}

size_t
mr_flow_key_print(const struct mr_flow_key *key, const char *port, char *text, size_t size)
{
	unsigned vlan = MR_FLOW_WHERE_VLAN(key->where), proto = MR_FLOW_WHERE_PROTO(key->where);
	bool six = MR_FLOW_WHERE_SIX(key->where), ports = true;
	struct line l = { .text = text, .size = size };
	unsigned type = mr_be16(key->dport);

	if (size)
		text[0] = 0;
	add(&l, "%s ", port);
	if (vlan)
		add(&l, "vlan %u ", vlan);
	if (proto == MR_IP_PROTO_TCP)
		add(&l, "tcp ");
	else if (proto == MR_IP_PROTO_UDP)
		add(&l, "udp ");
	else if (proto == (six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP))
		add(&l, six ? "icmp6 " : "icmp ");
	else
		add(&l, "proto %u ", proto);
	ports = proto == MR_IP_PROTO_TCP || proto == MR_IP_PROTO_UDP;
	address(&l, key->src, six, ports, key->sport);
	add(&l, " > ");
	address(&l, key->dst, six, ports, key->dport);
	if (proto == (six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP))
		add(&l, " echo %s id %u",
		    type == (six ? MR_ICMP6_ECHO : MR_ICMP4_ECHO) ? "request" : "reply",
		    mr_be16(key->sport));
	if (MR_FLOW_INSIDE(key->pair))
		add(&l, " inside %u", MR_FLOW_INSIDE(key->pair));
	if (key->pair)
		add(&l, " pair %u", MR_FLOW_PAIR(key->pair));
	return l.len;
}
