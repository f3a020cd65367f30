/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random packets of few ends, and time, against a slow model of RFC 6146: which packets come through, with
 * which outside port, and how many sessions there are. TCP's states are in a table of their own here.
 */
#include "nf/nat64/control_int.h"
#include "nf/nat64/nat64.h"
#include "nf/nat64/nat64_test_int.h"

#define LANES "lanes: {mode: flow}\n"
#define STEPS 12000u

enum { INSIDES = 2, PORTS = 3, PROTOS = 3, REMOTES = 2, RPORTS = 2 };
#define BINDINGS (INSIDES * PORTS * PROTOS)

/* States: - none, u UDP, i ICMP, 4 and 6 init, E open, f V4 FIN, F V6 FIN, b both, T trans. A row for each
 * event (who: 4 or 6; what: S, F, R, A); what is not there leaves everything as it is. `anew`: its time
 * begins again. */
static const struct {
	char state, who, what, next;
	bool anew;
} moves[] = {
	{ '4', '6', 'S', 'E', true },
	{ '6', '4', 'S', 'E', true },
	{ '6', '6', 'S', '6', true },
	{ 'E', '4', 'F', 'f', true },
	{ 'E', '6', 'F', 'F', true },
	{ 'E', '4', 'R', 'T', true },
	{ 'E', '6', 'R', 'T', true },
	{ 'E', '4', 'A', 'E', true },
	{ 'E', '6', 'A', 'E', true },
	{ 'E', '4', 'S', 'E', true },
	{ 'E', '6', 'S', 'E', true },
	{ 'f', '6', 'F', 'b', true },
	{ 'f', '6', 'S', 'f', true },
	{ 'f', '6', 'A', 'f', true },
	{ 'f', '6', 'R', 'f', true },
	{ 'f', '4', 'S', 'f', true },
	{ 'f', '4', 'A', 'f', true },
	{ 'f', '4', 'F', 'f', true },
	{ 'f', '4', 'R', 'f', true },
	{ 'F', '4', 'F', 'b', true },
	{ 'F', '4', 'S', 'F', true },
	{ 'F', '4', 'A', 'F', true },
	{ 'F', '4', 'R', 'F', true },
	{ 'F', '6', 'S', 'F', true },
	{ 'F', '6', 'A', 'F', true },
	{ 'F', '6', 'F', 'F', true },
	{ 'F', '6', 'R', 'F', true },
	{ 'T', '4', 'S', 'E', true },
	{ 'T', '4', 'F', 'E', true },
	{ 'T', '4', 'A', 'E', true },
	{ 'T', '6', 'S', 'E', true },
	{ 'T', '6', 'F', 'E', true },
	{ 'T', '6', 'A', 'E', true },
	{ 'u', '4', 'A', 'u', true },
	{ 'u', '6', 'A', 'u', true },
	{ 'i', '4', 'A', 'i', true },
	{ 'i', '6', 'A', 'i', true },
};

static unsigned
limit_of(char state)
{
	switch (state) {
	case 'u':
		return 300;
	case 'i':
		return 60;
	case '4':
		return 6;
	case 'E':
	case 'f':
	case 'F':
		return 7440;
	default:
		return 240;
	}
}

struct model_session {
	char state; /* 0: none */
	uint32_t seen;
};

struct model {
	struct model_session sessions[BINDINGS][REMOTES][RPORTS];
	uint16_t outside[BINDINGS]; /* 0: no binding */
	uint32_t now;
	bool by_address;
};

unsigned
story_write(const struct story *s, bool six, bool quoted, uint8_t *out)
{
	return story_ip(s, six, quoted, out);
}

static bool
alive(const struct model *m, const struct model_session *s)
{
	return s->state && m->now - s->seen <= limit_of(s->state);
}

/* What is past its time goes, and bindings without sessions. */
static void
settle(struct model *m)
{
	for (unsigned b = 0; b < BINDINGS; b++) {
		bool any = false;

		for (unsigned r = 0; r < REMOTES; r++)
			for (unsigned p = 0; p < RPORTS; p++) {
				struct model_session *s = &m->sessions[b][r][p];

				if (!alive(m, s))
					s->state = 0;
				any |= s->state != 0;
			}
		if (!any)
			m->outside[b] = 0;
	}
}

static unsigned
count(const struct model *m)
{
	unsigned n = 0;

	for (unsigned b = 0; b < BINDINGS; b++)
		for (unsigned r = 0; r < REMOTES; r++)
			for (unsigned p = 0; p < RPORTS; p++)
				n += m->sessions[b][r][p].state != 0;
	return n;
}

static void
move(struct model *m, struct model_session *s, char who, char what)
{
	for (unsigned i = 0; i < MR_ARRAY_COUNT(moves); i++) {
		if (moves[i].state != s->state || moves[i].who != who || moves[i].what != what)
			continue;
		s->state = moves[i].next;
		if (moves[i].anew)
			s->seen = m->now;
		return;
	}
}

