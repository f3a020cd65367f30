/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Conversations: two ends behind different ports that answer each other, by TCP with its numbers,
 * UDP or ICMP echo, with mistakes: what is lost, repeated, damaged, outside of the window, out of
 * place, in pieces; resets, and ICMP errors about what the other end has sent. Neither end
 * looks at what arrives: rules and routes may swallow it, and the talk goes on.
 */
#include <string.h>

#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"
#include "nf/lanes/lanes_bed_int.h"

/* Numbers of talks' flows, beside those of bed_flows. */
#define NUMBERS 0x10000000u

enum phase { OPENS, ANSWERS, COMPLETES, TALKS, CLOSES, CLOSES_TOO, LAST, OVER };

/* -- who talks to whom -------------------------------------------------------------------- */

/* A port that packets get to from this one. */
static bool
other_port(const struct bed_shape *s, struct bed_random *r, unsigned port, unsigned *other)
{
	for (unsigned tries = 0; tries < 4 * BED_PORTS; tries++) {
		unsigned p = bed_draw(r, BED_PORTS);

		if (p == port || s->use[p] != s->use[port])
			continue;
		if (s->use[p] == BED_CROSSED ? s->which[port] != p : s->which[p] != s->which[port])
			continue;
		*other = p;
		return true;
	}
	return false;
}

static void
address(uint8_t *out, bool six, unsigned net, unsigned host)
{
	memset(out, 0, 16);
	if (six) {
		mr_store_be32(out, 0x20010db8);
		mr_store_be16(out + 4, (uint16_t)net);
		mr_store_be16(out + 14, (uint16_t)host);
	} else {
		mr_store_be32(out, 10u << 24 | net << 16 | host);
	}
}

static void
draw_talk(struct bed_talks *talks, struct bed_talk *t, const struct bed_shape *s,
    struct bed_random *r)
{
	static const uint8_t protos[] = { MR_IP_PROTO_TCP, MR_IP_PROTO_TCP, MR_IP_PROTO_TCP,
		MR_IP_PROTO_UDP, MR_IP_PROTO_ICMP };
	static const uint8_t vlans[] = { 0, 7, 8 };
	unsigned ports[2] = { bed_draw(r, BED_PORTS) }, net;
	bool routed = s->use[ports[0]] == BED_ROUTED;
	uint8_t vlan = vlans[bed_draw(r, 3)];

	memset(t, 0, sizeof(*t));
	if (s->use[ports[0]] == BED_UNUSED || !other_port(s, r, ports[0], &ports[1]))
		return;
	t->there = true;
	t->six = bed_one_in(r, 3);
	t->proto = protos[bed_draw(r, MR_ARRAY_COUNT(protos))];
	if (t->proto == MR_IP_PROTO_ICMP && t->six)
		t->proto = MR_IP_PROTO_ICMP6;
	t->left = (uint16_t)(2 + bed_draw(r, 200));
	t->phase = t->proto != MR_IP_PROTO_TCP || bed_one_in(r, 8) ? TALKS : OPENS;
	for (unsigned e = 0; e < 2; e++) {
		struct bed_flow *f = &t->way[e];

		f->port = (uint8_t)ports[e];
		f->number = NUMBERS | ++talks->next;
		f->six = t->six;
		f->proto = t->proto;
		f->ttl = 64;
		f->from_mac = (uint8_t)bed_draw(r, 3);
		f->sport = (uint16_t)(e ? 80 : 1024 + bed_draw(r, 60000));
		if (s->vlans[f->port])
			f->vlan = routed ? vlans[bed_draw(r, 3)] : vlan;
		net = routed ? BED_SUBNET(f->port, f->vlan) : 50;
		address(f->src, t->six, net, routed ? 9 : 9 + f->port * 4u + f->from_mac);
		t->seq[e] = bed_draw(r, 0x7fffffff) * 2;
	}
	for (unsigned e = 0; e < 2; e++) {
		memcpy(t->way[e].dst, t->way[!e].src, 16);
		t->way[e].dport = t->way[!e].sport;
	}
}

void
bed_talks_draw(struct bed_talks *talks, const struct bed_shape *s, struct bed_random *r,
    unsigned share)
{
	for (unsigned i = 0; i < BED_TALKS; i++)
		if (bed_draw(r, 100) < share)
			draw_talk(talks, &talks->at[i], s, r);
}

/* -- frames ------------------------------------------------------------------------------- */

struct say {
	struct bed *bed;
	struct bed_talk *t;
	const struct bed_shape *s;
	struct bed_random *r;
	unsigned end;
};

