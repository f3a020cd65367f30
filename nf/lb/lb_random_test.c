/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients, servers, operators and time at random, against a model that remembers in the plainest way
 * which server each connection was given. Both planes must agree with each other and with it.
 */
#include "nf/lb/lb_test_int.h"

#define STEPS 30000u
#define TALKS 160u
#define SERVERS 3u

enum kind { WEB, DNS, DIRECT, KINDS };

static const struct {
	const char *address;
	uint16_t port, server_port;
	bool udp, back;
} services[KINDS] = {
	{ "203.0.113.80", 80, 8080, false, true },
	{ "203.0.113.81", 53, 53, true, true },
	{ "203.0.113.82", 443, 443, false, false },
};
enum { UP, DRAIN, DOWN };
static const char *const states[] = { "up", "drain", "down" };

struct talk {
	enum kind kind;
	char client[32];
	uint16_t port;
	unsigned server; /* 1 and up; 0: not known */
	enum lb_state state;
	uint32_t seen, limit;
};

struct world {
	struct lb_bed lb;
	struct bed_random random;
	struct talk talks[TALKS];
	unsigned admin[KINDS][SERVERS];
	bool ill[KINDS][SERVERS];
	uint32_t now;
	uint64_t forwarded, moved, refused, back;
	char text[4096];
};

static const char *
text_of(struct world *w)
{
	struct bed_text t = { .at = w->text, .size = sizeof(w->text) };

	bed_say(&t, "  service:\n");
	for (unsigned k = 0; k < KINDS; k++) {
		bed_say(&t,
		    "    s%u:\n      address: %s\n      port: %u\n      protocol: %s\n"
		    "      mode: %s\n      scheduler: %s\n      drain-timeout: 0\n      backend:\n",
		    k, services[k].address, services[k].port, services[k].udp ? "udp" : "tcp",
		    services[k].back ? "nat" : "l2",
		    k == WEB       ? "weighted-round-robin"
			: k == DNS ? "least-connections"
				   : "maglev");
		for (unsigned i = 0; i < SERVERS; i++) {
			bed_say(&t, "        b%u: {address: 10.1.0.%u, state: %s", i, 11 + i,
			    states[w->admin[k][i]]);
			bed_say(&t, services[k].back ? ", port: %u}\n" : "}\n",
			    services[k].server_port);
		}
	}
	return w->text;
}

/* -- the model ------------------------------------------------------------------------------ */

static bool
is_old(const struct world *w, const struct talk *t)
{
	return t->server && w->admin[t->kind][t->server - 1] != DOWN &&
	    !w->ill[t->kind][t->server - 1];
}

static bool
is_new(const struct world *w, enum kind k, unsigned server)
{
	return w->admin[k][server - 1] == UP && !w->ill[k][server - 1];
}

static bool
anybody(const struct world *w, enum kind k)
{
	return is_new(w, k, 1) || is_new(w, k, 2) || is_new(w, k, 3);
}

static bool
is_known(const struct world *w, const struct talk *t)
{
	return t->server && w->now - t->seen <= t->limit && is_old(w, t);
}

static void
enter(struct talk *t, enum lb_state state, uint32_t limit)
{
	t->state = state;
	t->limit = limit;
}

/* What a packet does to how long it is remembered. */
static void
advance(struct world *w, struct talk *t, unsigned flags, bool back, bool fresh)
{
	t->seen = w->now;
	if (services[t->kind].udp) {
		enter(t, LB_OPEN, 300);
		return;
	}
	if ((flags & MR_TCP_RST) && t->state != LB_CLOSED)
		enter(t, LB_CLOSED, 10);
	else if ((flags & MR_TCP_FIN) && t->state < LB_FIN)
		enter(t, LB_FIN, 120);
	else if (fresh)
		enter(t, LB_BEGUN, 60);
	else if (t->state == LB_BEGUN && !back && !(flags & MR_TCP_SYN))
		enter(t, LB_OPEN, 7440);
}

/* -- packets -------------------------------------------------------------------------------- */

static unsigned
draw_flags(struct world *w, enum kind k)
{
	static const unsigned odd[] = { MR_TCP_SYN, MR_TCP_FIN | MR_TCP_ACK, MR_TCP_RST };

	if (services[k].udp)
		return LB_UDP;
	return bed_draw(&w->random, 5) ? MR_TCP_ACK : odd[bed_draw(&w->random, 3)];
}

/* Which server a frame went to: by its address, or (l2) by its Ethernet address; 0: none. */
static unsigned
went_to(const struct talk *t, const struct lb_frame *out)
{
	if (!out)
		return 0;
	assert_int_equal(out->port, 1);
	if (!services[t->kind].back)
		return out->bytes[5] - 0x10u;
	assert_int_equal(mr_load_be16(out->bytes + 36), services[t->kind].server_port);
	return out->bytes[14 + 19] - 10u;
}