/* Whether it comes through; a session may begin. */
static bool
expect(struct model *m, unsigned b, unsigned proto, unsigned r, unsigned p, char who, char what)
{
	struct model_session *s = &m->sessions[b][r][p];
	bool known = false;

	if (who == '4' && !m->outside[b])
		return false;
	if (s->state) {
		move(m, s, who, what);
		return true;
	}
	for (unsigned i = 0; i < RPORTS; i++)
		known |= m->sessions[b][r][i].state != 0;
	if (who == '4' && m->by_address && !known)
		return false;
	if (proto == 0 && what != 'S')
		return m->outside[b] != 0;
	*s = (struct model_session){ proto == 0 ? who : proto == 1 ? 'u' : 'i', m->now };
	return true;
}

static void
step(struct bed *bed, struct model *m, struct bed_random *random)
{
	static const uint8_t numbers[PROTOS] = { MR_IP_PROTO_TCP, MR_IP_PROTO_UDP,
		MR_IP_PROTO_ICMP };
	static const char whats[] = "SFRAAAAA";
	static const uint8_t flags[] = { ['S'] = MR_TCP_SYN,
		['F'] = MR_TCP_FIN | MR_TCP_ACK,
		['R'] = MR_TCP_RST,
		['A'] = MR_TCP_ACK };
	unsigned inside = bed_draw(random, INSIDES), port = bed_draw(random, PORTS);
	unsigned proto = bed_draw(random, PROTOS), r = bed_draw(random, REMOTES);
	unsigned p = proto == 2 ? 0 : bed_draw(random, RPORTS);
	unsigned b = (inside * PORTS + port) * PROTOS + proto;
	char who = bed_draw(random, 2) ? '6' : '4';
	char what = proto ? 'A' : whats[bed_draw(random, 8)];
	struct brief brief = { .proto = numbers[proto],
		.tcp = proto ? 0 : flags[(unsigned)what],
		.inside = (uint8_t)(8 + inside),
		.remote = (uint8_t)(8 + r),
		.port = (uint16_t)(5000 + port),
		.remote_port = (uint16_t)(80 + p),
		.reply = proto == 2 && who == '4' };
	bool passes = expect(m, b, proto, r, p, who, what), did;
	struct seen s;

	if (who == '4')
		brief.port = m->outside[b] ? m->outside[b] : (uint16_t)(40000 + b);
	s = who == '6' ? send_out(bed, brief) : send_in(bed, brief);
	did = who == '6' ? went_out(&s) : came_in(&s);
	if (did != passes)
		fail_msg("%c %c of binding %u: %s", who, what, b, did ? "came through" : "did not");
	if (!did)
		return;
	if (who == '4') {
		assert_int_equal(s.dst[15], 8 + inside);
		assert_int_equal(s.dport, 5000 + port);
		return;
	}
	/* A new one is nobody else's. */
	for (unsigned o = 0; o < BINDINGS; o++)
		if (o != b && o % PROTOS == proto && !m->outside[b])
			assert_int_not_equal(m->outside[o], s.sport);
	if (m->outside[b])
		assert_int_equal(m->outside[b], s.sport);
	m->outside[b] = s.sport;
}

static uint64_t
sessions_of(struct bed *bed)
{
	const struct mr_nat64 *n = mr_dataplane_state(bed->planes[0].dp, &mr_nf_nat64);

	return n64_sessions(n->core->table);
}

static void
run(bool by_address)
{
	struct bed *bed =
	    bed_open(by_address ? CONFIG("pool: [203.0.113.1], filtering: address-dependent")
				: CONFIG("pool: [203.0.113.1]"),
		LANES, 1);
	struct bed_random random = { 77 };
	struct model m = { .by_address = by_address, .now = 100 };

	bed_run(bed);
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned times = bed_one_in(&random, 4) ? 6 : 1;
		uint64_t same = random.state;

		/* Again and again, so that the lane has them. */
		for (unsigned k = 0; k < times; k++) {
			random.state = same;
			step(bed, &m, &random);
		}
		if (bed_one_in(&random, 6)) {
			static const unsigned spans[] = { 1, 3, 7, 30, 61, 120, 241, 301, 4000 };
			unsigned t = spans[bed_draw(&random, MR_ARRAY_COUNT(spans))];

			bed_run(bed);
			bed_tick(bed, t * 1000ull);
			m.now += t;
		}
		settle(&m);
		if (sessions_of(bed) != count(&m))
			fail_msg("step %u: %lu sessions, not %u", i, sessions_of(bed), count(&m));
	}
	assert_true(bed_lane_count(bed, MR_LANE_COUNT_REPLAYED) > STEPS / 8);
	bed_close(bed);
}

static void
everybody(void **state)
{
	run(false);
}

static void
who_was_talked_to(void **state)
{
	run(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody),
		cmocka_unit_test(who_was_talked_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
