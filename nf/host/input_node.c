/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host-input: what the kernel sends on a twin leaves by the twin's interface, as it is; on
 * a VLAN's interface with the tag. TCP that the host takes part in is noted on the way:
 * what comes back in these sessions has classes of its own in ip-local.
 */
#include "kit/packet/parse.h"
#include "nf/host/host.h"

#define HEADER 14u
#define TAGS 8u /* what the kernel may add itself: a VLAN of ours with one of its own inside */

/* A session stands when the host goes on with it. Offsets behind options are not looked
 * for: such TCP stays among the new. */
mr_inline void
note_session(struct mr_host *h, const struct mr_packet *p, unsigned vrf)
{
	const uint8_t *bytes = mr_packet_bytes_const(p), *l4, *peer;
	unsigned type = mr_load_be16(bytes + 12), family;

	if (type == MR_ETH_TYPE_IP4 && p->len >= HEADER + 20 + 20 && bytes[HEADER] == 0x45 &&
	    bytes[HEADER + 9] == MR_IP_PROTO_TCP && !(mr_load_be16(bytes + HEADER + 6) & 0x3fff)) {
		peer = bytes + HEADER + offsetof(struct mr_ip4, dst);
		l4 = bytes + HEADER + 20;
		family = 4;
	} else if (type == MR_ETH_TYPE_IP6 && p->len >= HEADER + 40 + 20 &&
	    bytes[HEADER + 6] == MR_IP_PROTO_TCP) {
		peer = bytes + HEADER + offsetof(struct mr_ip6, dst);
		l4 = bytes + HEADER + 40;
		family = 6;
	} else {
		return;
	}
	if (l4[13] & (MR_TCP_SYN | MR_TCP_RST | MR_TCP_FIN))
		return;
	/* Relaxed: which of the two sets it is matters to nobody. */
	mr_host_set_add(&h->sessions[atomic_load_explicit(&h->young, memory_order_relaxed)],
	    mr_host_session_key(h, vrf, family, peer, mr_load_be16(l4 + 2), mr_load_be16(l4)));
}

mr_inline mr_verdict_t
send(struct mr_node_run *run, struct mr_recorder *rec, struct mr_packet *p)
{
	struct mr_host *h = run->self;
	unsigned index =
	    atomic_load_explicit(&h->interface_of[p->port % MR_PORT_MAX], memory_order_relaxed);
	const struct mr_ip_interface *in = &h->ip->interfaces[index];
	unsigned port = mr_ip_port(in);

	if (mr_unlikely(!index))
		return mr_verdict_drop(MR_HOST_INPUT_NO_INTERFACE);
	if (mr_unlikely(
		port >= run->port_count || !run->ports[port].up || !(mr_ip_flags(in) & MR_IP_UP)))
		return mr_verdict_drop(MR_HOST_INPUT_DOWN);
	if (mr_unlikely(p->len < HEADER))
		return mr_verdict_drop(MR_HOST_INPUT_SHORT);
	if (mr_unlikely(
		p->total > run->ports[port].mtu + HEADER + TAGS && !(p->flags & MR_PACKET_GSO)))
		return mr_verdict_drop(MR_HOST_INPUT_TOO_BIG);
	if (!mr_record_is_dry(rec)) {
		note_session(h, p, mr_ip_vrf(in));
		mr_node_count(run, MR_HOST_INPUT_SENT, 1);
	}
	if (mr_ip_vlan(in)) {
		const be16_t tag[2] = { mr_be16(MR_ETH_TYPE_VLAN), mr_be16(mr_ip_vlan(in)) };

		if (mr_unlikely(!mr_edit_push(rec, p, 12, sizeof(tag))))
			return mr_verdict_drop(MR_HOST_INPUT_NO_HEADROOM);
		mr_edit_set(rec, p, 12, tag, sizeof(tag));
		if (!mr_record_is_dry(rec))
			mr_node_count(run, MR_HOST_INPUT_TAGGED, 1);
	}
	mr_record_note(rec, p, "interface", index);
	mr_record_uncacheable(rec, p, "from the host");
	return mr_verdict_output(port);
}

mr_inline void
input_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		verdicts[i] = send(run, rec, mr_packet_at(run->base, packets[i]));
}
MR_NODE_FUNCTIONS(input)

static const struct mr_named drops[] = {
	[MR_HOST_INPUT_NO_INTERFACE] = { "no-interface", "from a twin that is no interface's" },
	[MR_HOST_INPUT_DOWN] = { "host-interface-down", "by an interface that is down" },
	[MR_HOST_INPUT_TOO_BIG] = { "too-big", "larger than the interface takes" },
	[MR_HOST_INPUT_SHORT] = { "too-short", "shorter than an Ethernet header" },
	[MR_HOST_INPUT_NO_HEADROOM] = { "no-headroom", "no room for the interface's tag" },
};
static const struct mr_named counters[] = {
	[MR_HOST_INPUT_SENT] = { "sent", "packets of the host that went out" },
	[MR_HOST_INPUT_TAGGED] = { "tagged", "among them with the tag of a VLAN's interface" },
};

const struct mr_node_class mr_host_input_class = {
	.name = "host-input",
	.doc = "what the kernel sends on twins, out by their interfaces",
	.drops = drops,
	.drop_count = MR_HOST_INPUT_DROPS,
	.counters = counters,
	.counter_count = MR_HOST_INPUT_COUNTERS,
	MR_NODE_RUN(input),
};