static void
from_client(struct world *w, struct talk *t)
{
	const struct lb_talk ends = { t->client, services[t->kind].address, t->port,
		services[t->kind].port };
	unsigned flags = draw_flags(w, t->kind), to;
	bool known = is_known(w, t), anew = false;

	/* It begins anew: with the same server, if that takes new ones. */
	if (known && flags == MR_TCP_SYN && t->state >= LB_FIN) {
		known = is_new(w, t->kind, t->server);
		anew = true;
	}
	to = went_to(t, lb_send(&w->lb, 0, &ends, flags));
	if (known) {
		assert_int_equal(to, t->server);
	} else if (!anybody(w, t->kind)) {
		assert_int_equal(to, 0);
		t->server = 0;
		w->refused++;
		return;
	} else {
		assert_in_range(to, 1, SERVERS);
		assert_true(is_new(w, t->kind, to));
		w->moved += t->server && to != t->server;
		t->server = to;
		t->state = LB_BEGUN;
	}
	w->forwarded++;
	advance(w, t, flags, false, !known);
	if (known && anew)
		enter(t, LB_OPEN, 7440);
}

static void
from_server(struct world *w, struct talk *t)
{
	unsigned server = t->server ? t->server : 1, flags = draw_flags(w, t->kind);
	char name[32], want[128];
	const struct lb_talk ends = { name, t->client, services[t->kind].server_port, t->port };
	bool known = is_known(w, t);
	const struct lb_frame *out;

	/* The answer to a SYN, and a reset, are understood without an entry. */
	if (!services[t->kind].back || flags == MR_TCP_RST || !t->server)
		return;
	snprintf(name, sizeof(name), "10.1.0.%u", 10 + server);
	out = lb_send(&w->lb, 1, &ends, flags);
	if (known)
		snprintf(want, sizeof(want), "a %s:%u > %s:%u", services[t->kind].address,
		    services[t->kind].port, t->client, t->port);
	else
		snprintf(want, sizeof(want), "a %s:%u > %s:%u", name, services[t->kind].server_port,
		    t->client, t->port);
	lb_expect(out, want);
	if (!known)
		return;
	w->back++;
	advance(w, t, flags, true, false);
}

/* -- changes -------------------------------------------------------------------------------- */

static void
change(struct world *w)
{
	unsigned k = bed_draw(&w->random, KINDS), i = bed_draw(&w->random, SERVERS);

	switch (bed_draw(&w->random, 3)) {
	case 0:
		w->admin[k][i] = bed_draw(&w->random, 2) ? UP : bed_draw(&w->random, 3);
		lb_change(&w->lb, text_of(w));
		/* A commit ends the connections of those who have none. */
		for (unsigned n = 0; n < TALKS; n++)
			if (!is_old(w, &w->talks[n]))
				w->talks[n].server = 0;
		/* And who is not asked any more whether he is fit, is taken to be. */
		memset(w->ill, 0, sizeof(w->ill));
		break;
	case 1:
		w->ill[k][i] = !w->ill[k][i] && bed_draw(&w->random, 2);
		for (unsigned p = 0; p < BED_PLANES; p++)
			mr_lb_set_health(lb_of(&w->lb, p), k, k * SERVERS + i, !w->ill[k][i], "x");
		break;
	default: {
		unsigned seconds = bed_one_in(&w->random, 8) ? 130 : 1 + bed_draw(&w->random, 12);

		bed_tick(w->lb.b, seconds * 1000);
		w->now += seconds;
	}
	}
}

static void
as_the_model_says(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->random.state = 0x1b5eed;
	w->now = 1000;
	lb_open(&w->lb, text_of(w));
	for (unsigned i = 0; i < TALKS; i++) {
		struct talk *t = &w->talks[i];

		t->kind = (enum kind)bed_draw(&w->random, KINDS);
		t->port = (uint16_t)(1000 + i);
		snprintf(t->client, sizeof(t->client), "198.51.100.%u",
		    1 + bed_draw(&w->random, 40));
	}
	for (unsigned i = 0; i < STEPS; i++) {
		/* A few at a time, so that flows come to the lane. */
		struct talk *t = &w->talks[(i / 600 * 7 + bed_draw(&w->random, 24)) % TALKS];

		if (bed_one_in(&w->random, 60))
			change(w);
		if (bed_one_in(&w->random, 3))
			from_server(w, t);
		else
			from_client(w, t);
	}
	bed_compare(w->lb.b, true);
	print_message("%lu forwarded, %lu moved, %lu refused, %lu back, %lu by the lane\n",
	    w->forwarded, w->moved, w->refused, w->back, bed_lane_count(w->lb.b, 0));
	assert_true(w->forwarded > STEPS / 3 && w->moved > 100 && w->back > STEPS / 20);
	assert_true(bed_lane_count(w->lb.b, 0) > STEPS / 20);
	lb_close(&w->lb);
	free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
