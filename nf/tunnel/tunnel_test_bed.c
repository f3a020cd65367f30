/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/tunnel/tunnel_test_int.h"

#include <arpa/inet.h>

#include "model/state.h"

static const char network[] =
    "system: {buffers: 8192}\n"
    "interface: {a: {driver: \"null\", mtu: 1950}, b: {driver: \"null\", mtu: %u}, c: {driver: "
    "\"null\", mtu: 1950%s}, d: {driver: \"null\", mtu: 1950}, e: {driver: \"null\", mtu: 1950}, "
    "f: "
    "{driver: \"null\", mtu: 1950}%s}\n"
    "router:\n"
    "  r:\n"
    "    icmp:\n"
    "      errors: {rate: 100000000, burst: 1000000, destination-rate: 100000000, "
    "destination-burst: 1000000}\n"
    "      echo-rate: 100000000\n"
    "    interface:\n"
    "      a: {mac: \"02:00:00:00:aa:01\", address: [10.0.0.1/24, \"2001:db8:0::1/64\"], "
    "redirects: false, neighbor: {duplicate-detection: false}}\n"
    "      b%s: {%smac: \"02:00:00:00:aa:02\", address: [10.9.0.1/24, \"2001:db8:9::1/64\"], "
    "redirects: false, neighbor: {duplicate-detection: false}}\n"
    "%s"
    "    neighbor:\n"
    "      static:\n"
    "        10.0.0.9: {interface: a, mac: \"02:00:00:00:00:09\"}\n"
    "        \"2001:db8:0::9\": {interface: a, mac: \"02:00:00:00:00:09\"}\n"
    "        10.9.0.2: {interface: b%s, mac: \"02:00:00:00:09:02\"}\n"
    "        \"2001:db8:9::2\": {interface: b%s, mac: \"02:00:00:00:09:02\"}\n"
    "%s"
    "    route:\n"
    "      192.0.2.0/24: {via: 10.9.0.2}\n"
    "      \"2001:db8:ff::/64\": {via: \"2001:db8:9::2\"}\n"
    "%s%s";

static const char *
or_nothing(const char *text)
{
	return text ? text : "";
}

const char *
tn_text(const struct tn_conf *c)
{
	static char text[BED_TEXT_MAX];
	const char *name = or_nothing(c->underlay);
	char parent[64] = "";

	if (*name)
		snprintf(parent, sizeof(parent), "parent: b, vlan: %s, ", name + 1);
	snprintf(text, sizeof(text), network, c->mtu ? c->mtu : 1950, or_nothing(c->crossed),
	    or_nothing(c->interfaces), name, parent, or_nothing(c->routed), name, name,
	    or_nothing(c->neighbors), or_nothing(c->routes), or_nothing(c->all));
	return text;
}

void
tn_open(struct tn_bed *t, const struct tn_conf *c)
{
	memset(t, 0, sizeof(*t));
	t->out = calloc(TN_OUT, sizeof(*t->out));
	assert_non_null(t->out);
	t->b = bed_open(tn_text(c), TN_LANES, BED_PLANES);
	/* What leaves is finished. */
	for (unsigned k = 0; k < BED_PLANES; k++)
		for (unsigned p = 0; p < BED_PORTS; p++)
			t->b->planes[k].ports[p].port->caps &=
			    ~(uint32_t)(MR_PORT_TX_CSUM | MR_PORT_TX_GSO);
	bed_apply(t->b, tn_text(c), TN_LANES);
	/* Link-local addresses are examined, routers advertised. */
	for (unsigned i = 0; i < 4; i++)
		bed_tick(t->b, 1000);
}

void
tn_apply(struct tn_bed *t, const struct tn_conf *c)
{
	bed_apply(t->b, tn_text(c), TN_LANES);
	bed_run(t->b);
}

void
tn_close(struct tn_bed *t)
{
	bed_compare(t->b, true);
	bed_close(t->b);
	free(t->out);
}

/* -- packets -------------------------------------------------------------------------------- */

