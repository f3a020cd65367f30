/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two workers forward what two ports make up: flows over IPv4 and IPv6, fragments, options, TTLs
 * of 1, next hops that nobody has asked for yet, echo requests, ARP. The control thread meanwhile
 * does everything that it can do to them: other configurations, links that flap, thousands of
 * routes, neighbours that answer and move, state, explanations, traces. For ThreadSanitizer and
 * AddressSanitizer; and in the end every packet must have been sent, dropped or held.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "kit/base/cpu.h"
#include "kit/graph/explain.h"
#include "kit/graph/probe.h"
#include "kit/packet/wire.h"
#include "model/state.h"
#include "nf/router/router_bed_int.h"

#define LASTS_MS 3000u

#define INTERFACES \
	"      a: {mac: \"02:00:00:00:aa:01\", address: [10.0.0.1/24, \"2001:db8::1/64\"], " \
	"clamp-mss: true, neighbor: {duplicate-detection: false}}\n"

static const char *const configs[] = {
	"router:\n"
	"  r:\n"
	"    icmp: {source-routes: true}\n"
	"    neighbor:\n"
	"      static: {10.0.0.9: {interface: a, mac: \"02:00:00:00:00:09\"}}\n"
	"    interface:\n" INTERFACES "      a.7: {parent: a, vlan: 7, mac: \"02:00:00:00:aa:01\", "
	"address: [10.7.0.1/24, \"2001:db8:7::1/64\"], mtu: 1280}\n"
	"      b: {mac: \"02:00:00:00:aa:02\", address: [10.1.0.1/24, \"2001:db8:1::1/64\"], "
	"reverse-path4: strict, mtu: 600, neighbor: {duplicate-detection: false}}\n"
	"    route:\n"
	"      10.2.0.0/16: {via: [10.0.0.9, 10.1.0.9, 10.7.0.9]}\n"
	"      10.3.0.0/16: {via: 10.1.0.66}\n"
	"      10.4.0.0/16: {action: unreachable}\n"
	"      \"2001:db8:2::/48\": {via: [\"2001:db8::9\", \"2001:db8:1::9\"]}\n",

	"router:\n"
	"  r:\n"
	"    icmp: {reassembly: {datagrams: 16, buffers: 64, source-buffers: 32}}\n"
	"    interface:\n" INTERFACES
	"      b: {mac: \"02:00:00:00:aa:02\", unnumbered: lo, reverse-path4: loose}\n"
	"      lo: {loopback: true, address: [10.1.0.1/32, \"2001:db8:1::1/128\"]}\n"
	"    route: {10.2.0.0/16: {via: 10.0.0.9}, 10.1.0.0/24: {interface: b}}\n"
	"  s: {interface: {c: {address: 10.0.0.1/24}, a.7: {parent: a, vlan: 7, mac: "
	"\"02:00:00:00:aa:01\", address: 10.0.0.1/24}}}\n",

	"router:\n"
	"  s:\n"
	"    interface:\n" INTERFACES
	"      b: {mac: \"02:00:00:00:aa:02\", address: [10.1.0.1/24, \"2001:db8:1::1/64\"], "
	"neighbor: {proxy: true, duplicate-detection: false}}\n"
	"    route: {0.0.0.0/0: {via: [10.0.0.9, 10.1.0.77]}}\n",
};

static _Atomic bool quiet;

