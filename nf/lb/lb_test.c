/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of packets to services and from servers, in every mode; the same with and without
 * the flow lane. */
#include "kit/graph/explain.h"
#include "model/state.h"
#include "nf/lb/lb_test_int.h"

#define SYN MR_TCP_SYN
#define ACK MR_TCP_ACK
#define FIN MR_TCP_FIN
#define RST MR_TCP_RST

/* A connection that is opened, used and closed; after a few packets it is the lane's. */
static void
nat_tcp(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	const struct lb_talk r = { "10.1.0.11", "198.51.100.5", 8080, 1000 };
	struct lb_bed lb;

	lb_open(&lb, lb_nat4);
	lb_expect(lb_send(&lb, 0, &t, SYN), "b 198.51.100.5:1000 > 10.1.0.11:8080");
	lb_expect(lb_send(&lb, 1, &r, SYN | ACK), "a 203.0.113.80:80 > 198.51.100.5:1000");
	for (unsigned i = 0; i < 5; i++) {
		lb_expect(lb_send(&lb, 0, &t, ACK), "b 198.51.100.5:1000 > 10.1.0.11:8080");
		lb_expect(lb_send(&lb, 1, &r, ACK), "a 203.0.113.80:80 > 198.51.100.5:1000");
	}
	assert_true(bed_lane_count(lb.b, 0) >= 4);
	assert_int_equal(lb_of(&lb, 0)->core->live[0].active, 1);
	lb_expect(lb_send(&lb, 0, &t, FIN | ACK), "b 198.51.100.5:1000 > 10.1.0.11:8080");
	lb_expect(lb_send(&lb, 1, &r, FIN | ACK), "a 203.0.113.80:80 > 198.51.100.5:1000");
	bed_tick(lb.b, 130000);
	for (unsigned i = 0; i < 16; i++)
		bed_tick(lb.b, 1000);
	assert_int_equal(lb_of(&lb, 0)->core->live[0].active, 0);
	assert_int_equal(lb_of(&lb, 1)->core->table->used, 0);
	/* What a server sends on its own account stays as it is. */
	lb_expect(lb_send(&lb, 1, &r, ACK), "a 10.1.0.11:8080 > 198.51.100.5:1000");
	lb_close(&lb);
}

/* Two addresses of a service, and two ports, on the same server's port. */
static void
nat_tells_apart(void **state)
{
	const struct lb_talk one = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	const struct lb_talk two = { "198.51.100.5", "203.0.113.81", 1001, 443 };
	const struct lb_talk same = { "198.51.100.5", "203.0.113.81", 1000, 80 };
	const struct lb_talk r1 = { "10.1.0.11", "198.51.100.5", 8080, 1000 };
	const struct lb_talk r2 = { "10.1.0.11", "198.51.100.5", 8080, 1001 };
	struct lb_bed lb;

	lb_open(&lb, lb_nat4);
	lb_expect(lb_send(&lb, 0, &one, SYN), "b 198.51.100.5:1000 > 10.1.0.11:8080");
	lb_expect(lb_send(&lb, 0, &two, SYN), "b 198.51.100.5:1001 > 10.1.0.11:8080");
	lb_expect(lb_send(&lb, 1, &r1, ACK), "a 203.0.113.80:80 > 198.51.100.5:1000");
	lb_expect(lb_send(&lb, 1, &r2, ACK), "a 203.0.113.81:443 > 198.51.100.5:1001");
	/* The server could not: there is no other one. */
	lb_expect(lb_send(&lb, 0, &same, SYN), "-");
	assert_int_equal(lb_drops_of(&lb, "lb@a", "lb-conflict"), 1);
	lb_close(&lb);
}

