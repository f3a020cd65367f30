/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/gen/gen_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "kit/port/netdev_int.h"

struct address {
	uint8_t head[12]; /* of an IPv6 address */
	uint32_t low;     /* host order */
};

static const struct mr_option_desc *const opts = gen_options;

static uint32_t
sum16(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += (uint16_t)(bytes[i] | bytes[i + 1] << 8);
	if (len & 1)
		sum += bytes[len - 1];
	return gen_fold(sum);
}

static void
put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static int
parse_mac(const struct mr_port_config *config, const char *key, uint8_t mac[6],
    struct mr_error *error)
{
	const char *text = mr_option_text(opts, config, key);

	if (port_mac_parse(text, mac))
		return mr_error_set(error, -EINVAL, "option %s: '%s' is not a MAC address", key,
		    text);
	return 0;
}

static int
parse_address(const struct gen_port *g, const struct mr_port_config *config, const char *key,
    const char *const fallbacks[2], struct address *out, struct mr_error *error)
{
	const char *text = mr_option_text(opts, config, key);
	uint8_t bytes[16] = { 0 };
	uint32_t low;
	int ok;

	if (!text)
		text = fallbacks[g->layout.l3 == GEN_L3_IP6];
	if (g->layout.l3 == GEN_L3_IP6) {
		ok = inet_pton(AF_INET6, text, bytes);
		memcpy(&low, bytes + 12, 4);
	} else {
		ok = inet_pton(AF_INET, text, bytes);
		memcpy(&low, bytes, 4);
	}
	if (ok != 1)
		return mr_error_set(error, -EINVAL, "option %s: '%s' is not an IPv%c address", key,
		    text, g->layout.l3 == GEN_L3_IP6 ? '6' : '4');
	memcpy(out->head, bytes, 12);
	out->low = mr_be32(low);
	return 0;
}

/* Fills schedule and the templates' lengths. "imix" is the simple IMIX: frames of 64, 594
 * and 1518 bytes, 7:4:1; without the checksum at the end, which we never see, 4 fewer. */
static int
parse_sizes(struct gen_port *g, const struct mr_port_config *config, unsigned need,
    struct mr_error *error)
{
	static const uint8_t imix_order[12] = { 0, 1, 0, 0, 1, 0, 2, 0, 1, 0, 0, 1 };
	static const uint16_t imix[3] = { 60, 590, 1514 };
	const char *text = mr_option_text(opts, config, "size"), *at = text;
	unsigned i;

	if (!strcmp(text, "imix")) {
		g->sizes = 3;
		g->steps = 12;
		memcpy(g->schedule, imix_order, sizeof(imix_order));
		for (i = 0; i < 3; i++)
			g->templates[i].len = MR_MAX(imix[i], need);
		return 0;
	}
	for (g->sizes = 0; *at;) {
		char *end;
		unsigned long size = strtoul(at, &end, 10);

		if (*at < '0' || *at > '9' || (*end && *end != ',') || (*end == ',' && !end[1]))
			return mr_error_set(error, -EINVAL,
			    "option size: '%s' is neither imix nor sizes separated by commas",
			    text);
		if (g->sizes == GEN_SIZES_MAX)
			return mr_error_set(error, -E2BIG, "option size: more than %d sizes",
			    GEN_SIZES_MAX);
		if (size < need || size > 16000)
			return mr_error_set(error, -ERANGE,
			    "option size: %lu is not between %u (what the headers%s take) and "
			    "16000",
			    size, need, g->stamp ? " and the stamp" : "");
		g->schedule[g->sizes] = (uint8_t)g->sizes;
		g->templates[g->sizes++].len = (uint32_t)size;
		at = *end ? end + 1 : end;
	}
	if (!g->sizes)
		return mr_error_set(error, -EINVAL, "option size: is empty");
	g->steps = g->sizes;
	return 0;
}

