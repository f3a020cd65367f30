/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/bridge/bridge_test_int.h"

/* -- the model: an obvious switch ------------------------------------------------------ */

const struct mr_bridge_port *
model_port(const struct switch_model *m, unsigned port)
{
	for (unsigned i = 0; i < m->config.port_count; i++) {
		if (m->ports[i].port == port)
			return &m->ports[i];
	}
	return NULL;
}

static unsigned
native_of(const struct mr_bridge_port *p)
{
	return p->mode == MR_BRIDGE_PLAIN && !p->vlan ? 1 : p->vlan;
}

static unsigned
tpid_of(const struct mr_bridge_port *p)
{
	return p->tpid ? p->tpid : 0x8100;
}

static bool
allowed(const struct switch_model *m, const struct mr_bridge_port *p, unsigned vlan)
{
	if (!m->vlans)
		return true;
	if (vlan < 1 || vlan > 4094)
		return false;
	if (p->mode == MR_BRIDGE_PLAIN)
		return true;
	if (p->mode == MR_BRIDGE_TRUNK && (p->vlans[vlan / 64] >> (vlan % 64) & 1))
		return true;
	return vlan == native_of(p);
}

struct station *
look_up(struct switch_model *m, const uint8_t *mac, unsigned vlan)
{
	for (unsigned i = 0; i < m->station_count; i++) {
		if (!memcmp(m->stations[i].mac, mac, 6) && m->stations[i].vlan == vlan)
			return &m->stations[i];
	}
	return NULL;
}

static unsigned
learned_on(const struct switch_model *m, unsigned port)
{
	unsigned n = 0;

	/* An entry that drops counts on port 0, where the table keeps it. */
	for (unsigned i = 0; i < m->station_count; i++)
		n += (m->stations[i].drop ? 0 : m->stations[i].port) == port;
	return n;
}

/* What the switch makes of a frame that comes in. */
struct seen {
	const struct mr_bridge_port *in;
	unsigned vlan;
	bool tagged;
	int drop; /* -1: none */
};

static struct seen
model_classify(const struct switch_model *m, const struct frame *f, unsigned port)
{
	static const uint8_t zero[6];
	struct seen s = { .in = model_port(m, port), .drop = -1 };
	const uint8_t *b = f->bytes;

	if (!s.in) {
		s.drop = MR_BRIDGE_DROP_NOT_MEMBER;
		return s;
	}
	if (f->len < (m->vlans ? 18 : 14)) {
		s.drop = MR_BRIDGE_DROP_TOO_SHORT;
		return s;
	}
	if ((b[6] & 1) || !memcmp(b + 6, zero, 6)) {
		s.drop = MR_BRIDGE_DROP_SOURCE;
		return s;
	}
	if (!m->vlans)
		return s;
	s.vlan = native_of(s.in);
	if (s.in->mode != MR_BRIDGE_TUNNEL && (unsigned)(b[12] << 8 | b[13]) == tpid_of(s.in)) {
		unsigned vid = (b[14] & 15) << 8 | b[15];

		s.tagged = true;
		if (vid)
			s.vlan = vid;
	}
	if (!s.vlan)
		s.drop = MR_BRIDGE_DROP_UNTAGGED;
	else if (!allowed(m, s.in, s.vlan))
		s.drop = MR_BRIDGE_DROP_VLAN_IN;
	return s;
}