/* A frame of this end; the numbers of a TCP segment are still to come. */
static void
make(const struct say *y, unsigned end, unsigned payload, uint8_t *frame, struct bed_made *m)
{
	struct bed_flow *f = &y->t->way[end];
	uint8_t *l4;

	bed_build(f, y->s, f->number, f->serial++, payload, frame, m);
	l4 = frame + m->l4;
	/* The station of a bridge is the talk's other end, and no other. */
	if (y->s->use[f->port] != BED_ROUTED)
		frame[5] = (uint8_t)(y->t->way[!end].port * 4 + y->t->way[!end].from_mac);
	if (f->proto == MR_IP_PROTO_ICMP)
		l4[0] = end ? MR_ICMP4_ECHO_REPLY : MR_ICMP4_ECHO;
	else if (f->proto == MR_IP_PROTO_ICMP6)
		l4[0] = end ? MR_ICMP6_ECHO_REPLY : MR_ICMP6_ECHO;
	else
		return;
	mr_store_be16(l4 + 4, y->t->way[0].sport);
	bed_sum_l4(f, frame + m->l3, l4, m->len - m->l4);
}

/* Two pieces, or only one of them, or in the wrong order. */
static void
give_pieces(const struct say *y, uint8_t *frame, const struct bed_made *m)
{
	uint8_t second[BED_FRAME_MAX + 64];
	unsigned port = y->t->way[y->end].port, cut = m->l4 + 32, which = bed_draw(y->r, 8);
	uint8_t *ip = frame + m->l3, *ip2 = second + m->l3;

	memcpy(second, frame, m->l4);
	memcpy(second + m->l4, frame + cut, m->len - cut);
	mr_store_be16(ip + 2, 20 + 32);
	mr_store_be16(ip + 6, MR_IP4_MORE_FRAGMENTS);
	bed_sum4(ip);
	mr_store_be16(ip2 + 2, (uint16_t)(20 + m->len - cut));
	mr_store_be16(ip2 + 6, 32 / 8);
	bed_sum4(ip2);
	if (which == 1)
		bed_give(y->bed, port, second, m->l4 + m->len - cut, 0, 0);
	if (which != 2)
		bed_give(y->bed, port, frame, cut, 0, 0);
	if (which != 1 && which != 3)
		bed_give(y->bed, port, second, m->l4 + m->len - cut, 0, 0);
}

static void
give(const struct say *y, uint8_t *frame, struct bed_made *m)
{
	const struct bed_flow *f = &y->t->way[y->end];

	if (bed_one_in(y->r, 40) && !f->six && m->len > m->l4 + 60 && bed_may_give_piece(y->bed)) {
		give_pieces(y, frame, m);
		return;
	}
	switch (bed_draw(y->r, 60)) {
	case 0: /* lost */
		return;
	case 1: /* twice */
		bed_give(y->bed, f->port, frame, m->len, 0, 0);
		break;
	case 2: /* damaged */
		frame[m->l4 + 7] ^= 0x10;
		break;
	default:
		break;
	}
	bed_give(y->bed, f->port, frame, m->len, 0, 0);
}

/* An ICMP error about what the other end has sent. */
static void
complain(const struct say *y)
{
	uint8_t frame[BED_FRAME_MAX + 64], other[BED_FRAME_MAX + 64];
	struct bed_flow *f = &y->t->way[y->end];
	unsigned quote = (f->six ? 40 : 20) + 8;
	uint8_t proto = f->proto;
	struct bed_made m, of;

	make(y, !y->end, 20, other, &of);
	f->proto = f->six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP;
	make(y, y->end, quote, frame, &m);
	frame[m.l4] = f->six ? MR_ICMP6_UNREACHABLE : MR_ICMP4_UNREACHABLE;
	frame[m.l4 + 1] = (uint8_t)bed_draw(y->r, 5);
	memset(frame + m.l4 + 4, 0, 4);
	memcpy(frame + m.l4 + 8, other + of.l3, quote);
	bed_sum_l4(f, frame + m.l3, frame + m.l4, m.len - m.l4);
	f->proto = proto;
	bed_give(y->bed, f->port, frame, m.len, 0, 0);
}

/* -- TCP ---------------------------------------------------------------------------------- */