/* One frame, flow fields zero: Ethernet, an optional tag, IP, UDP/TCP/ICMP, payload. */
static int
template_fill(struct gen_port *g, struct gen_template *t, const struct mr_port_config *config,
    const uint8_t macs[12], const struct address *src, const struct address *dst)
{
	static const uint8_t protocols[2][3] = { { 17, 6, 1 }, { 17, 6, 58 } };
	uint16_t vlan = (uint16_t)mr_option_uint(opts, config, "vlan");
	uint8_t protocol = protocols[g->layout.l3 == GEN_L3_IP6][g->layout.l4];
	size_t room = MR_ALIGN_UP((size_t)t->len, (size_t)MR_CACHE_LINE);
	uint32_t l4_len = t->len - g->layout.l4_at, pseudo;
	uint8_t *b, *ip, *l4, ports[2];

	b = aligned_alloc(MR_CACHE_LINE, room);
	if (!b)
		return -ENOMEM;
	t->bytes = b;
	memset(b, 0, room);
	memcpy(b, macs, 12);
	if (vlan) {
		put16(b + 12, 0x8100);
		put16(b + 14, vlan);
	}
	put16(b + g->layout.ip_at - 2,
	    g->layout.l3 == GEN_L3_IP4 ? 0x0800
		: g->layout.l3 == GEN_L3_IP6
		? 0x86dd
		: (uint16_t)strtoul(mr_option_text(opts, config, "ethertype"), NULL, 16));
	if (g->layout.l3 == GEN_L3_NONE)
		return 0;
	ip = b + g->layout.ip_at;
	l4 = b + g->layout.l4_at;
	if (g->layout.l3 == GEN_L3_IP4) {
		ip[0] = 0x45;
		put16(ip + 2, (uint16_t)(t->len - g->layout.ip_at));
		put16(ip + 6, 0x4000); /* do not fragment */
		ip[8] = 64;
		ip[9] = protocol;
		t->ip_sum = sum16(ip, 20);
	} else {
		ip[0] = 0x60;
		put16(ip + 4, (uint16_t)l4_len);
		ip[6] = protocol;
		ip[7] = 64;
		memcpy(ip + 8, src->head, 12);
		memcpy(ip + 24, dst->head, 12);
	}
	if (g->layout.l4 == GEN_UDP) {
		put16(l4 + 4, (uint16_t)l4_len);
	} else if (g->layout.l4 == GEN_TCP) {
		l4[12] = 5 << 4;
		l4[13] = 0x10; /* ACK */
		put16(l4 + 14, 0xffff);
	} else {
		l4[0] = g->layout.l3 == GEN_L3_IP6 ? 128 : 8; /* echo request */
	}
	/* The pseudo-header, as far as no flow changes it; ICMP over IPv4 has none. */
	pseudo = 0;
	if (g->layout.l4 != GEN_ICMP || g->layout.l3 == GEN_L3_IP6) {
		put16(ports, (uint16_t)l4_len);
		pseudo = sum16(ports, 2) + ((uint32_t)protocol << 8);
		if (g->layout.l3 == GEN_L3_IP6)
			pseudo += sum16(ip + 8, 12) + sum16(ip + 24, 12);
	}
	t->l4_sum = sum16(l4, l4_len) + pseudo;
	t->stamp_odd = (l4_len - GEN_STAMP_SIZE) & 1;
	return 0;
}

static uint64_t
gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Millions of flows drawn at random would cost a TLB miss each, if pages were small. */
static struct gen_flow *
flows_alloc(uint32_t count)
{
	size_t huge = 2u << 20, size = count * sizeof(struct gen_flow);
	size_t align = size < huge ? MR_CACHE_LINE : huge;
	struct gen_flow *flows;

	size = MR_ALIGN_UP(size, align);
	flows = aligned_alloc(align, size);
	if (!flows)
		return NULL;
	if (align == huge)
		madvise(flows, size, MADV_HUGEPAGE); /* only a wish */
	memset(flows, 0, size);
	return flows;
}

/*
 * Every flow gets another tuple: flow i takes number (i * step + seed) mod `space` of the
 * tuples that the counts allow, and step has no factor in common with it. A step near
 * the golden section of the space spreads them as a random choice would.
 */
static int
flows_build(struct gen_port *g, const struct mr_port_config *config, const uint8_t macs[12],
    const struct address *src, const struct address *dst, struct mr_error *error)
{
	uint64_t src_ips = mr_option_uint(opts, config, "src-ips");
	uint64_t dst_ips = mr_option_uint(opts, config, "dst-ips");
	uint64_t src_ports = mr_option_uint(opts, config, "src-ports");
	uint64_t dst_ports = mr_option_uint(opts, config, "dst-ports");
	uint64_t src_macs = mr_option_uint(opts, config, "src-macs");
	uint64_t dst_macs = mr_option_uint(opts, config, "dst-macs");
	uint64_t seed = mr_option_uint(opts, config, "seed"), rest, space, step, i;
	uint16_t src_port = (uint16_t)mr_option_uint(opts, config, "src-port");
	uint16_t dst_port = (uint16_t)mr_option_uint(opts, config, "dst-port");
	uint32_t src_mac, dst_mac;

	memcpy(&dst_mac, macs + 2, 4);
	memcpy(&src_mac, macs + 8, 4);
	/* A count of 0: as many as the flows need. */
	rest = (g->flow_count + dst_ips * dst_ports - 1) / (dst_ips * dst_ports);
	if (!src_ports)
		src_ports =
		    MR_MIN(src_ips ? (rest + src_ips - 1) / src_ips : rest, (uint64_t)32768);
	if (!src_ips)
		src_ips = (rest + src_ports - 1) / src_ports;
	space = src_ips * dst_ips * src_ports * dst_ports;
	if (g->layout.l3 != GEN_L3_NONE && space < g->flow_count)
		return mr_error_set(error, -EINVAL,
		    "%u flows, but addresses and ports make only %" PRIu64 " different ones",
		    g->flow_count, space);
	for (step = (uint64_t)((double)space * 0.6180339887) | 1; gcd(step, space) != 1; step++)
		;
	g->flows = flows_alloc(g->flow_count);
	if (!g->flows)
		return mr_error_set(error, -ENOMEM, "no memory for %u flows", g->flow_count);
	rest = seed;
	rest = gen_random(&rest) % space;
	for (i = 0; i < g->flow_count; i++) {
		struct gen_flow *f = &g->flows[i];
		uint64_t k = (rest + (uint64_t)((unsigned __int128)i * step % space)) % space;
		uint16_t ports[2];

		f->src_mac = mr_be32(mr_be32(src_mac) + (uint32_t)(i % src_macs));
		f->dst_mac = mr_be32(mr_be32(dst_mac) + (uint32_t)((i + i / src_macs) % dst_macs));
		if (g->layout.l3 == GEN_L3_NONE)
			continue;
		ports[0] = mr_be16((uint16_t)(src_port + k % src_ports));
		k /= src_ports;
		f->dst = mr_be32(dst->low + (uint32_t)(k % dst_ips));
		k /= dst_ips;
		f->src = mr_be32(src->low + (uint32_t)(k % src_ips));
		k /= src_ips;
		ports[1] = mr_be16((uint16_t)(dst_port + k));
		memcpy(&f->ports, ports, 4);
		f->ip_sum = gen_fold((uint64_t)f->src + f->dst);
		f->l4_sum = gen_fold((uint64_t)f->ports +
		    (g->layout.l4 == GEN_ICMP && g->layout.l3 == GEN_L3_IP4 ? 0 : f->ip_sum));
	}
	if (g->order == GEN_SHUFFLE)
		for (i = g->flow_count - 1; i; i--) {
			uint64_t j = gen_random(&seed) % (i + 1);
			struct gen_flow spare = g->flows[i];

			g->flows[i] = g->flows[j];
			g->flows[j] = spare;
		}
	return 0;
}