/* Returns true when the frame is to be dropped for it. */
static bool
model_learn(struct switch_model *m, const struct frame *f, const struct seen *s)
{
	struct station *known = look_up(m, f->bytes + 6, s->vlan);
	bool full = s->in->mac_limit && learned_on(m, s->in->port) >= s->in->mac_limit;
	uint32_t most = m->config.mac_limit ? m->config.mac_limit : 65536;

	if (s->in->no_learning)
		return false;
	if (known) {
		if (!known->drop && known->port == s->in->port)
			return false;
		/* The table keeps entries that drop on port 0. */
		if (known->drop && s->in->port == 0)
			return false;
		if (known->fixed) {
			m->counters[MR_BRIDGE_COUNT_STAYED]++;
		} else if (full) {
			m->counters[MR_BRIDGE_COUNT_LIMITED]++;
			return s->in->drop_over_limit;
		} else {
			known->port = s->in->port;
			m->counters[MR_BRIDGE_COUNT_MOVED]++;
		}
		return false;
	}
	if (full) {
		m->counters[MR_BRIDGE_COUNT_LIMITED]++;
		return s->in->drop_over_limit;
	}
	if (m->station_count >= most) {
		m->counters[MR_BRIDGE_COUNT_FULL]++;
		return false;
	}
	m->stations[m->station_count] = (struct station){ .vlan = s->vlan, .port = s->in->port };
	memcpy(m->stations[m->station_count++].mac, f->bytes + 6, 6);
	m->counters[MR_BRIDGE_COUNT_LEARNED]++;
	return false;
}

/* The frame as it leaves on that port; false when it is larger than the port takes. */
static bool
model_rewrite(const struct switch_model *m, const struct frame *f, const struct seen *s,
    const struct mr_bridge_port *to, unsigned mtu, bool gso, struct frame *out)
{
	unsigned rest = s->tagged ? 16 : 12, at = 12, tags = 0, scan;

	memcpy(out->bytes, f->bytes, 12);
	if (m->vlans && s->vlan != native_of(to)) {
		unsigned priority = s->tagged ? f->bytes[14] >> 4 : 0;

		out->bytes[at++] = (uint8_t)(tpid_of(to) >> 8);
		out->bytes[at++] = (uint8_t)tpid_of(to);
		out->bytes[at++] = (uint8_t)(priority << 4 | s->vlan >> 8);
		out->bytes[at++] = (uint8_t)s->vlan;
	}
	memcpy(out->bytes + at, f->bytes + rest, f->len - rest);
	out->len = at + f->len - rest;
	for (scan = 12; tags < 2 && scan + 2 <= out->len; scan += 4, tags++) {
		unsigned type = out->bytes[scan] << 8 | out->bytes[scan + 1];

		if (type != 0x8100 && type != 0x88a8 && type != 0x9100)
			break;
	}
	return gso || out->len - 4 * tags <= mtu + 14;
}

static void
model_send(struct switch_model *m, const struct frame *f, unsigned port)
{
	m->out[port][m->out_count[port]++] = *f;
}

static void
model_flood(struct switch_model *m, struct bed *b, const struct frame *f, const struct seen *s,
    bool gso)
{
	bool to_any = false, last_fits = false;

	for (unsigned i = 0; i < m->config.port_count; i++) {
		const struct mr_bridge_port *to = &m->ports[i];
		struct frame out;

		if (to == s->in || (to->groups & s->in->groups) || !b->up[to->port] ||
		    !allowed(m, to, s->vlan))
			continue;
		/* All but the last are copies. */
		if (to_any)
			m->counters[last_fits ? MR_BRIDGE_COUNT_COPIES
					      : MR_BRIDGE_COUNT_FLOOD_BIG]++;
		to_any = true;
		last_fits = model_rewrite(m, f, s, to, b->sinks[to->port]->port.mtu, gso, &out);
		if (last_fits)
			model_send(m, &out, to->port);
	}
	m->drops[MR_BRIDGE_DROP_NO_TARGET] += !to_any;
	m->drops[MR_BRIDGE_DROP_TOO_BIG] += to_any && !last_fits;
	m->counters[MR_BRIDGE_COUNT_FLOODED] += to_any;
}