static void
nat_udp(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 53 };
	const struct lb_talk r = { "10.1.0.12", "198.51.100.5", 53, 1000 };
	struct lb_frame f;
	struct lb_bed lb;

	lb_open(&lb, lb_nat4);
	for (unsigned i = 0; i < 5; i++) {
		lb_expect(lb_one(&lb, 0, lb_packet(&lb, &f, 0, &t, LB_UDP, 20 + i)),
		    "b 198.51.100.5:1000 > 10.1.0.12:53");
		lb_expect(lb_one(&lb, 1, lb_packet(&lb, &f, 1, &r, LB_UDP, 200 + i)),
		    "a 203.0.113.80:53 > 198.51.100.5:1000");
	}
	/* No checksum stays none. */
	lb_packet(&lb, &f, 0, &t, LB_UDP, 8);
	f.bytes[14 + 26] = f.bytes[14 + 27] = 0;
	lb_expect(lb_one(&lb, 0, &f), "b 198.51.100.5:1000 > 10.1.0.12:53");
	assert_int_equal(mr_load_be16(lb.out[0].bytes + 14 + 26), 0);
	lb_close(&lb);
}

static void
nat_six(void **state)
{
	const struct lb_talk t = { "2001:db8:99::5", "2001:db8:80::80", 1000, 80 };
	const struct lb_talk r = { "2001:db8:1::11", "2001:db8:99::5", 8080, 1000 };
	struct lb_bed lb;

	lb_open(&lb,
	    "  service:\n"
	    "    web:\n"
	    "      address: \"2001:db8:80::80\"\n"
	    "      port: 80\n"
	    "      backend: {b1: {address: \"2001:db8:1::11\", port: 8080}}\n");
	for (unsigned i = 0; i < 4; i++) {
		lb_expect(lb_send(&lb, 0, &t, i ? ACK : SYN),
		    "b [2001:db8:99::5]:1000 > [2001:db8:1::11]:8080");
		lb_expect(lb_send(&lb, 1, &r, i ? ACK : SYN | ACK),
		    "a [2001:db8:80::80]:80 > [2001:db8:99::5]:1000");
	}
	assert_true(bed_lane_count(lb.b, 0) >= 2);
	lb_close(&lb);
}

static void
nat_full(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	const struct lb_talk u = { "198.51.100.6", "203.0.113.80", 1000, 80 };
	const struct lb_talk r = { "10.1.0.11", "10.1.0.200", 80, 1000 };
	const struct lb_talk stray = { "10.1.0.11", "10.1.0.200", 80, 999 };
	unsigned port;
	struct lb_talk r2 = r;
	struct lb_bed lb;

	lb_open(&lb,
	    "  service:\n"
	    "    web:\n"
	    "      address: 203.0.113.80\n"
	    "      port: 80\n"
	    "      mode: nat-full\n"
	    "      source-address: 10.1.0.200\n"
	    "      backend: {b1: {address: 10.1.0.11}}\n");
	for (unsigned i = 0; i < 4; i++) {
		lb_expect(lb_send(&lb, 0, &t, i ? ACK : SYN), "b 10.1.0.200:1000 > 10.1.0.11:80");
		lb_expect(lb_send(&lb, 1, &r, i ? ACK : SYN | ACK),
		    "a 203.0.113.80:80 > 198.51.100.5:1000");
	}
	/* The same port of another client gives way: which one is drawn from the cycles, so the two
	 * planes differ, and only one is looked at. */
	lb.b->plane_count = 1;
	{
		struct lb_frame f;
		const struct bed_plane *plane = &lb.b->planes[BED_GRAPH];
		const uint8_t *bytes;

		lb_give(&lb, 0, lb_packet(&lb, &f, 0, &u, SYN, 10));
		for (unsigned idle = 0; idle < 2;)
			idle = mr_graph_pass(plane->graph, 0) ? 0 : idle + 1;
		assert_int_equal(plane->sent_count, 1);
		bytes = plane->bytes + plane->sent[0].at;
		port = mr_load_be16(bytes + 34);
		assert_in_range(port, 1024, 65535);
		r2.dport = (uint16_t)port;
		lb.b->planes[0].sent_count = lb.b->planes[0].byte_count = 0;
		lb_give(&lb, 1, lb_packet(&lb, &f, 1, &r2, SYN | ACK, 10));
		for (unsigned idle = 0; idle < 2;)
			idle = mr_graph_pass(plane->graph, 0) ? 0 : idle + 1;
		assert_int_equal(plane->sent_count, 1);
		bytes = plane->bytes + plane->sent[0].at;
		assert_memory_equal(bytes + 30, "\xc6\x33\x64\x06", 4);
		assert_int_equal(mr_load_be16(bytes + 36), 1000);
		lb.b->planes[0].sent_count = lb.b->planes[0].byte_count = 0;
		lb_give(&lb, 1, lb_packet(&lb, &f, 1, &stray, ACK, 10));
		for (unsigned idle = 0; idle < 2;)
			idle = mr_graph_pass(plane->graph, 0) ? 0 : idle + 1;
		assert_int_equal(plane->sent_count, 0);
		assert_int_equal(lb_drops_of(&lb, "lb@b", "lb-no-connection"), 1);
	}
	lb.b->plane_count = BED_PLANES;
	bed_close(lb.b);
	free(lb.out);
}

