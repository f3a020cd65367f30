/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole router against arbitrary frames, links that flap, routes that come and go, other
 * configurations and time. The data plane is made once; an input is a small program:
 *
 *   operation, operands...     see run(); numbers are bytes, missing ones are 0
 *
 * Frames are raw, or built: headers that fit each other, with fields chosen from the input, so that
 * they come past the first checks. After each input everything must add up, nothing may still be
 * held once enough time has passed, and the buffers must all be back; what leaves is looked at by
 * router_bed.c.
 *
 * Time is the program's own: the link has clock_gettime go through here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kit/graph/explain.h"
#include "kit/graph/graph_int.h"
#include "kit/packet/wire.h"
#include "nf/router/router_fuzz_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Asked by LeakSanitizer, which does not look into the tables' memory and takes what they point to
 * for lost; the tests that close their data planes see what is. */
int __lsan_is_turned_off(void);
int __real_clock_gettime(clockid_t, struct timespec *);
int __wrap_clock_gettime(clockid_t, struct timespec *);

#define STEPS_MAX 200u

static const char *const configs[ROUTER_FUZZ_CONFIGS] = {
	"system: {buffers: 4096}\n"
	"router:\n"
	"  r:\n"
	"    icmp:\n"
	"      errors: {rate: 100000, burst: 10000, destination-rate: 10000, destination-burst: "
	"1000}\n"
	"      source-routes: true\n"
	"      reassembly: {datagrams: 16, buffers: 64, source-buffers: 48}\n"
	"    neighbor:\n"
	"      limit: 64\n"
	"      static:\n"
	"        10.0.0.9: {interface: a, mac: \"02:00:00:00:00:09\"}\n"
	"        10.1.0.9: {interface: b, mac: \"02:00:00:00:01:09\"}\n"
	"        10.7.0.9: {interface: a.7, mac: \"02:00:00:00:07:09\"}\n"
	"        \"2001:db8:1::9\": {interface: b, mac: \"02:00:00:00:01:09\"}\n"
	"        \"2001:db8::9\": {interface: a, mac: \"02:00:00:00:00:09\"}\n"
	"    interface:\n"
	"      a:\n"
	"        address: [10.0.0.1/24, \"2001:db8::1/64\"]\n"
	"        clamp-mss: true\n"
	"        neighbor: {router-advertisement: {enabled: true}}\n"
	"      a.7: {parent: a, vlan: 7, address: [10.7.0.1/24, \"2001:db8:7::1/64\"], mtu: 1280}\n"
	"      b:\n"
	"        address: [10.1.0.1/24, \"2001:db8:1::1/64\"]\n"
	"        reverse-path4: strict\n"
	"        reverse-path6: strict\n"
	"        directed-broadcasts: true\n"
	"        mtu: 1300\n"
	"        neighbor: {proxy: true}\n"
	"      lo: {loopback: true, address: [10.255.0.1/32, \"2001:db8:ffff::1/128\"]}\n"
	"    route:\n"
	"      0.0.0.0/0: {via: 10.0.0.9}\n"
	"      10.2.0.0/16: {via: [10.0.0.9, 10.1.0.9, 10.7.0.9]}\n"
	"      10.3.0.0/16: {via: 10.0.0.66}\n"
	"      10.4.0.0/16: {action: blackhole}\n"
	"      10.5.0.0/16: {action: unreachable}\n"
	"      10.6.0.0/16: {action: prohibit}\n"
	"      10.8.0.0/16: {via: \"2001:db8:1::77\"}\n"
	"      \"::/0\": {via: \"2001:db8::9\"}\n"
	"      \"2001:db8:2::/48\": {via: [\"2001:db8::9\", \"2001:db8:1::9\"]}\n"
	"  s: {interface: {c: {address: [10.0.0.1/24, \"2001:db8::1/64\"]}}}\n",

	"system: {buffers: 4096}\n"
	"router:\n"
	"  r:\n"
	"    icmp: {echo-broadcast: true, router-alert: false}\n"
	"    interface:\n"
	"      a: {unnumbered: lo}\n"
	"      a.7: {parent: a, vlan: 7, address: 10.7.0.1/24, reverse-path4: loose, mtu: 576}\n"
	"      b: {address: [10.1.0.1/24, \"2001:db8:1::1/64\"], unreachables: false, clamp-mss: "
	"true}\n"
	"      b.7: {parent: b, vlan: 7, address: [10.0.0.1/24, \"2001:db8::1/64\"]}\n"
	"      lo: {loopback: true, address: [10.255.0.1/32, \"2001:db8:ffff::1/128\"]}\n"
	"    route:\n"
	"      0.0.0.0/0: {via: 10.1.0.9}\n"
	"      10.2.0.0/16: {interface: a}\n"
	"      \"2001:db8:2::/48\": {via: \"fe80::9\", interface: b.7}\n",

	"system: {buffers: 4096}\n"
	"router:\n"
	"  s: {interface: {a: {address: 10.0.0.1/31}, c: {ipv6: true}}}\n",
};