void
tn_give_as(struct tn_bed *t, const struct tn_frame *f, const struct tn_meta *m)
{
	assert_true(bed_give(t->b, f->port, f->bytes, f->len, m->split, m->flags));
	for (unsigned k = 0; k < BED_PLANES; k++) {
		const struct bed_port *bp = &t->b->planes[k].ports[f->port];
		struct mr_packet *p =
		    mr_packet_at(t->b->planes[k].buffers->base, bp->waiting[bp->wait_count - 1]);

		p->csum_start = (uint16_t)m->csum_start;
		p->csum_offset = (uint16_t)m->csum_offset;
		p->gso_size = (uint16_t)m->gso_size;
	}
}

void
tn_give(struct tn_bed *t, const struct tn_frame *f)
{
	static const struct tn_meta none;

	tn_give_as(t, f, &none);
}

void
tn_run(struct tn_bed *t)
{
	const struct bed_plane *plane = &t->b->planes[BED_GRAPH];

	for (unsigned k = 0; k < BED_PLANES; k++)
		for (unsigned idle = 0; idle < 2;)
			idle = mr_graph_pass(t->b->planes[k].graph, 0) ? 0 : idle + 1;
	bed_compare_sent(t->b);
	t->out_count = 0;
	for (size_t i = 0; i < plane->sent_count; i++) {
		struct tn_frame *f = &t->out[t->out_count++];

		assert_true(t->out_count <= TN_OUT);
		f->port = plane->sent[i].port;
		f->len = plane->sent[i].len;
		assert_true(f->len <= sizeof(f->bytes));
		memcpy(f->bytes, plane->bytes + plane->sent[i].at, f->len);
	}
	for (unsigned k = 0; k < BED_PLANES; k++)
		t->b->planes[k].sent_count = t->b->planes[k].byte_count = 0;
}

const struct tn_frame *
tn_one(struct tn_bed *t, const struct tn_frame *f)
{
	tn_give(t, f);
	tn_run(t);
	assert_true(t->out_count <= 1);
	return t->out_count ? &t->out[0] : NULL;
}

unsigned
tn_left(const struct tn_bed *t, unsigned port, const struct tn_frame **one)
{
	unsigned n = 0;

	*one = NULL;
	for (unsigned i = 0; i < t->out_count; i++) {
		if (t->out[i].port != port)
			continue;
		n++;
		*one = &t->out[i];
	}
	return n;
}

uint64_t
tn_replayed(const struct tn_bed *t)
{
	return bed_lane_count(t->b, MR_LANE_COUNT_REPLAYED);
}

/* -- counters ------------------------------------------------------------------------------- */

uint64_t
tn_packets(const struct tn_bed *t, const char *class)
{
	const struct mr_graph *graph = t->b->planes[BED_GRAPH].graph;
	struct mr_node_stats s;
	uint64_t sum = 0;

	for (unsigned n = 0; n < mr_graph_node_count(graph); n++)
		if (!mr_graph_node_stats(graph, (uint16_t)n, &s) && !strcmp(s.class->name, class))
			sum += s.packets;
	return sum;
}

static uint64_t
sum_of(const struct tn_bed *t, const char *class, const char *name, bool drops)
{
	const struct mr_graph *graph = t->b->planes[BED_GRAPH].graph;
	struct mr_node_stats s;
	uint64_t sum = 0;
	bool known = false;

	for (unsigned n = 0; n < mr_graph_node_count(graph); n++) {
		if (mr_graph_node_stats(graph, (uint16_t)n, &s) || strcmp(s.class->name, class))
			continue;
		for (unsigned i = 0; i < (drops ? s.class->drop_count : s.class->counter_count);
		     i++) {
			if (strcmp((drops ? s.class->drops : s.class->counters)[i].name, name))
				continue;
			known = true;
			sum += (drops ? s.drops : s.counters)[i];
		}
	}
	if (!known)
		fail_msg("no node %s has a %s %s", class, drops ? "reason" : "counter", name);
	return sum;
}

uint64_t
tn_drops(const struct tn_bed *t, const char *class, const char *reason)
{
	return sum_of(t, class, reason, true);
}

