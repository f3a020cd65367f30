/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What shows that a function is at work, whatever else is: null, or what was not so. A witness knows
 * which functions are on, and expects of a packet the ends that it arrives with, and its answer.
 */
#include <arpa/inet.h>

#include "nf/lanes/compose_int.h"

#define ROUNDS 6u /* of the same flow: the lane replays the later ones */

/* -- witnesses ---------------------------------------------------------------------------------- */

static bool
is(const uint8_t *address, bool six, const char *text)
{
	uint8_t bytes[16] = { 0 };

	assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, text, bytes), 1);
	return memcmp(address, bytes, 16) == 0;
}

#define must(what) \
	do { \
		if (!(what)) \
			return #what; \
	} while (0)

static bool
translates(const struct compose *c)
{
	return C_ON(c->on, NAT) || C_ON(c->on, FORWARD) || C_ON(c->on, STATIC);
}

/* From inside to outside, and back. */
static const char *
plain4(struct compose *c)
{
	struct compose_frame far;
	struct compose_ends e;

	compose_ends_of(&e, "10.0.0.9", 5001, "10.1.0.9", 80);
	for (unsigned i = 0; i < ROUNDS; i++) {
		must(compose_round(c, 0, &e, &far));
		must(far.port == 1 && far.vlan == c->vlan_b && is(far.ends.dst, false, "10.1.0.9"));
		must(is(far.ends.src, false, translates(c) ? "10.1.0.1" : "10.0.0.9"));
	}
	return NULL;
}

static const char *
plain6(struct compose *c)
{
	struct compose_frame far;
	struct compose_ends e;

	compose_ends_of(&e, "2001:db8::9", 5001, "2001:db8:1::9", 80);
	for (unsigned i = 0; i < ROUNDS; i++) {
		must(compose_round(c, 0, &e, &far));
		must(far.port == 1 && far.vlan == c->vlan_b &&
		    is(far.ends.dst, true, "2001:db8:1::9"));
		if (C_ON(c->on, PREFIX))
			must(memcmp(far.ends.src, "\x20\1\xd\xb8\0\xf1", 6) == 0);
		else
			must(is(far.ends.src, true, "2001:db8::9"));
	}
	return NULL;
}

const char *
compose_plain(struct compose *c)
{
	const char *wrong = plain4(c);

	return wrong ? wrong : plain6(c);
}

static const char *
bridged(struct compose *c)
{
	must(!compose_plain(c));
	must(compose_packets(c, "bridge") > 0);
	return NULL;
}

static const char *
plugin(struct compose *c)
{
	uint64_t before = compose_drops(c, "no-telnet", "telnet");
	struct compose_ends e;

	compose_ends_of(&e, "10.0.0.9", 5001, "10.1.0.9", 23);
	for (unsigned i = 0; i < ROUNDS; i++)
		must(!compose_send(c, 0, &e, true));
	must(compose_drops(c, "no-telnet", "telnet") == before + ROUNDS);
	return compose_plain(c);
}

/* A flow from inside that a rule ends, at whichever place. */
static const char *
ends(struct compose *c, unsigned port, const char *class, const char *reason)
{
	uint64_t before = compose_drops(c, class, reason);
	struct compose_ends e;

	compose_ends_of(&e, "10.0.0.9", 5001, "10.1.0.9", port);
	for (unsigned i = 0; i < ROUNDS; i++)
		must(!compose_send(c, 0, &e, false));
	must(compose_drops(c, class, reason) == before + ROUNDS);
	return NULL;
}

static const char *
rules(struct compose *c)
{
	const char *wrong = ends(c, 9993, "flow-rules", "flow-rule");

	return wrong ? wrong : compose_plain(c);
}

static const char *
acl_in(struct compose *c)
{
	const char *wrong = ends(c, 9990, "acl-in", "acl-drop");
	uint64_t before = compose_drops(c, "acl-in", "acl-drop");
	struct compose_frame far;
	struct compose_ends e;

	if (wrong)
		return wrong;
	/* Its answer: translated back before the rules see it. */
	compose_ends_of(&e, "10.0.0.9", 5001, "10.1.0.9", 9991);
	for (unsigned i = 0; i < ROUNDS; i++)
		must(!compose_round(c, 0, &e, &far) && far.port == 1);
	must(compose_drops(c, "acl-in", "acl-drop") == before + ROUNDS);
	return compose_plain(c);
}