static void
link_layer(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	const struct lb_talk six = { "2001:db8:99::5", "2001:db8:80::80", 1000, 80 };
	const struct lb_frame *out;
	struct lb_frame f;
	struct lb_bed lb;

	lb_open(&lb,
	    "  service:\n"
	    "    web:\n"
	    "      address: [203.0.113.80, \"2001:db8:80::80\"]\n"
	    "      port: 80\n"
	    "      mode: l2\n"
	    "      backend: {b1: {address: 10.1.0.11}, b2: {address: \"2001:db8:1::12\"}}\n");
	for (unsigned i = 0; i < 8; i++) {
		out = lb_send(&lb, 0, &t, i ? ACK : SYN);
		lb_expect(out, "b 198.51.100.5:1000 > 203.0.113.80:80");
		assert_memory_equal(out->bytes, "\2\0\0\0\1\x11", 6);
		assert_int_equal(out->bytes[14 + 8], 63);
		out = lb_send(&lb, 0, &six, i ? ACK : SYN);
		lb_expect(out, "b [2001:db8:99::5]:1000 > [2001:db8:80::80]:80");
		assert_memory_equal(out->bytes, "\2\0\0\0\1\x12", 6);
		assert_int_equal(out->bytes[14 + 7], 63);
	}
	assert_true(bed_lane_count(lb.b, 0) >= 4);
	lb_packet(&lb, &f, 0, &t, ACK, 0);
	f.bytes[14 + 8] = 1;
	f.bytes[14 + 10] += 63;
	lb_expect(lb_one(&lb, 0, &f), "a icmp 11/0 10.0.0.1 > 198.51.100.5");
	lb_packet(&lb, &f, 0, &t, ACK, 0);
	f.bytes[14 + 11] ^= 1;
	lb_expect(lb_one(&lb, 0, &f), "-");
	assert_int_equal(lb_drops_of(&lb, "lb@a", "lb-malformed"), 1);
	lb_close(&lb);
}