uint64_t
tn_count(const struct tn_bed *t, const char *class, const char *counter)
{
	return sum_of(t, class, counter, false);
}

char *
tn_shown(const struct tn_bed *t, const char *function)
{
	struct mr_error error = { 0 };
	struct mr_state *st;
	const char *text;
	size_t size;
	char *copy;

	assert_int_equal(mr_state_create(&st, t->b->model, MR_STATE_PLAIN), 0);
	assert_int_equal(mr_dataplane_show(t->b->planes[BED_GRAPH].dp, function, st), 0);
	if (mr_state_finish(st, &text, &size, &error))
		fail_msg("%s", error.text);
	copy = strdup(text);
	mr_state_destroy(st);
	assert_non_null(copy);
	return copy;
}

/* -- frames --------------------------------------------------------------------------------- */

void
tn_mac(uint8_t *to, unsigned number)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, (uint8_t)(number >> 8), (uint8_t)number };

	memcpy(to, mac, 6);
}

uint16_t
tn_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

void
tn_put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

uint16_t
tn_sum(const uint8_t *bytes, unsigned len, uint32_t start)
{
	uint64_t sum = start;

	for (unsigned i = 0; i < len; i++)
		sum += (uint64_t)bytes[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

bool
tn_address(const char *text, uint8_t *to)
{
	bool six = strchr(text, ':') != NULL;

	assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, text, to), 1);
	return six;
}

/* Of the pseudo-header of IP at `ip`. */
static uint32_t
pseudo(const uint8_t *ip, unsigned proto, unsigned len)
{
	bool six = ip[0] >> 4 == 6;

	return tn_sum(ip + (six ? 8 : 12), six ? 32 : 8, proto + len);
}

static unsigned
write_ip(uint8_t *ip, const char *src, const char *dst, unsigned proto, unsigned class,
    unsigned ttl, bool df, unsigned len)
{
	bool six = strchr(src, ':') != NULL;

	memset(ip, 0, six ? 40 : 20);
	if (six) {
		ip[0] = (uint8_t)(0x60 | class >> 4);
		ip[1] = (uint8_t)(class << 4);
		tn_put16(ip + 4, len);
		ip[6] = (uint8_t)proto;
		ip[7] = (uint8_t)ttl;
		tn_address(src, ip + 8);
		tn_address(dst, ip + 24);
		return 40;
	}
	ip[0] = 0x45;
	ip[1] = (uint8_t) class;
	tn_put16(ip + 2, 20 + len);
	tn_put16(ip + 6, df ? 0x4000 : 0);
	ip[8] = (uint8_t)ttl;
	ip[9] = (uint8_t)proto;
	tn_address(src, ip + 12);
	tn_address(dst, ip + 16);
	tn_put16(ip + 10, (uint16_t)~tn_sum(ip, 20, 0));
	return 20;
}

void
tn_build(struct tn_frame *f, unsigned port, const struct tn_talk *t, unsigned payload)
{
	unsigned head = t->tcp ? 20 : 8, proto = t->tcp ? 6 : 17, at = t->tcp ? 16 : 6, len;
	uint8_t *ip = f->bytes + 14, *l4;

	memset(f, 0, sizeof(*f));
	f->port = port;
	tn_mac(f->bytes, t->to);
	tn_mac(f->bytes + 6, t->from);
	l4 = ip + write_ip(ip, t->src, t->dst, proto, t->class, 64, true, head + payload);
	tn_put16(f->bytes + 12, ip[0] >> 4 == 6 ? 0x86dd : 0x0800);
	len = head + payload;
	f->len = (unsigned)(l4 - f->bytes) + len;
	assert_true(f->len <= sizeof(f->bytes));
	tn_put16(l4, t->sport);
	tn_put16(l4 + 2, t->dport);
	if (t->tcp) {
		l4[12] = 5 << 4;
		l4[13] = 0x10;
	} else {
		tn_put16(l4 + 4, len);
	}
	for (unsigned i = head; i < len; i++)
		l4[i] = (uint8_t)(i * 7 + payload);
	tn_put16(l4 + at, (uint16_t)~tn_sum(l4, len, pseudo(ip, proto, len)));
}

