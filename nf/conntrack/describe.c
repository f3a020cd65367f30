/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "kit/packet/print.h"
#include "nf/conntrack/conntrack_int.h"

size_t
ct_proto_print(uint8_t proto, char *text, size_t size)
{
	const char *name = mr_ip_proto_name(proto);

	return (
	    size_t)(name ? snprintf(text, size, "%s", name) : snprintf(text, size, "%u", proto));
}

void
ct_end_print(const struct ct_key *key, unsigned end, char *text, size_t size)
{
	bool six = CT_KEY_FLAGS(key) & CT_KEY_SIX;

	if (!inet_ntop(six ? AF_INET6 : AF_INET, &key->w[2 * end], text, (socklen_t)size))
		snprintf(text, size, "?");
}

size_t
ct_key_print(const struct ct_key *key, bool swapped, char *text, size_t size)
{
	uint8_t proto = CT_KEY_PROTO(key);
	uint16_t from = CT_KEY_PORT(key, swapped), to = CT_KEY_PORT(key, !swapped);
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], name[16];
	bool six = CT_KEY_FLAGS(key) & CT_KEY_SIX;

	ct_end_print(key, swapped, src, sizeof(src));
	ct_end_print(key, !swapped, dst, sizeof(dst));
	ct_proto_print(proto, name, sizeof(name));
	if (proto == MR_IP_PROTO_ICMP || proto == MR_IP_PROTO_ICMP6)
		return (size_t)snprintf(text, size, "%s %s > %s type %u id %u", name, src, dst,
		    to >> 8, from);
	if (!from && !to)
		return (size_t)snprintf(text, size, "%s %s > %s", name, src, dst);
	return (size_t)snprintf(text, size, six ? "%s [%s]:%u > [%s]:%u" : "%s %s:%u > %s:%u", name,
	    src, from, dst, to);
}

/* "connection tcp 10.0.0.1:1024 > 192.0.2.1:80: established, reply" */
bool
ct_describe(const struct ct_core *core, const struct mr_op *op, char *text, size_t size)
{
	const char *state;
	struct ct_key key;
	uint32_t index = (uint32_t)op->a & MR_TRACK_CONNECTION, word;
	char name[160];

	if (op->kind != MR_OP_NOTE || !op->text || strncmp(op->text, CT_NOTE " ", 11) != 0)
		return false;
	state = op->text + 11;
	word = index && core
	    ? atomic_load_explicit(&core->table->lines[index].word, memory_order_acquire)
	    : 0;
	if (!(word & CT_LIVE)) {
		snprintf(text, size,
		    strcmp(state, "new") == 0 ? "no connection yet: %s" : "no connection: %s",
		    state);
		return true;
	}
	ct_key_load(&core->table->cold[index], &key);
	ct_key_print(&key, word & CT_SWAPPED, name, sizeof(name));
	snprintf(text, size, "connection %s: %s%s", name, state, op->a >> 32 ? ", reply" : "");
	return true;
}