static void
tunnels(void **state)
{
	static const struct {
		struct lb_talk t;
		const char *out;
	} cases[] = {
		{ { "198.51.100.5", "203.0.113.80", 1000, 80 },
		    "b 10.1.0.1 > 10.1.0.11 | 198.51.100.5:1000 > 203.0.113.80:80" },
		{ { "198.51.100.5", "203.0.113.81", 1000, 80 },
		    "b 2001:db8:1::1 > 2001:db8:1::11 | 198.51.100.5:1000 > 203.0.113.81:80" },
		{ { "2001:db8:99::5", "2001:db8:80::80", 1000, 80 },
		    "b 10.1.0.1 > 10.1.0.11 | [2001:db8:99::5]:1000 > [2001:db8:80::80]:80" },
		{ { "2001:db8:99::5", "2001:db8:80::81", 1000, 80 },
		    "b 2001:db8:1::1 > 2001:db8:1::11 | [2001:db8:99::5]:1000 > "
		    "[2001:db8:80::81]:80" },
	};
	static const char *const modes[] = { "ipip", "gue" };

	for (unsigned m = 0; m < 2; m++) {
		uint64_t replayed;
		struct lb_bed lb;

		lb_open(&lb, lb_tunnels(modes[m]));
		for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
			bool six = cases[i].t.src[4] == ':';
			unsigned ttl = six ? 7 : 8;
			struct lb_frame f;

			lb_packet(&lb, &f, 0, &cases[i].t, SYN, 10);
			f.bytes[15] |= six ? 0 : 0xb8;
			f.bytes[14] |= six ? 0xb : 0;
			f.bytes[15] |= six ? 0x80 : 0;
			if (!six)
				f.bytes[24]--, f.bytes[25] = (uint8_t)(f.bytes[25] + 0x48);
			if (!six) {
				struct mr_ip4 *ip = (struct mr_ip4 *)(f.bytes + 14);

				ip->check = mr_checksum_ipv4_header(ip);
			}
			lb_expect(lb_one(&lb, 0, &f), cases[i].out);
			/* The packet inside is as it came, its TTL too; the class is kept
			 * outside. */
			assert_memory_equal(lb.out[0].bytes + lb.out[0].len - (f.len - 14),
			    f.bytes + 14, f.len - 14);
			assert_int_equal(f.bytes[14 + ttl], 64);
			if (lb.out[0].bytes[14] >> 4 == 4)
				assert_int_equal(lb.out[0].bytes[15], 0xb8);
			else
				assert_int_equal(mr_load_be16(lb.out[0].bytes + 14) >> 4 & 0xff,
				    0xb8);
			replayed = bed_lane_count(lb.b, 0);
			for (unsigned k = 0; k < 8; k++)
				lb_expect(lb_one(&lb, 0,
					      lb_packet(&lb, &f, 0, &cases[i].t, ACK, 10 + 7 * k)),
				    cases[i].out);
			/* The class is another than the SYN's, and so are the lengths. */
			assert_true(bed_lane_count(lb.b, 0) >= replayed + 6);
		}
		lb_close(&lb);
	}
}

/* Too big for the tunnel: the sender is told what fits. */
static void
too_big(void **state)
{
	const struct lb_talk four = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	const struct lb_talk six = { "2001:db8:99::5", "2001:db8:80::80", 1000, 80 };
	struct lb_frame f;
	struct lb_bed lb;

	lb_open(&lb, lb_tunnels("ipip"));
	lb_expect(lb_one(&lb, 0, lb_packet(&lb, &f, 0, &four, ACK, 1440)),
	    "b 10.1.0.1 > 10.1.0.11 | 198.51.100.5:1000 > 203.0.113.80:80");
	lb_expect(lb_one(&lb, 0, lb_packet(&lb, &f, 0, &four, ACK, 1441)),
	    "a icmp 3/4 10.0.0.1 > 198.51.100.5");
	assert_int_equal(mr_load_be16(lb.out[0].bytes + 14 + 20 + 6), 1480);
	lb_expect(lb_one(&lb, 0, lb_packet(&lb, &f, 0, &six, ACK, 1421)),
	    "a icmp 2/0 2001:db8::1 > 2001:db8:99::5");
	assert_int_equal(mr_load_be16(lb.out[0].bytes + 14 + 40 + 6), 1480);
	/* May be cut: then the outer packet is. */
	lb_packet(&lb, &f, 0, &four, ACK, 1441);
	f.bytes[14 + 6] = 0;
	((struct mr_ip4 *)(f.bytes + 14))->check =
	    mr_checksum_ipv4_header((struct mr_ip4 *)(f.bytes + 14));
	lb.b->plane_count = 1; /* its number is drawn */
	lb_give(&lb, 0, &f);
	for (unsigned idle = 0; idle < 2;)
		idle = mr_graph_pass(lb.b->planes[0].graph, 0) ? 0 : idle + 1;
	assert_int_equal(lb.b->planes[0].sent_count, 2);
	lb.b->plane_count = BED_PLANES;
	bed_close(lb.b);
	free(lb.out);
}

static const char small[] = "  service:\n"
			    "    web:\n"
			    "      address: 203.0.113.80\n"
			    "      port: 80\n"
			    "      backend: {b1: {address: 10.2.0.11, port: 8080}}\n";

/* The server's link is the narrower one: about the packet as the client knows it; and the other
 * way. */