int
__lsan_is_turned_off(void)
{
	return 1;
}

static int64_t time_added; /* nanoseconds */

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc = __real_clock_gettime(clock, ts);
	int64_t ns = (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec + time_added;

	ts->tv_sec = (time_t)(ns / 1000000000);
	ts->tv_nsec = (long)(ns % 1000000000);
	return rc;
}

/* -- what else happens -------------------------------------------------------------------- */

static void
pass_time(struct fuzz *f, unsigned ms)
{
	bed_run(&f->bed);
	time_added += (int64_t)ms * 1000000;
	f->bed.graph->workers[0]->next_second = 0;
	bed_tick(&f->bed);
	bed_run(&f->bed);
}

static void
route(struct fuzz *f, struct input *in)
{
	struct mr_route_hop hops[4];
	struct mr_route r = { .source = MR_ROUTE_FPM, .hops = hops };
	struct mr_error error;
	unsigned how = byte(in);
	uint16_t vrf = mr_ip_vrf_find(f->bed.ip, how & 1 ? "r" : "s");

	if (vrf == UINT16_MAX)
		return;
	memset(hops, 0, sizeof(hops));
	r.family = how & 2 ? MR_IP6 : MR_IP4;
	r.len = (uint8_t)(byte(in) % (r.family == MR_IP6 ? 129 : 33));
	if (r.family == MR_IP6)
		address6(in, r.prefix);
	else
		address4(in, r.prefix);
	for (unsigned bit = r.len; bit < 128; bit++)
		r.prefix[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	r.hop_count = (uint16_t)(1 + (how >> 6));
	for (unsigned k = 0; k < r.hop_count; k++) {
		unsigned kind = byte(in);

		hops[k].weight = (uint16_t)(1 + (kind >> 5));
		hops[k].kind = (uint8_t)(kind % 3);
		hops[k].family = kind & 4 ? MR_IP6 : r.family;
		hops[k].onlink = kind & 8;
		hops[k].interface = (uint16_t)(byte(in) % 8);
		hops[k].special = (uint8_t)(MR_IP_SPECIAL_BLACKHOLE + hops[k].interface % 3);
		if (hops[k].kind == MR_HOP_VIA && hops[k].family == MR_IP6)
			address6(in, hops[k].address);
		else if (hops[k].kind == MR_HOP_VIA)
			address4(in, hops[k].address);
	}
	f->routes = true;
	if (how & 32)
		(void)mr_rib_unset(f->bed.rib, vrf, r.family, r.prefix, r.len, MR_ROUTE_FPM);
	else
		(void)mr_rib_set(f->bed.rib, vrf, &r, &error);
}

static void
explained(void *user, const struct mr_recording *r)
{
	++*(unsigned *)user;
}

/* Whatever it says, it must leave no trace. */
static void
explain(struct fuzz *f, struct input *in)
{
	unsigned port = byte(in) % BED_PORTS, len = byte(in), calls = 0;
	struct mr_graph_totals before, after;
	struct mr_error error;
	uint8_t frame[256];
	uint32_t packet;
	int rc;

	bytes(in, frame, len);
	bed_run(&f->bed);
	packet = bed_packet(&f->bed, MR_POOL_SHARED, frame, len, 0);
	bed_must(packet != MR_PACKET_NONE);
	mr_graph_totals(f->bed.graph, &before);
	rc = mr_graph_explain(f->bed.graph, f->bed.ports[port].port->index, packet, explained,
	    &calls, &error);
	mr_graph_totals(f->bed.graph, &after);
	bed_must(rc ? calls == 0 : calls == 1);
	bed_must(memcmp(&before, &after, sizeof(before)) == 0);
}

static void
configure(struct fuzz *f, unsigned which)
{
	if (which == f->config)
		return;
	bed_run(&f->bed);
	bed_apply(&f->bed, f->configs[which]);
	f->config = which;
}

static void
run(struct fuzz *f, struct input *in)
{
	for (unsigned step = 0; in->left && step < STEPS_MAX; step++) {
		unsigned op = byte(in);

		switch (op % 16) {
		case 0:
			give_raw(f, in);
			break;
		case 1:
		case 2:
		case 3:
		case 4:
			give4(f, in);
			break;
		case 5:
		case 6:
		case 7:
			give6(f, in);
			break;
		case 8:
			give_arp(f, in);
			break;
		case 9:
			give_nd(f, in);
			break;
		case 10:
			bed_run(&f->bed);
			break;
		case 11:
			pass_time(f, 1u << op / 16);
			break;
		case 12:
			bed_run(&f->bed);
			bed_link(&f->bed, op / 32 % BED_PORTS, op & 16);
			break;
		case 13:
			route(f, in);
			break;
		case 14:
			explain(f, in);
			break;
		default:
			if (op >= 0x80)
				configure(f, op % MR_ARRAY_COUNT(configs));
		}
	}
}

/* Back to how it began, as far as only time and the configuration can. */
static void
settle(struct fuzz *f)
{
	uint16_t vrf;

	bed_run(&f->bed);
	for (unsigned port = 0; port < BED_PORTS; port++)
		bed_link(&f->bed, port, true);
	configure(f, 0);
	for (unsigned k = 0; f->routes && k < 2; k++)
		if ((vrf = mr_ip_vrf_find(f->bed.ip, k ? "r" : "s")) != UINT16_MAX)
			mr_rib_clear(f->bed.rib, vrf, MR_ROUTE_FPM);
	f->routes = false;
	/* A packet waits for its next hop, and so does the error about it. */
	for (unsigned k = 0; k < 9; k++)
		pass_time(f, 1001);
	pass_time(f, 61000);
	pass_time(f, 1);
}

static void
differs(void *user, const struct mr_rib_difference *d)
{
	fprintf(stderr, "a prefix of length %u: %u in the FIB, %u wanted\n", d->len, d->in_fib,
	    d->wanted);
}

static void
add_up(struct fuzz *f)
{
	struct mr_graph_totals t;
	uint16_t vrf;

	bed_balance(&f->bed);
	mr_graph_totals(f->bed.graph, &t);
	if (t.held || mr_pool_used(f->bed.buffers->pool))
		bed_fail("%lu packets held and %u buffers in use at the end", t.held,
		    mr_pool_used(f->bed.buffers->pool));
	for (unsigned k = 0; k < 2; k++)
		if ((vrf = mr_ip_vrf_find(f->bed.ip, k ? "r" : "s")) != UINT16_MAX)
			bed_must(mr_rib_diff(f->bed.rib, vrf, differs, NULL) == 0);
}

static struct fuzz *made; /* by the first input, for all that follow */

/* The leak checker does not see what tables keep in memory that they map themselves. */
static void
close_all(void)
{
	bed_close(&made->bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(configs); i++)
		mr_config_destroy(made->configs[i]);
	mr_model_destroy(made->bed.model);
	free(made);
	made = NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz *f = made;
	struct input in = { data, size };

	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f)
			abort();
		for (unsigned i = 0; i < MR_ARRAY_COUNT(configs); i++)
			f->configs[i] = bed_config(&f->bed, configs[i]);
		bed_open(&f->bed, f->configs[0]);
		settle(f);
		made = f;
		atexit(close_all);
	}
	f->bed.marks = f->given = 0;
	run(f, &in);
	settle(f);
	add_up(f);
	return 0;
}
