/* SPDX-License-Identifier: Apache-2.0 */
/* Which mapping the packet belongs to that an ICMP error quotes (RFC 5508, REQ-4 and REQ-5). */
#include "nf/nat/translate_int.h"

uint32_t
nat_quoted_inward(const struct nat_pass *s, const struct nat_instance *n,
    const struct nat_packet *k, struct nat_found *f)
{
	uint32_t number, word;

	if (n->fixed && nat_fixed(s, n, k->quoted_src, NAT_SCOPE_FIXED_IN, f))
		return NAT_DONE;
	if (k->quoted_proto != MR_IP_PROTO_TCP && k->quoted_proto != MR_IP_PROTO_UDP &&
	    !(k->quoted_proto == MR_IP_PROTO_ICMP && k->quoted_query))
		return NAT_DROP_NO_MAPPING;
	number = nat_find_outside(s, n, k->quoted_src, k->quoted_sport, k->quoted_proto,
	    k->quoted_dst, k->quoted_dport, &word);
	if (!number)
		return NAT_DROP_NO_MAPPING;
	nat_inside_of(s, number, f);
	if ((word & (NAT_STATIC | NAT_SELF)) || n->filtering == NAT_ENDPOINT_INDEPENDENT)
		return NAT_DONE;
	return nat_find_session(s, number,
		   nat_session_of(n, k->quoted_dst, k->quoted_dport, k->quoted_proto), &word)
	    ? NAT_DONE
	    : NAT_DROP_FILTERED;
}

uint32_t
nat_quoted_outward(const struct nat_pass *s, const struct nat_instance *n,
    const struct nat_packet *k, struct nat_found *f)
{
	struct nat_name name = {
		.inside = NAT_INSIDE(k->quoted_dst, k->quoted_dport, k->quoted_proto, n->number),
		.scope = nat_scope_of(n, k->quoted_src, k->quoted_sport, k->quoted_proto),
	};
	uint64_t outside;
	uint32_t number, word;

	if (n->fixed && nat_fixed(s, n, k->quoted_dst, NAT_SCOPE_FIXED_OUT, f))
		return NAT_DONE;
	if (k->quoted_proto != MR_IP_PROTO_TCP && k->quoted_proto != MR_IP_PROTO_UDP &&
	    !(k->quoted_proto == MR_IP_PROTO_ICMP && !k->quoted_query))
		return NAT_DROP_NO_MAPPING;
	number = nat_find_mapping(s, n, &name, nat_hash(s->table, &name), &word);
	if (!number)
		return NAT_DROP_NO_MAPPING;
	outside = atomic_load_explicit(&s->table->entries[number].outside, memory_order_relaxed);
	*f = (struct nat_found){ .address = NAT_ADDRESS(outside),
		.port = NAT_PORT_OF(outside),
		.ports = true,
		.mapping = number };
	return NAT_DONE;
}

bool
nat_is_mapped(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k)
{
	struct nat_name name;
	uint32_t word;

	nat_name_of(n, k, &name);
	return nat_find_mapping(s, n, &name, nat_hash(s->table, &name), &word) != 0;
}