static void
too_big_nat(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	const struct lb_talk r = { "10.2.0.11", "198.51.100.5", 8080, 1000 };
	struct lb_frame f;
	struct lb_bed lb;

	lb_open(&lb, small);
	lb_expect(lb_send(&lb, 0, &t, SYN), "c 198.51.100.5:1000 > 10.2.0.11:8080");
	lb_expect(lb_one(&lb, 0, lb_packet(&lb, &f, 0, &t, ACK, 1261)),
	    "a icmp 3/4 10.0.0.1 > 198.51.100.5");
	assert_int_equal(mr_load_be16(lb.out[0].bytes + 14 + 20 + 6), 1300);
	assert_memory_equal(lb.out[0].bytes + 14 + 28 + 16, "\xcb\0\x71\x50", 4);
	lb_expect(lb_one(&lb, 0, lb_packet(&lb, &f, 0, &t, ACK, 1260)),
	    "c 198.51.100.5:1000 > 10.2.0.11:8080");
	/* From the server all fits: `a` has 1,500. */
	lb_expect(lb_one(&lb, 2, lb_packet(&lb, &f, 2, &r, ACK, 1400)),
	    "a 203.0.113.80:80 > 198.51.100.5:1000");
	lb_expect(lb_one(&lb, 2, lb_packet(&lb, &f, 2, &r, ACK, 1461)),
	    "c icmp 3/4 10.2.0.1 > 10.2.0.11");
	assert_memory_equal(lb.out[0].bytes + 14 + 28 + 12, "\x0a\2\0\x0b", 4);
	lb_close(&lb);
}

/* -- what is said about it ------------------------------------------------------------------ */

static void
keep(void *user, const struct mr_recording *r)
{
	memcpy(user, r, sizeof(*r));
}

static bool
says(struct lb_bed *lb, const struct mr_recording *r, const char *what)
{
	char text[512];

	for (unsigned i = 0; i < r->count; i++)
		if (mr_dataplane_describe(lb->b->planes[0].dp, &r->ops[i], text, sizeof(text)) &&
		    strstr(text, what))
			return true;
	return false;
}

static void
explained(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	struct mr_recording *said = calloc(1, sizeof(*said));
	struct mr_error error;
	struct lb_frame f;
	struct lb_bed lb;

	assert_non_null(said);
	lb_open(&lb, lb_nat4);
	for (unsigned round = 0; round < 2; round++) {
		const struct bed_plane *plane = &lb.b->planes[0];
		uint32_t used = lb_of(&lb, 0)->core->table->used;

		lb_packet(&lb, &f, 0, &t, round ? ACK : SYN, 10);
		assert_int_equal(mr_graph_explain(plane->graph, 0,
				     mr_packet_from(plane->buffers, MR_POOL_SHARED, f.bytes, f.len),
				     keep, said, &error),
		    0);
		assert_true(says(&lb, said, "to service web"));
		assert_true(says(&lb, said, "to server b1 of service web, 10.1.0.11:8080"));
		/* Nothing came of it. */
		assert_int_equal(lb_of(&lb, 0)->core->table->used, used);
		assert_int_equal(lb_of(&lb, 0)->core->live[0].active, round);
		(void)lb_send(&lb, 0, &t, SYN);
	}
	lb_close(&lb);
	free(said);
}

static const char *
asked(const void *arg, const char *name)
{
	const char *const *pairs = arg;

	for (unsigned i = 0; pairs[i]; i += 2)
		if (strcmp(pairs[i], name) == 0)
			return pairs[i + 1];
	return NULL;
}

static const char *
listed(struct lb_bed *lb, const char *const *pairs, char *text, size_t size)
{
	const struct mr_nf_query query = { asked, pairs };
	struct mr_nf_stream stream;
	struct mr_error error;
	size_t used = 0, n;

	if (mr_dataplane_stream(lb->b->planes[0].dp, "lb", "connections", &query, &stream,
		&error)) {
		snprintf(text, size, "%s", error.text);
		return text;
	}
	while ((n = stream.read(stream.state, text + used, size - used - 1)) != 0)
		used += n;
	text[used] = '\0';
	stream.close(stream.state);
	return text;
}