static const char *
acl_out(struct compose *c)
{
	const char *wrong = ends(c, 9992, "acl-out", "acl-drop");

	return wrong ? wrong : compose_plain(c);
}

static const char *
nothing(const void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static const char *
track(struct compose *c)
{
	const struct mr_nf_query query = { .value = nothing };
	static char text[1 << 16];
	struct mr_nf_stream stream;
	struct mr_error error;
	const char *wrong = compose_plain(c);
	size_t n, used = 0;

	if (wrong)
		return wrong;
	must(mr_dataplane_stream(c->b->planes[BED_FLOW].dp, "conntrack", "connections", &query,
		 &stream, &error) == 0);
	while ((n = stream.read(stream.state, text + used, sizeof(text) - used - 1)) > 0)
		used += n;
	stream.close(stream.state);
	text[used] = '\0';
	/* The inside's addresses, whatever they are outside. */
	must(strstr(text, "10.0.0.9:5001") && strstr(text, "10.1.0.9:80"));
	must(!strstr(text, "10.1.0.1:") && !strstr(text, "2001:db8:f1:"));
	return NULL;
}

const char *
compose_forward(struct compose *c)
{
	struct compose_frame far;
	struct compose_ends e;

	compose_ends_of(&e, "10.1.0.9", 6000, "10.1.0.1", 8080);
	for (unsigned i = 0; i < ROUNDS; i++) {
		must(compose_round(c, 1, &e, &far));
		must(
		    far.port == 0 && is(far.ends.dst, false, "10.0.0.9") && far.ends.dport == 8081);
	}
	return compose_plain(c);
}

static const char *
fixed(struct compose *c)
{
	struct compose_frame far;
	struct compose_ends e;

	for (unsigned i = 0; i < ROUNDS; i++) {
		compose_ends_of(&e, "10.0.0.10", 5002, "10.1.0.9", 80);
		must(compose_round(c, 0, &e, &far));
		must(far.port == 1 && is(far.ends.src, false, "10.1.0.77"));
		compose_ends_of(&e, "10.1.0.9", 6001, "10.1.0.77", 5555);
		must(compose_round(c, 1, &e, &far));
		must(far.port == 0 && is(far.ends.dst, false, "10.0.0.10"));
	}
	return compose_plain(c);
}

static const char *
nat64(struct compose *c)
{
	struct compose_frame far;
	struct compose_ends e;

	compose_ends_of(&e, "2001:db8::9", 5003, "64:ff9b::a01:9", 80);
	for (unsigned i = 0; i < ROUNDS; i++) {
		must(compose_round(c, 0, &e, &far));
		must(far.port == 1 && is(far.ends.src, false, "10.1.0.200") &&
		    is(far.ends.dst, false, "10.1.0.9"));
	}
	return compose_plain(c);
}

/* From outside, and from inside. */
static const char *
service(struct compose *c, const char *address, const char *server, unsigned port)
{
	static const char *const clients[2] = { "10.1.0.9", "10.0.0.9" };
	struct compose_frame far;
	struct compose_ends e;
	bool direct = port == 0;

	for (unsigned k = 0; k < 2; k++) {
		compose_ends_of(&e, clients[k], 6002, address, 80);
		for (unsigned i = 0; i < ROUNDS; i++) {
			must(compose_round(c, !k, &e, &far));
			must(far.port == 2 && is(far.ends.src, false, clients[k]));
			must(is(far.ends.dst, false, direct ? address : server));
			must(far.ends.dport == (direct ? 80 : port));
		}
	}
	return compose_plain(c);
}

static const char *
lb_nat(struct compose *c)
{
	return service(c, "10.200.0.1", "10.2.0.9", 8080);
}

static const char *
lb_ipip(struct compose *c)
{
	struct compose_frame far;
	struct compose_ends e;

	compose_ends_of(&e, "10.1.0.9", 6003, "10.200.0.2", 80);
	must(compose_round(c, 1, &e, &far));
	must(memcmp(far.tunnel, "\12\2\0\12", 4) == 0);
	return service(c, "10.200.0.2", "10.2.0.10", 0);
}

static const char *
lb_l2(struct compose *c)
{
	struct compose_frame far;
	struct compose_ends e;

	compose_ends_of(&e, "10.1.0.9", 6003, "10.200.0.3", 80);
	must(compose_round(c, 1, &e, &far));
	must(memcmp(far.bytes, "\2\0\0\0\2\13", 6) == 0);
	return service(c, "10.200.0.3", "10.2.0.11", 0);
}

static const char *
tunneled(struct compose *c)
{
	must(!compose_plain(c));
	must(compose_packets(c, "tunnel-out") > 0 && compose_packets(c, "tunnel-enter") > 0);
	return NULL;
}

const char *(*const compose_witnesses[C_COUNT])(struct compose *) = {
	[C_VLAN] = compose_plain,
	[C_GATEWAY] = bridged,
	[C_MEMBER] = bridged,
	[C_CROSS] = compose_plain,
	[C_VRF] = compose_plain,
	[C_PLUGIN] = plugin,
	[C_RULES] = rules,
	[C_ACL_IN] = acl_in,
	[C_ACL_OUT] = acl_out,
	[C_TRACK] = track,
	[C_NAT] = compose_plain,
	[C_FORWARD] = compose_forward,
	[C_STATIC] = fixed,
	[C_NAT64] = nat64,
	[C_PREFIX] = compose_plain,
	[C_LB] = lb_nat,
	[C_IPIP] = lb_ipip,
	[C_L2] = lb_l2,
	[C_TUNNEL] = tunneled,
};

/* A service at the address that the translator has, too. */
const char *
compose_own_service(struct compose *c)
{
	const char *wrong = compose_plain(c);
	struct compose_frame far;
	struct compose_ends e;

	compose_ends_of(&e, "10.1.0.9", 6002, "10.1.0.1", 80);
	for (unsigned i = 0; i < ROUNDS && !wrong; i++) {
		must(compose_round(c, 1, &e, &far));
		must(far.port == 2 && is(far.ends.dst, false, "10.2.0.9"));
	}
	return wrong;
}

/* Translated in its VLAN, in both directions. */
const char *
compose_masked(struct compose *c)
{
	struct compose_frame far;
	struct compose_ends e;

	compose_ends_of(&e, "10.0.0.9", 5001, "10.1.0.9", 80);
	for (unsigned i = 0; i < ROUNDS; i++) {
		must(compose_round(c, 0, &e, &far));
		must(far.port == 1 && far.vlan == 7 && is(far.ends.src, false, "10.1.0.1"));
	}
	return NULL;
}

/* Who asks for an address of the pool in the VLAN is answered there. */
const char *
compose_answers_arp(struct compose *c)
{
	static const uint8_t request[46] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 1, 9, 0x81,
		0, 0, 7, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 1, 9, 10, 1, 0, 9, 0, 0, 0, 0, 0,
		0, 10, 1, 0, 60 };
	static const uint8_t answer[46] = { 2, 0, 0, 0, 1, 9, 2, 0, 0, 0, 0xaa, 2, 0x81, 0, 0, 7, 8,
		6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0xaa, 2, 10, 1, 0, 60, 2, 0, 0, 0, 1, 9, 10,
		1, 0, 9 };
	const struct bed_plane *plane = &c->b->planes[BED_GRAPH];

	must(bed_give(c->b, 1, request, sizeof(request), 0, 0));
	for (unsigned k = 0; k < BED_PLANES; k++)
		for (unsigned idle = 0; idle < 2;)
			idle = mr_graph_pass(c->b->planes[k].graph, 0) ? 0 : idle + 1;
	must(plane->sent_count == 1 && plane->sent[0].len == sizeof(answer));
	must(memcmp(plane->bytes + plane->sent[0].at, answer, sizeof(answer)) == 0);
	bed_run(c->b);
	return NULL;
}