void
tn_unfinish(struct tn_frame *f, unsigned l3, struct tn_meta *m)
{
	uint8_t *ip = f->bytes + l3;
	bool six = ip[0] >> 4 == 6;
	unsigned l4 = l3 + (six ? 40 : (ip[0] & 15u) * 4), proto = ip[six ? 6 : 9];

	m->flags |= MR_PACKET_CSUM_PARTIAL;
	m->csum_start = l4;
	m->csum_offset = proto == 6 ? 16 : 6;
	tn_put16(f->bytes + l4 + m->csum_offset, pseudo(ip, proto, f->len - l4));
}

void
tn_tag(struct tn_frame *f, unsigned vlan)
{
	memmove(f->bytes + 16, f->bytes + 12, f->len - 12);
	tn_put16(f->bytes + 12, 0x8100);
	tn_put16(f->bytes + 14, vlan);
	f->len += 4;
}

void
tn_route(struct tn_frame *f, unsigned to, unsigned from)
{
	uint8_t *ip = f->bytes + 14;

	tn_mac(f->bytes, to);
	tn_mac(f->bytes + 6, from);
	if (ip[0] >> 4 == 6) {
		ip[7]--;
		return;
	}
	ip[8]--;
	tn_put16(ip + 10, 0);
	tn_put16(ip + 10, (uint16_t)~tn_sum(ip, 20, 0));
}

void
tn_check_sums(const uint8_t *frame, unsigned len)
{
	unsigned at = 14, type = tn_get16(frame + 12), proto, l4len;
	const uint8_t *ip, *l4;

	while (type == 0x8100) {
		type = tn_get16(frame + at + 2);
		at += 4;
	}
	if (type != 0x0800 && type != 0x86dd)
		return;
	ip = frame + at;
	if (ip[0] >> 4 == 4)
		assert_int_equal(tn_sum(ip, (ip[0] & 15u) * 4, 0), 0xffff);
	l4 = ip + (ip[0] >> 4 == 6 ? 40 : (ip[0] & 15u) * 4);
	proto = ip[ip[0] >> 4 == 6 ? 6 : 9];
	l4len = ip[0] >> 4 == 6 ? tn_get16(ip + 4) : tn_get16(ip + 2) - (unsigned)(l4 - ip);
	assert_true((unsigned)(l4 - frame) + l4len <= len);
	if (proto == 6 || (proto == 17 && tn_get16(l4 + 6)))
		assert_int_equal(tn_sum(l4, l4len, pseudo(ip, proto, l4len)), 0xffff);
}

/* -- the oracle ----------------------------------------------------------------------------- */

void
tn_wrap(struct tn_frame *f, const struct tn_head *h, uint16_t sport, const struct tn_frame *inner)
{
	unsigned at = 14, len = inner->len + 16;
	bool six = strchr(h->src, ':') != NULL;
	uint8_t *ip, *udp;

	memset(f, 0, sizeof(*f));
	f->port = h->port;
	tn_mac(f->bytes, h->to);
	tn_mac(f->bytes + 6, h->from);
	if (h->vlan) {
		tn_put16(f->bytes + 12, 0x8100);
		tn_put16(f->bytes + 14, h->vlan);
		at = 18;
	}
	tn_put16(f->bytes + at - 2, six ? 0x86dd : 0x0800);
	ip = f->bytes + at;
	udp = ip + write_ip(ip, h->src, h->dst, 17, h->class, h->ttl, !h->may_cut, len);
	tn_put16(udp, sport);
	tn_put16(udp + 2, h->udp);
	tn_put16(udp + 4, len);
	udp[8] = 8;
	udp[12] = (uint8_t)(h->vni >> 16);
	tn_put16(udp + 13, h->vni);
	assert_true(inner->len <= sizeof(f->bytes) - (size_t)(udp + 16 - f->bytes));
	memcpy(udp + 16, inner->bytes, inner->len);
	f->len = (unsigned)(udp - f->bytes) + len;
	if (h->checksum) {
		uint16_t sum = (uint16_t)~tn_sum(udp, len, pseudo(ip, 17, len));

		tn_put16(udp + 6, sum ? sum : 0xffff);
	}
}