int
gen_templates_build(struct gen_port *g, const struct mr_port_config *config, struct mr_error *error)
{
	static const uint8_t l4_sizes[] = { 8, 20, 8 }, csums[] = { 6, 16, 2 };
	static const char *const src_fallbacks[] = { "10.0.0.1", "2001:db8::1" };
	static const char *const dst_fallbacks[] = { "10.1.0.1", "2001:db8:1::1" };
	const char *ethertype = mr_option_text(opts, config, "ethertype");
	struct address src = { 0 }, dst = { 0 };
	uint32_t largest = 0;
	uint8_t macs[12];
	unsigned i, need;
	char *end;
	int rc;

	rc = parse_mac(config, "dst-mac", macs, error);
	rc = rc ? rc : parse_mac(config, "src-mac", macs + 6, error);
	if (!rc && g->layout.l3 != GEN_L3_NONE) {
		rc = parse_address(g, config, "src-ip", src_fallbacks, &src, error);
		rc = rc ? rc : parse_address(g, config, "dst-ip", dst_fallbacks, &dst, error);
	}
	if (rc)
		return rc;
	memcpy(g->port.mac, macs + 6, 6);
	if (strtoul(ethertype, &end, 16) < 0x600 || strtoul(ethertype, NULL, 16) > 0xffff || *end)
		return mr_error_set(error, -EINVAL,
		    "option ethertype: '%s' is not a hexadecimal number between 0x600 and 0xffff",
		    ethertype);
	g->layout.ip_at = mr_option_uint(opts, config, "vlan") ? 18 : 14;
	g->layout.l4_at = g->layout.ip_at;
	need = g->layout.ip_at;
	if (g->layout.l3 != GEN_L3_NONE) {
		g->layout.l4_at += g->layout.l3 == GEN_L3_IP4 ? 20 : 40;
		g->layout.src_at = g->layout.ip_at + (g->layout.l3 == GEN_L3_IP4 ? 12 : 20);
		g->layout.dst_at = g->layout.ip_at + (g->layout.l3 == GEN_L3_IP4 ? 16 : 36);
		g->layout.ports_at = g->layout.l4_at + (g->layout.l4 == GEN_ICMP ? 4 : 0);
		g->layout.csum_at = g->layout.l4_at + csums[g->layout.l4];
		need = g->layout.l4_at + l4_sizes[g->layout.l4];
	}
	rc = parse_sizes(g, config, need + (g->stamp ? GEN_STAMP_SIZE : 0), error);
	if (rc)
		return rc;
	for (i = 0; i < g->sizes; i++) {
		largest = MR_MAX(largest, g->templates[i].len);
		if (template_fill(g, &g->templates[i], config, macs, &src, &dst))
			return mr_error_set(error, -ENOMEM, "no memory for the templates");
	}
	g->chained = largest > MR_PACKET_ROOM;
	if (!config->mtu)
		g->port.mtu = (uint16_t)MR_MAX(1500u, largest - g->layout.ip_at);
	else if (largest > config->mtu + (unsigned)g->layout.ip_at)
		return mr_error_set(error, -EMSGSIZE,
		    "option size: %u is more than an MTU of %u allows", largest, config->mtu);
	return flows_build(g, config, macs, &src, &dst, error);
}

void
gen_templates_free(struct gen_port *g)
{
	unsigned i;

	for (i = 0; i < g->sizes; i++)
		free(g->templates[i].bytes);
	free(g->flows);
}
