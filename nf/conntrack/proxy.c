/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/conntrack/proxy_int.h"

#include <string.h>

#include "kit/packet/checksum.h"
#include "nf/conntrack/tcp_inl.h"

#define STEP 64u     /* seconds that a cookie's clock stands still; it is good for one to two */
#define OUR_SCALE 7u /* of the windows that the client is told */
#define NO_SCALE 15u
#define MAC_BITS 24

static const uint16_t sizes[2][8] = {
	{ 536, 1200, 1300, 1400, 1440, 1452, 1460, 8960 },
	{ 1220, 1300, 1360, 1380, 1400, 1420, 1440, 8940 },
};

/* -- headers ------------------------------------------------------------------------------ */

struct header {
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t win;
	uint16_t mss;  /* 0: no option */
	uint8_t scale; /* NO_SCALE: no option */
};

static uint8_t *
tcp_of(const struct ct_packet *k, struct mr_packet *p)
{
	return mr_packet_bytes(p) + k->l4;
}

static void
sum_up(const struct ct_packet *k, struct mr_packet *p, unsigned len)
{
	uint8_t *ip = mr_packet_bytes(p) + k->l3, *tcp = tcp_of(k, p);
	be16_t check;
	be32_t src, dst;
	uint64_t sum;

	memset(tcp + 16, 0, 2);
	if (k->six) {
		sum = mr_checksum_pseudo6(ip + 8, ip + 24, MR_IP_PROTO_TCP, len);
	} else {
		memcpy(&src, ip + 12, 4);
		memcpy(&dst, ip + 16, 4);
		sum = mr_checksum_pseudo4(src, dst, MR_IP_PROTO_TCP, (uint16_t)len);
		check = mr_checksum_ipv4_header((const struct mr_ip4 *)ip);
		memcpy(ip + 10, &check, 2);
	}
	check = mr_checksum_finish(mr_checksum_add(sum, tcp, len));
	memcpy(tcp + 16, &check, 2);
}

/* The packet becomes this header, without data; addresses and ports stay. */
static bool
rewrite(struct mr_node_run *run, uint32_t packet, const struct ct_packet *k, const struct header *h)
{
	struct mr_packet *p = mr_packet_at(run->base, packet);
	unsigned len = 20 + (h->mss ? 4 : 0) + (h->scale != NO_SCALE ? 4 : 0);
	uint8_t *ip, *tcp, *option;

	mr_packet_trim(run->buffers, run->worker, packet, k->l4 + 20u);
	if (p->segments != 1 || p->len != k->l4 + 20u || mr_packet_tailroom(p) < len - 20)
		return false;
	p->len = (uint16_t)(p->len + len - 20);
	p->total = p->len;
	p->flags = (uint16_t)(p->flags &
	    ~(MR_PACKET_CSUM_PARTIAL | MR_PACKET_CSUM_GOOD | MR_PACKET_HASHED | MR_PACKET_GSO));
	ip = mr_packet_bytes(p) + k->l3;
	tcp = tcp_of(k, p);
	mr_store_be32(tcp + 4, h->seq);
	mr_store_be32(tcp + 8, h->ack);
	tcp[12] = (uint8_t)(len << 2);
	tcp[13] = h->flags;
	mr_store_be16(tcp + 14, h->win);
	mr_store_be16(tcp + 18, 0);
	option = tcp + 20;
	if (h->mss) {
		option[0] = 2;
		option[1] = 4;
		mr_store_be16(option + 2, h->mss);
		option += 4;
	}
	if (h->scale != NO_SCALE)
		memcpy(option, (const uint8_t[]){ 1, 3, 3, h->scale }, 4);
	if (k->six)
		mr_store_be16(ip + 4, (uint16_t)(k->l4 - k->l3 - 40u + len));
	else
		mr_store_be16(ip + 2, (uint16_t)(k->l4 - k->l3 + len));
	sum_up(k, p, len);
	return true;
}

/* Back to where it came from. Sums stay as they are, but for the TTL's. */
static void
turn(const struct ct_packet *k, struct mr_packet *p)
{
	uint8_t *bytes = mr_packet_bytes(p), *ip = bytes + k->l3, *tcp = bytes + k->l4;

	mr_bytes_swap(bytes, bytes + 6, 6);
	if (k->six)
		mr_bytes_swap(ip + 8, ip + 24, 16);
	else
		mr_bytes_swap(ip + 12, ip + 16, 4);
	mr_bytes_swap(tcp, tcp + 2, 2);
	ip[k->six ? 7 : 8] = 64;
}