static void
segment(const struct say *y, uint8_t flags, unsigned payload)
{
	static const uint8_t options[12] = { 2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 1, 1 };
	struct bed_talk *t = y->t;
	const struct bed_flow *f = &t->way[y->end];
	bool syn = flags & MR_TCP_SYN, mistake = bed_one_in(y->r, 50);
	uint8_t frame[BED_FRAME_MAX + 64], *l4;
	uint32_t seq = t->seq[y->end], ack = flags & MR_TCP_ACK ? t->seq[!y->end] : 0;
	unsigned len;
	struct bed_made m;

	make(y, y->end, payload + (syn ? 12 : 0), frame, &m);
	l4 = frame + m.l4;
	len = m.len - m.l4 - 20;
	if (syn) {
		memcpy(l4 + 20, options, sizeof(options));
		l4[12] = 0x80;
		len -= sizeof(options);
	}
	if (mistake) {
		switch (bed_draw(y->r, 6)) {
		case 0:
			seq += bed_draw(y->r, 0x7fffffff);
			break;
		case 1:
			ack += bed_draw(y->r, 0x7fffffff);
			break;
		case 2:
			flags = (uint8_t)(MR_TCP_RST | (flags & MR_TCP_ACK));
			seq += bed_draw(y->r, 3) * 1000;
			break;
		case 3:
			flags ^= MR_TCP_SYN;
			break;
		case 4:
			flags = (uint8_t)bed_draw(y->r, 64);
			break;
		default:
			seq -= 1 + bed_draw(y->r, 3000); /* once more */
		}
	}
	mr_store_be32(l4 + 4, seq);
	mr_store_be32(l4 + 8, ack);
	l4[13] = flags;
	mr_store_be16(l4 + 14, (uint16_t)(bed_one_in(y->r, 20) ? bed_draw(y->r, 65536) : 2000));
	bed_sum_l4(f, frame + m.l3, l4, m.len - m.l4);
	give(y, frame, &m);
	if (!mistake || bed_draw(y->r, 2))
		t->seq[y->end] += len + syn + !!(flags & MR_TCP_FIN);
}

/* Who speaks next in each phase but TALKS: the first end, or the other. */
static unsigned
turn(const struct bed_talk *t)
{
	switch (t->phase) {
	case ANSWERS:
		return 1;
	case TALKS:
	case CLOSES:
	case LAST:
		return t->speaker;
	case CLOSES_TOO:
		return !t->speaker;
	default:
		return 0;
	}
}

static void
speak_tcp(const struct say *y)
{
	struct bed_talk *t = y->t;
	unsigned n = 1 + bed_draw(y->r, 4);

	switch (t->phase) {
	case OPENS:
		segment(y, MR_TCP_SYN, 0);
		/* Both at once, now and then. */
		t->phase = bed_one_in(y->r, 30) ? OPENS : ANSWERS;
		if (t->phase == OPENS && t->left)
			t->left--;
		break;
	case ANSWERS:
		segment(y, bed_one_in(y->r, 30) ? MR_TCP_SYN : MR_TCP_SYN | MR_TCP_ACK, 0);
		t->phase = COMPLETES;
		break;
	case COMPLETES:
		segment(y, MR_TCP_ACK, 0);
		t->phase = TALKS;
		break;
	case TALKS:
		for (unsigned i = 0; i < n; i++)
			segment(y, MR_TCP_ACK | (i ? MR_TCP_PSH : 0),
			    bed_one_in(y->r, 8) ? 400 + bed_draw(y->r, 900) : bed_draw(y->r, 100));
		t->speaker = bed_draw(y->r, 3) ? !t->speaker : t->speaker;
		if (!t->left--)
			t->phase = CLOSES;
		break;
	case CLOSES:
		segment(y, bed_one_in(y->r, 5) ? MR_TCP_RST | MR_TCP_ACK : MR_TCP_FIN | MR_TCP_ACK,
		    0);
		t->phase = CLOSES_TOO;
		break;
	case CLOSES_TOO:
		segment(y, MR_TCP_FIN | MR_TCP_ACK, 0);
		t->phase = LAST;
		break;
	case LAST:
		segment(y, MR_TCP_ACK, 0);
		t->phase = OVER;
		break;
	default:
		/* The same ends again, sometimes. */
		t->phase = bed_draw(y->r, 4) ? OVER : OPENS;
		t->seq[0] += 1000000;
		t->left = 5;
	}
}

static void
speak(const struct say *y)
{
	struct bed_talk *t = y->t;
	uint8_t frame[BED_FRAME_MAX + 64];
	struct bed_made m;

	if (bed_one_in(y->r, 60)) {
		complain(y);
		return;
	}
	if (t->proto == MR_IP_PROTO_TCP) {
		speak_tcp(y);
		return;
	}
	make(y, y->end, bed_one_in(y->r, 8) ? 400 : bed_draw(y->r, 100), frame, &m);
	give(y, frame, &m);
	t->speaker = bed_draw(y->r, 3) ? !t->speaker : t->speaker;
	if (!t->left--)
		t->phase = OVER;
}

void
bed_talks_speak(struct bed *b, struct bed_talks *talks, const struct bed_shape *s,
    struct bed_random *r, unsigned count)
{
	unsigned first = bed_draw(r, BED_TALKS);

	for (unsigned i = 0; i < BED_TALKS && count; i++) {
		struct bed_talk *t = &talks->at[(first + i) % BED_TALKS];
		struct say y = { b, t, s, r, t->there ? turn(t) : 0 };

		if (!t->there || bed_one_in(r, 4))
			continue;
		speak(&y);
		count--;
		if (t->phase == OVER && bed_draw(r, 2))
			draw_talk(talks, t, s, r);
	}
}