static uint32_t
draw(uint64_t *random, uint32_t below)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (uint32_t)((*random * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* -- what workers receive ----------------------------------------------------------------- */

static unsigned
ip4(uint8_t *ip, uint64_t *r, unsigned port)
{
	static const uint8_t nets[] = { 0, 1, 2, 2, 2, 3, 4, 7 };
	unsigned payload = 40 + draw(r, 3) * 300, header = draw(r, 16) ? 20 : 28;

	ip[0] = (uint8_t)(0x40 | header / 4);
	mr_store_be16(ip + 2, (uint16_t)(header + payload));
	mr_store_be16(ip + 4, (uint16_t)draw(r, 8));
	if (!draw(r, 12)) /* pieces, of which some fit */
		mr_store_be16(ip + 6, (uint16_t)(draw(r, 2) ? MR_IP4_MORE_FRAGMENTS : payload / 8));
	ip[8] = draw(r, 16) ? 64 : 1;
	ip[9] = draw(r, 3) ? MR_IP_PROTO_UDP : draw(r, 2) ? MR_IP_PROTO_TCP : MR_IP_PROTO_ICMP;
	mr_store_be32(ip + 12, 10u << 24 | port << 16 | draw(r, 40));
	mr_store_be32(ip + 16, 10u << 24 | (uint32_t)nets[draw(r, 8)] << 16 | draw(r, 80));
	if (header > 20) {
		static const uint8_t options[2][8] = { { 7, 7, 4 }, { 137, 7, 4, 10, 1, 0, 9 } };

		memcpy(ip + 20, options[draw(r, 2)], 8);
	}
	ip[header] = 8;
	ip[header + 12] = 0x60;
	ip[header + 13] = MR_TCP_SYN;
	ip[header + 3] = (uint8_t)draw(r, 200);
	memcpy(ip + header + 20, "\2\4\5\xb4", 4);
	bed_sum4(ip);
	if (ip[9] == MR_IP_PROTO_ICMP)
		bed_sum(ip, ip + header, payload, MR_IP_PROTO_ICMP);
	return header + payload;
}

static unsigned
ip6(uint8_t *ip, uint64_t *r, unsigned port)
{
	unsigned payload = 40 + draw(r, 3) * 500;

	ip[0] = 0x60;
	mr_store_be16(ip + 4, (uint16_t)payload);
	ip[6] = draw(r, 12) ? MR_IP_PROTO_UDP : MR_IP_PROTO_FRAGMENT;
	ip[7] = draw(r, 16) ? 64 : 1;
	memcpy(ip + 8, "\x20\1\xd\xb8", 4);
	ip[13] = (uint8_t)port;
	ip[23] = (uint8_t)draw(r, 40);
	memcpy(ip + 24, "\x20\1\xd\xb8", 4);
	ip[29] = (uint8_t)draw(r, 4);
	ip[39] = (uint8_t)draw(r, 80);
	ip[40] = MR_IP_PROTO_UDP;
	ip[43] = (uint8_t)draw(r, 2);
	return 40 + payload;
}

static unsigned
arp(uint8_t *p, uint64_t *r, unsigned port, unsigned op)
{
	memcpy(p, "\0\1\x8\0\6\4\0", 7);
	p[7] = (uint8_t)op;
	memcpy(p + 8, "\2\0\0\0\x66", 5);
	p[13] = (uint8_t)draw(r, 4);
	mr_store_be32(p + 14, 10u << 24 | port << 16 | (2 + draw(r, 80)));
	mr_store_be32(p + 24, 10u << 24 | port << 16 | (draw(r, 2) ? 1 : draw(r, 80)));
	return 46;
}

static unsigned
make_frame(uint8_t *frame, uint64_t *r, unsigned port)
{
	unsigned l3 = 14, kind = draw(r, 16), type;

	memset(frame, 0, 1600);
	memcpy(frame, "\2\0\0\0\xaa", 5);
	frame[5] = (uint8_t)(port + 1);
	memcpy(frame + 6, "\2\0\0\0\0\x9", 6);
	if (!draw(r, 8)) {
		mr_store_be16(frame + 12, MR_ETH_TYPE_VLAN);
		frame[15] = 7;
		l3 = 18;
	}
	type = kind < 9 ? MR_ETH_TYPE_IP4 : kind < 15 ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_ARP;
	mr_store_be16(frame + l3 - 2, (uint16_t)type);
	if (kind < 9)
		return l3 + ip4(frame + l3, r, port);
	if (kind < 15)
		return l3 + ip6(frame + l3, r, port);
	return l3 + arp(frame + l3, r, port, 1 + draw(r, 2));
}

static unsigned
source(struct bed_port *bp, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	unsigned port = (unsigned)(bp - bp->bed->ports), n = 0;
	uint8_t frame[1600];

	if (atomic_load_explicit(&quiet, memory_order_relaxed))
		return 0;
	for (unsigned want = draw(&bp->random, MR_MIN(max, 32u) + 1); n < want; n++) {
		unsigned len = make_frame(frame, &bp->random, port);

		packets[n] = mr_packet_from(bp->bed->buffers, worker, frame, len);
		if (packets[n] == MR_PACKET_NONE)
			break;
		mr_packet_at(bp->bed->buffers->base, packets[n])->port = bp->port->index;
	}
	return n;
}

/* -- what control does -------------------------------------------------------------------- */

static void
change_routes(struct bed *b, uint64_t *r, unsigned count)
{
	const char *name = mr_ip_vrf_find(b->ip, "r") != UINT16_MAX ? "r" : "s";
	uint16_t vrf = mr_ip_vrf_find(b->ip, name);

	for (unsigned i = 0; i < count; i++) {
		struct mr_route_hop hops[2] = { { .kind = MR_HOP_VIA, .weight = 1 },
			{ .kind = MR_HOP_VIA, .weight = 2 } };
		struct mr_route route = { .source = MR_ROUTE_FPM,
			.hops = hops,
			.len = 24,
			.hop_count = (uint16_t)(1 + draw(r, 2)) };
		struct mr_error error;

		route.prefix[0] = 10;
		route.prefix[1] = (uint8_t)(2 + draw(r, 3));
		route.prefix[2] = (uint8_t)draw(r, 256);
		for (unsigned k = 0; k < 2; k++) {
			hops[k].address[0] = 10;
			hops[k].address[1] = (uint8_t)draw(r, 2);
			hops[k].address[3] = (uint8_t)(2 + draw(r, 100));
		}
		if (draw(r, 3))
			(void)mr_rib_set(b->rib, vrf, &route, &error);
		else
			(void)mr_rib_unset(b->rib, vrf, MR_IP4, route.prefix, 24, MR_ROUTE_FPM);
	}
	mr_rib_settle(b->rib);
}

static void
show(struct bed *b)
{
	struct mr_error error;
	struct mr_state *state;
	const char *text;
	size_t size;

	assert_int_equal(mr_state_create(&state, b->model, MR_STATE_PLAIN), 0);
	assert_int_equal(mr_dataplane_show(b->dp, NULL, state), 0);
	if (mr_state_finish(state, &text, &size, &error))
		fail_msg("%s", error.text);
	assert_true(size > 0);
	mr_state_destroy(state);
}

static void
explained(void *user, const struct mr_recording *recording)
{
	++*(unsigned *)user;
}

static void
explain(struct bed *b, uint64_t *r)
{
	unsigned port = draw(r, 2), calls = 0;
	struct mr_error error;
	uint8_t frame[1600];
	uint32_t packet;
	int rc;

	packet = bed_packet(b, MR_POOL_SHARED, frame, make_frame(frame, r, port), 0);
	if (packet == MR_PACKET_NONE)
		return;
	rc = mr_graph_explain(b->graph, b->ports[port].port->index, packet, explained, &calls,
	    &error);
	assert_int_equal(calls, rc ? 0 : 1);
}

static void
trace(struct bed *b, struct mr_probe **probe)
{
	const struct mr_probe_config want = { .trace = true,
		.port = MR_PROBE_ANY,
		.node = MR_PROBE_ANY,
		.count = 50,
		.buffers = b->buffers,
		.workers = 2 };
	struct mr_error error;

	if (*probe) {
		mr_graph_detach(b->graph, *probe);
		mr_probe_destroy(*probe);
		*probe = NULL;
		return;
	}
	assert_int_equal(mr_probe_create(probe, &want, &error), 0);
	assert_int_equal(mr_graph_attach(b->graph, *probe, &error), 0);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Neighbours of this port answer, some of them from elsewhere than before. */
static void
answers(struct bed *b, uint64_t *r, unsigned port)
{
	uint8_t frame[1600];

	for (unsigned i = 0; i < 16; i++) {
		memset(frame, 0, 64);
		memcpy(frame, "\2\0\0\0\xaa", 5);
		frame[5] = (uint8_t)(port + 1);
		memcpy(frame + 6, "\2\0\0\0\x66\1", 6);
		mr_store_be16(frame + 12, MR_ETH_TYPE_ARP);
		(void)arp(frame + 14, r, port, 2);
		mr_store_be32(frame + 38, 10u << 24 | port << 16 | 1);
		bed_give(b, port, bed_packet(b, MR_POOL_SHARED, frame, 60, 0));
	}
}

static void
disturb(struct bed *b, struct mr_config **parsed)
{
	uint64_t random = 0x5eed, end = now_ms() + LASTS_MS;
	struct mr_probe *probe = NULL;

	while (now_ms() < end) {
		struct timespec pause = { .tv_nsec = 200000 };

		switch (draw(&random, 10)) {
		case 0:
			bed_apply(b, parsed[draw(&random, MR_ARRAY_COUNT(configs))]);
			break;
		case 1:
			bed_link(b, draw(&random, 2), draw(&random, 8));
			break;
		case 2:
		case 3:
			change_routes(b, &random, 500);
			break;
		case 4:
			show(b);
			break;
		case 5:
			for (unsigned i = 0; i < 20; i++)
				explain(b, &random);
			break;
		case 6:
			trace(b, &probe);
			break;
		default:
			answers(b, &random, draw(&random, 2));
		}
		bed_tick(b);
		nanosleep(&pause, NULL);
	}
	if (probe)
		trace(b, &probe);
}

/* Two processors that we may use, as the configuration names them. */
static bool
two_workers(char *text, size_t size)
{
	struct mr_cpu_set allowed;
	struct mr_error error;
	int cpus[2], count = 0;

	assert_int_equal(mr_cpu_allowed(&allowed, &error), 0);
	mr_cpu_set_foreach(cpu, &allowed) if (count < 2) cpus[count++] = cpu;
	if (count == 2)
		snprintf(text, size, "%d,%d", cpus[0], cpus[1]);
	return count == 2;
}

/* Packets that nobody took off a link, and that are out. */
static uint32_t
out(const struct bed *b)
{
	uint32_t n = mr_pool_used(b->buffers->pool);

	for (unsigned port = 0; port < BED_PORTS; port++)
		n -= atomic_load_explicit(&b->ports[port].given, memory_order_relaxed) -
		    atomic_load_explicit(&b->ports[port].taken, memory_order_relaxed);
	return n;
}

/* Nothing is lost, with the workers stopped: what is not free is held. What came between the threads
 * after its link had gone waits until its neighbour does not answer, seconds. */
static void
all_is_there(struct bed *b)
{
	uint64_t end = now_ms() + 8000;
	struct mr_graph_totals t;

	do {
		bed_tick(b);
		for (unsigned w = 0; w < 2; w++)
			(void)mr_graph_pass(b->graph, w);
		mr_graph_totals(b->graph, &t);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	} while (out(b) != t.held && now_ms() < end);
	bed_balance(b);
	print_message("received %lu, sent %lu, dropped %lu, held %lu, created %lu\n", t.received,
	    t.sent, t.dropped, t.held, t.created);
	assert_true(t.received > 1000 && t.sent > 1000);
	assert_int_equal(out(b), t.held);
}

static void
everything_at_once(void **state)
{
	struct mr_config *parsed[MR_ARRAY_COUNT(configs)];
	struct bed *b = calloc(1, sizeof(*b));
	struct mr_error error;
	char text[4096], cpus[32];

	assert_non_null(b);
	if (!two_workers(cpus, sizeof(cpus))) {
		free(b);
		print_message("skipped: needs two processors\n");
		skip();
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(configs); i++) {
		snprintf(text, sizeof(text), "system: {buffers: 8192, workers: \"%s\"}\n%s", cpus,
		    configs[i]);
		parsed[i] = bed_config(b, text);
	}
	bed_open(b, parsed[0]);
	b->strict = false;
	for (unsigned port = 0; port < 2; port++) {
		b->ports[port].random = 77 + port;
		b->ports[port].source = source;
	}
	assert_int_equal(mr_dataplane_start(b->dp, &error), 0);
	disturb(b, parsed);
	atomic_store_explicit(&quiet, true, memory_order_relaxed);
	/* What waits for a neighbour is let go when its link goes. */
	for (unsigned port = 0; port < BED_PORTS; port++)
		bed_link(b, port, false);
	for (unsigned i = 0; i < 20; i++) {
		bed_tick(b);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	mr_dataplane_stop(b->dp);
	all_is_there(b);
	bed_close(b);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(configs); i++)
		mr_config_destroy(parsed[i]);
	bed_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