/* -- cookies ------------------------------------------------------------------------------ */

static uint32_t
mac_of(const struct ct_core *core, const struct ct_packet *k, uint32_t isn, uint32_t clock,
    uint8_t said)
{
	struct {
		uint64_t w[CT_KEY_WORDS];
		uint32_t isn, clock, said, swapped;
	} text = { .isn = isn, .clock = clock, .said = said, .swapped = k->swapped };

	memcpy(text.w, k->key.w, sizeof(text.w));
	return (uint32_t)mr_siphash(core->table->key.sip, &text, sizeof(text)) &
	    ((1u << MAC_BITS) - 1);
}

/* The MSS of a SYN, as the largest of the table that is not above it; its window scale. */
static uint8_t
said_in(const struct ct_packet *k, const uint8_t *tcp, const struct ct_segment *s)
{
	unsigned len = (tcp[12] >> 4) * 4u, at = 20, mss = 536, n = 0;

	while (at + 1 < len && tcp[at] != 0) {
		if (tcp[at] == 1) {
			at++;
			continue;
		}
		if (tcp[at + 1] < 2 || at + tcp[at + 1] > len)
			break;
		if (tcp[at] == 2 && tcp[at + 1] == 4)
			mss = mr_load_be16(tcp + at + 2);
		at += tcp[at + 1];
	}
	while (n < 7 && sizes[k->six][n + 1] <= mss)
		n++;
	return (uint8_t)(n << 4 | (s->scales ? s->scale : NO_SCALE));
}

static void
segment(struct ct_segment *s, const struct ct_packet *k, const struct mr_packet *p)
{
	ct_tcp_read(s, mr_packet_bytes_const(p) + k->l4, p->len - k->l4, k->end - k->payload);
}

bool
ct_proxy_wants(const struct ct_side *side, struct mr_node_run *run, const struct ct_packet *k,
    const struct mr_packet *p, bool dry)
{
	struct ct_port *port = side->port;
	uint8_t mode = atomic_load_explicit(&port->proxy, memory_order_relaxed);

	if (mode == CT_PROXY_OFF || side->out || k->proto != MR_IP_PROTO_TCP || k->first ||
	    ct_tcp_kind(mr_packet_bytes_const(p)[k->l4 + 13]) != CT_SYN)
		return false;
	if (mode == CT_PROXY_ON)
		return true;
	return dry ? !mr_meter_ready(&port->syns, run->now)
		   : !mr_meter_take(&port->syns, run->now, 1);
}

bool
ct_proxy_answer(const struct ct_core *core, struct mr_node_run *run, uint32_t packet,
    const struct ct_packet *k)
{
	struct mr_packet *p = mr_packet_at(run->base, packet);
	struct header h = { .flags = MR_TCP_SYN | MR_TCP_ACK, .mss = k->six ? 1440 : 1460 };
	struct ct_segment s;
	uint8_t said;

	segment(&s, k, p);
	said = said_in(k, tcp_of(k, p), &s);
	h.seq = (uint32_t)said << MAC_BITS | mac_of(core, k, s.seq, run->seconds / STEP, said);
	h.ack = s.seq + 1;
	h.scale = s.scales ? OUR_SCALE : NO_SCALE;
	turn(k, p);
	return rewrite(run, packet, k, &h);
}

bool
ct_proxy_returns(const struct ct_core *core, const struct ct_packet *k, const struct mr_packet *p,
    uint32_t seconds)
{
	struct ct_segment s;
	uint32_t cookie, mac;
	uint8_t said;

	segment(&s, k, p);
	if (k->first || ct_tcp_kind(s.flags) != CT_ACK)
		return false;
	cookie = s.ack - 1;
	said = (uint8_t)(cookie >> MAC_BITS);
	mac = cookie & ((1u << MAC_BITS) - 1);
	return mac == mac_of(core, k, s.seq - 1, seconds / STEP, said) ||
	    mac == mac_of(core, k, s.seq - 1, seconds / STEP - 1, said);
}

static void
client_syn(struct header *h, const struct ct_packet *k, uint32_t isn, uint32_t cookie, uint16_t win)
{
	uint8_t said = (uint8_t)(cookie >> MAC_BITS);

	*h = (struct header){ .flags = MR_TCP_SYN,
		.seq = isn,
		.win = win ? win : 1,
		.mss = sizes[k->six][said >> 4 & 7],
		.scale = said & 15 };
}