static void
model_forward(struct switch_model *m, struct bed *b, const struct frame *f, const struct seen *s,
    bool gso)
{
	static const uint8_t reserved[5] = { 0x01, 0x80, 0xc2, 0, 0 };
	const struct mr_bridge_port *to;
	struct station *known;
	struct frame out;

	if (f->bytes[0] & 1) {
		if (!memcmp(f->bytes, reserved, 5) && f->bytes[5] < 16 &&
		    !(m->config.reserved >> f->bytes[5] & 1))
			m->drops[MR_BRIDGE_DROP_RESERVED]++;
		else
			model_flood(m, b, f, s, gso);
		return;
	}
	known = look_up(m, f->bytes, s->vlan);
	if (known && known->drop) {
		m->drops[MR_BRIDGE_DROP_STATIC_DROP]++;
		return;
	}
	to = known ? model_port(m, known->port) : NULL;
	if (!to)
		model_flood(m, b, f, s, gso);
	else if (to == s->in)
		m->drops[MR_BRIDGE_DROP_SAME_PORT]++;
	else if (!allowed(m, to, s->vlan))
		m->drops[MR_BRIDGE_DROP_VLAN_OUT]++;
	else if (to->groups & s->in->groups)
		m->drops[MR_BRIDGE_DROP_SPLIT_HORIZON]++;
	else if (!b->up[to->port])
		m->drops[MR_BRIDGE_DROP_PORT_DOWN]++;
	else if (!model_rewrite(m, f, s, to, b->sinks[to->port]->port.mtu, gso, &out))
		m->drops[MR_BRIDGE_DROP_TOO_BIG]++;
	else
		model_send(m, &out, to->port);
}

static void
model_part(struct switch_model *m, struct bed *b, const struct frame *frames, const uint16_t *ports,
    const uint16_t *flags, unsigned count)
{
	struct seen seen[MR_BRIDGE_DEPTH];

	for (unsigned i = 0; i < count; i++) {
		seen[i] = model_classify(m, &frames[i], ports[i]);
		if (seen[i].drop < 0 && model_learn(m, &frames[i], &seen[i]))
			seen[i].drop = MR_BRIDGE_DROP_MAC_LIMIT;
	}
	for (unsigned i = 0; i < count; i++) {
		if (seen[i].drop >= 0)
			m->drops[seen[i].drop]++;
		else
			model_forward(m, b, &frames[i], &seen[i], flags[i] & MR_PACKET_GSO);
	}
}

void
model_vector(struct switch_model *m, struct bed *b, const struct frame *frames,
    const uint16_t *ports, const uint16_t *flags, unsigned count)
{
	for (unsigned i = 0; i < count; i += MR_BRIDGE_DEPTH)
		model_part(m, b, frames + i, ports + i, flags + i,
		    MR_MIN(count - i, MR_BRIDGE_DEPTH));
}

/* What stays known when one configuration follows another. */
void
model_configure(struct switch_model *m, const struct switch_model *old)
{
	bool vlans = false;

	for (unsigned i = 0; i < m->config.port_count; i++)
		vlans |= m->ports[i].mode != MR_BRIDGE_PLAIN;
	m->vlans = vlans;
	m->station_count = 0;
	for (unsigned i = 0; i < m->config.static_count; i++) {
		const struct mr_bridge_static *s = &m->statics[i];
		struct station *e = look_up(m, s->mac, s->vlan);

		if (!e)
			e = &m->stations[m->station_count++];
		*e = (struct station){ .vlan = s->vlan,
			.port = s->port,
			.fixed = true,
			.drop = s->port == MR_BRIDGE_NO_PORT };
		memcpy(e->mac, s->mac, 6);
	}
	if (!old || old->config.mac_limit != m->config.mac_limit || old->vlans != m->vlans)
		return;
	for (unsigned i = 0; i < old->station_count; i++) {
		const struct station *e = &old->stations[i];
		const struct mr_bridge_port *was = model_port(old, e->port);
		const struct mr_bridge_port *is = model_port(m, e->port);

		if (e->fixed || look_up(m, e->mac, e->vlan) || !was || !is ||
		    was->mode != is->mode || was->vlan != is->vlan ||
		    was->no_learning != is->no_learning ||
		    (is->mode == MR_BRIDGE_TRUNK &&
			memcmp(was->vlans, is->vlans, sizeof(is->vlans))))
			continue;
		m->stations[m->station_count++] = *e;
	}
}