static void
shown(void **state)
{
	static const char *const all[] = { NULL },
				 *const none[] = { "client", "10.9.0.0/16", NULL },
				 *const count[] = { "form", "count", "service", "web", NULL },
				 *const json[] = { "form", "json", "backend", "b1", "client",
					 "198.51.100.0/24", NULL },
				 *const bad[] = { "service", "x", NULL };
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	struct mr_state *st;
	struct mr_error error;
	char text[4096];
	const char *said;
	struct lb_bed lb;
	size_t size;

	lb_open(&lb, lb_nat4);
	(void)lb_send(&lb, 0, &t, SYN);
	assert_string_equal(listed(&lb, all, text, sizeof(text)),
	    "tcp 198.51.100.5:1000 > 203.0.113.80:80  web/b1 10.1.0.11  syn, 60s left\n");
	assert_string_equal(listed(&lb, none, text, sizeof(text)), "");
	assert_string_equal(listed(&lb, count, text, sizeof(text)), "1\n");
	assert_non_null(strstr(listed(&lb, json, text, sizeof(text)), "\"client-port\":1000"));
	assert_string_equal(listed(&lb, bad, text, sizeof(text)), "there is no service \"x\"");
	assert_int_equal(mr_state_create(&st, lb.b->model, MR_STATE_PLAIN), 0);
	assert_int_equal(mr_dataplane_show(lb.b->planes[0].dp, "lb", st), 0);
	assert_int_equal(mr_state_finish(st, &said, &size, &error), 0);
	assert_non_null(strstr(said,
	    "\"name\":\"b1\",\"address\":\"10.1.0.11\",\"port\":8080,"
	    "\"state\":\"up\""));
	assert_non_null(strstr(said, "\"connections\":1,\"connections-total\":1,\"packets\":1"));
	mr_state_destroy(st);
	lb_close(&lb);
}

/* The filter looks at what a server sent, not at the service's address, which nothing leads to. */
static void
reverse_path(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	const struct lb_talk r = { "10.1.0.11", "198.51.100.5", 8080, 1000 };
	const struct lb_talk spoofed = { "10.1.0.55", "203.0.113.80", 1000, 80 };
	struct lb_bed lb;

	lb_strict = true;
	lb_open(&lb, lb_nat4);
	lb_strict = false;
	lb_expect(lb_send(&lb, 0, &t, SYN), "b 198.51.100.5:1000 > 10.1.0.11:8080");
	for (unsigned i = 0; i < 4; i++)
		lb_expect(lb_send(&lb, 1, &r, ACK), "a 203.0.113.80:80 > 198.51.100.5:1000");
	lb_expect(lb_send(&lb, 0, &spoofed, SYN), "-");
	lb_close(&lb);
}

/* Frames to others, and packets that only pass by. */
static void
left_alone(void **state)
{
	const struct lb_talk t = { "198.51.100.5", "203.0.113.80", 1000, 80 };
	const struct lb_talk by = { "198.51.100.5", "10.1.0.12", 1000, 80 };
	struct lb_frame f;
	struct lb_bed lb;

	lb_open(&lb, lb_nat4);
	lb_packet(&lb, &f, 0, &t, SYN, 0);
	f.bytes[5] ^= 0x55;
	assert_null(lb_one(&lb, 0, &f));
	assert_int_equal(lb_of(&lb, 0)->core->table->used, 0);
	for (unsigned i = 0; i < 4; i++)
		lb_expect(lb_send(&lb, 0, &by, ACK), "b 198.51.100.5:1000 > 10.1.0.12:80");
	assert_true(bed_lane_count(lb.b, 0) >= 1);
	lb_close(&lb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nat_tcp),
		cmocka_unit_test(nat_tells_apart),
		cmocka_unit_test(nat_udp),
		cmocka_unit_test(nat_six),
		cmocka_unit_test(nat_full),
		cmocka_unit_test(link_layer),
		cmocka_unit_test(tunnels),
		cmocka_unit_test(too_big),
		cmocka_unit_test(too_big_nat),
		cmocka_unit_test(explained),
		cmocka_unit_test(shown),
		cmocka_unit_test(reverse_path),
		cmocka_unit_test(left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