bool
ct_proxy_open(struct mr_node_run *run, uint32_t packet, const struct ct_packet *k, uint32_t *cookie)
{
	struct mr_packet *p = mr_packet_at(run->base, packet);
	struct ct_segment s;
	struct header h;

	segment(&s, k, p);
	*cookie = s.ack - 1;
	client_syn(&h, k, s.seq - 1, *cookie, s.win);
	return rewrite(run, packet, k, &h);
}

bool
ct_proxy_again(const struct ct_line *c, const struct ct_cold *cold, struct mr_node_run *run,
    uint32_t packet, const struct ct_packet *k)
{
	struct mr_packet *p = mr_packet_at(run->base, packet);
	struct ct_segment s;
	struct header h;

	segment(&s, k, p);
	client_syn(&h, k, c->half[0].end - 1, cold->cookie, s.win);
	return rewrite(run, packet, k, &h);
}

/* -- translation -------------------------------------------------------------------------- */

static void
edit(struct mr_packet *p, uint8_t *tcp, unsigned at, const void *to, unsigned len)
{
	uint32_t from = 0, value = 0;
	be16_t check;

	memcpy(&from, tcp + at, len);
	memcpy(&value, to, len);
	memcpy(tcp + at, to, len);
	/* Until the device sums up, the field has the pseudo-header alone. */
	if (p->flags & MR_PACKET_CSUM_PARTIAL)
		return;
	memcpy(&check, tcp + 16, 2);
	check = mr_checksum_apply(check, mr_checksum_delta32(from, value));
	memcpy(tcp + 16, &check, 2);
}

void
ct_proxy_before(const struct ct_cold *cold, const struct ct_packet *k, struct mr_packet *p,
    unsigned dir)
{
	uint8_t *tcp = tcp_of(k, p);
	be32_t ack;

	if (dir || !(tcp[13] & MR_TCP_ACK))
		return;
	ack = mr_be32(mr_load_be32(tcp + 8) + cold->shift);
	edit(p, tcp, 8, &ack, 4);
}

void
ct_proxy_after(const struct ct_line *c, const struct ct_cold *cold, const struct ct_packet *k,
    struct mr_packet *p, unsigned dir)
{
	unsigned theirs = c->scale >> 4;
	uint8_t *tcp = tcp_of(k, p);
	uint32_t win;
	be32_t seq;
	be16_t said;

	if (!dir)
		return;
	seq = mr_be32(mr_load_be32(tcp + 4) - cold->shift);
	edit(p, tcp, 4, &seq, 4);
	/* The client was told our scale, if it has any. */
	if ((cold->cookie >> MAC_BITS & 15u) == NO_SCALE || (tcp[13] & MR_TCP_SYN))
		return;
	win = ((uint32_t)mr_load_be16(tcp + 14) << theirs) >> OUR_SCALE;
	said = mr_be16(MR_MIN(win, (uint32_t)UINT16_MAX));
	edit(p, tcp, 14, &said, 2);
}

bool
ct_proxy_opened(struct ct_line *c, struct ct_cold *cold, struct mr_node_run *run, uint32_t packet,
    uint32_t reply, const struct ct_packet *k, uint32_t *word)
{
	struct mr_packet *p = mr_packet_at(run->base, packet);
	struct mr_packet *q = mr_packet_at(run->base, reply);
	/* As the client said it with its ACK: the SYN made of that said the same number. */
	uint32_t win = c->half[0].maxwin, theirs;
	struct header h = { .flags = MR_TCP_ACK, .scale = NO_SCALE };
	struct ct_segment s, ack;
	uint8_t timeout;

	segment(&s, k, p);
	cold->shift = s.seq - cold->cookie;
	/* To the server. */
	h.seq = s.ack;
	h.ack = s.seq + 1;
	h.win = (uint16_t)MR_MIN(win, (uint32_t)UINT16_MAX);
	turn(k, q);
	if (!rewrite(run, reply, k, &h))
		return false;
	ack = (struct ct_segment){ .seq = h.seq,
		.ack = h.ack,
		.end = h.seq,
		.win = h.win,
		.flags = MR_TCP_ACK };
	*word |= CT_REPLIED;
	(void)ct_tcp_packet(c, cold, &ack, 0, word, &timeout);
	atomic_store_explicit(&c->timeout, CT_TCP_ESTABLISHED, memory_order_relaxed);
	/* To the client: a SYN/ACK's window is not scaled. */
	theirs = s.win;
	if ((cold->cookie >> MAC_BITS & 15u) != NO_SCALE)
		theirs >>= OUR_SCALE;
	h.seq = cold->cookie + 1;
	h.ack = s.ack;
	h.win = (uint16_t)MR_MAX(theirs, 1u);
	return rewrite(run, packet, k, &h);
}