const uint8_t *
tn_unwrap(const struct tn_frame *f, const struct tn_head *h, unsigned *len, uint16_t *sport)
{
	unsigned around = (strchr(h->src, ':') ? TN_ROUND6 : TN_ROUND4) + (h->vlan ? 4 : 0);
	struct tn_frame inner, want;
	uint8_t *ip = want.bytes + (h->vlan ? 18 : 14);
	const uint8_t *got;

	assert_non_null(f);
	assert_int_equal(f->port, h->port);
	assert_true(f->len >= around + 14);
	inner.len = f->len - around;
	memcpy(inner.bytes, f->bytes + around, inner.len);
	*sport = tn_get16(f->bytes + around - 16);
	assert_true(*sport >= 49152);
	tn_wrap(&want, h, *sport, &inner);
	got = f->bytes + (ip - want.bytes);
	if (ip[0] >> 4 == 6) {
		/* A flow's label, RFC 6437. */
		ip[1] |= got[1] & 15;
		memcpy(ip + 2, got + 2, 2);
	}
	for (unsigned i = 0; i < f->len; i++)
		if (f->bytes[i] != want.bytes[i])
			fail_msg("byte %u of %u: %02x, not %02x", i, f->len, f->bytes[i],
			    want.bytes[i]);
	assert_int_equal(f->len, want.len);
	*len = inner.len;
	return f->bytes + around;
}

uint16_t
tn_check(const struct tn_frame *f, const struct tn_head *h, const struct tn_frame *inner)
{
	const uint8_t *got;
	uint16_t sport;
	unsigned len;

	got = tn_unwrap(f, h, &len, &sport);
	assert_int_equal(len, inner->len);
	for (unsigned i = 0; i < len; i++)
		if (got[i] != inner->bytes[i])
			fail_msg("byte %u of %u within: %02x, not %02x", i, len, got[i],
			    inner->bytes[i]);
	return sport;
}

void
tn_settle(struct tn_frame *f)
{
	uint8_t *ip = f->bytes + 14;
	bool six = ip[0] >> 4 == 6;
	unsigned head = six ? 40 : (ip[0] & 15u) * 4, len = f->len - 14 - head;

	tn_put16(ip + (six ? 4 : 2), six ? len : head + len);
	tn_put16(ip + head + 4, len);
	if (six)
		return;
	tn_put16(ip + 10, 0);
	tn_put16(ip + 10, (uint16_t)~tn_sum(ip, head, 0));
}

void
tn_piece(struct tn_frame *f, const struct tn_frame *whole, unsigned offset, unsigned len,
    unsigned id)
{
	bool six = whole->bytes[14] >> 4 == 6;
	unsigned head = 14 + (six ? 40 : 20), rest = whole->len - head - offset, more;
	uint8_t *ip = f->bytes + 14;

	len = MR_MIN(len, rest);
	more = len < rest;
	memcpy(f->bytes, whole->bytes, head);
	f->port = whole->port;
	if (six) {
		memset(f->bytes + head, 0, 8);
		f->bytes[head] = ip[6];
		ip[6] = MR_IP_PROTO_FRAGMENT;
		tn_put16(f->bytes + head + 2, offset | more);
		tn_put16(f->bytes + head + 6, id);
		head += 8;
		tn_put16(ip + 4, 8 + len);
	} else {
		tn_put16(ip + 2, 20 + len);
		tn_put16(ip + 4, id);
		tn_put16(ip + 6, offset / 8 | more << 13);
		tn_put16(ip + 10, 0);
		tn_put16(ip + 10, (uint16_t)~tn_sum(ip, 20, 0));
	}
	memcpy(f->bytes + head, whole->bytes + 14 + (six ? 40 : 20) + offset, len);
	f->len = head + len;
}
