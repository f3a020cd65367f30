/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two steps: words into a struct of what was said, by a table of fields; and that struct into
 * bytes.
 */

#include "cmd/packet_build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/suggest.h"
#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"

#define LEN_DEFAULT 100u
#define TTL_DEFAULT 64u
#define PROTO_NONE 256u

enum field {
	FIELD_SMAC,
	FIELD_DMAC,
	FIELD_VLAN,
	FIELD_TYPE,
	FIELD_SRC,
	FIELD_DST,
	FIELD_PROTO,
	FIELD_SPORT,
	FIELD_DPORT,
	FIELD_FLAGS,
	FIELD_ICMP_TYPE,
	FIELD_ICMP_CODE,
	FIELD_TTL,
	FIELD_TOS,
	FIELD_ID,
	FIELD_FRAG,
	FIELD_LEN,
	FIELDS_WITH_VALUE,
	FIELD_UDP = FIELDS_WITH_VALUE,
	FIELD_TCP,
	FIELD_ICMP,
	FIELD_ICMP6,
	FIELD_ARP,
	FIELD_DF,
	FIELD_BAD_CHECKSUM,
	FIELD_BAD_L4_CHECKSUM,
	FIELDS,
};

static const struct {
	const char *name, *doc;
} fields[FIELDS] = {
	[FIELD_SMAC] = { "smac", "source Ethernet address (02:00:00:00:00:01)" },
	[FIELD_DMAC] = { "dmac", "destination Ethernet address (the interface's own)" },
	[FIELD_VLAN] = { "vlan", "number of an 802.1Q tag" },
	[FIELD_TYPE] = { "type", "Ethernet type, of a frame that holds no IP" },
	[FIELD_SRC] = { "src", "source address, IPv4 or IPv6" },
	[FIELD_DST] = { "dst", "destination address" },
	[FIELD_PROTO] = { "proto", "udp, tcp, icmp, icmp6, arp or a number" },
	[FIELD_SPORT] = { "sport", "source port of TCP or UDP" },
	[FIELD_DPORT] = { "dport", "destination port" },
	[FIELD_FLAGS] = { "flags", "of TCP: syn,ack,fin,rst,psh,urg (syn)" },
	[FIELD_ICMP_TYPE] = { "icmp-type", "ICMP type (echo request)" },
	[FIELD_ICMP_CODE] = { "icmp-code", "ICMP code (0)" },
	[FIELD_TTL] = { "ttl", "TTL or hop limit (64)" },
	[FIELD_TOS] = { "tos", "type of service or traffic class (0)" },
	[FIELD_ID] = { "id", "identification of IPv4, or of a fragment (1)" },
	[FIELD_FRAG] = { "frag", "offset of a fragment in bytes; with + behind it, others follow" },
	[FIELD_LEN] = { "len", "bytes of the frame (100)" },
	[FIELD_UDP] = { "udp", "proto=udp" },
	[FIELD_TCP] = { "tcp", "proto=tcp" },
	[FIELD_ICMP] = { "icmp", "proto=icmp" },
	[FIELD_ICMP6] = { "icmp6", "proto=icmp6" },
	[FIELD_ARP] = { "arp", "a request by ARP for dst" },
	[FIELD_DF] = { "df", "don't fragment" },
	[FIELD_BAD_CHECKSUM] = { "bad-checksum", "a wrong checksum of the IPv4 header" },
	[FIELD_BAD_L4_CHECKSUM] = { "bad-l4-checksum", "a wrong checksum of TCP, UDP or ICMP" },
};

const char *
mr_packet_field(unsigned n, const char **doc)
{
	if (n >= FIELDS)
		return NULL;
	*doc = fields[n].doc;
	return fields[n].name;
}

/* What was said. */
struct said {
	bool given[FIELDS];
	uint8_t smac[6], dmac[6];
	uint8_t src[16], dst[16];
	uint8_t src_family, dst_family; /* 4, 6; 0: not given */
	uint32_t number[FIELDS];        /* of those that are one */
	bool more;                      /* fragments follow */
};

/* -- reading ---------------------------------------------------------------------------- */

static int
not_understood(struct mr_error *error, enum field field, const char *value, const char *what)
{
	return mr_error_set(error, -EINVAL, "%s=%s: %s is %s", fields[field].name, value, value,
	    what);
}

static int
read_number(struct said *s, enum field field, const char *value, uint32_t max,
    struct mr_error *error)
{
	char what[64];
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(value, &end, 0);
	if (*value < '0' || *value > '9' || *end || errno || v > max) {
		snprintf(what, sizeof(what), "not a number from 0 to %u", max);
		return not_understood(error, field, value, what);
	}
	s->number[field] = (uint32_t)v;
	return 0;
}

static int
read_mac(uint8_t mac[6], enum field field, const char *value, struct mr_error *error)
{
	unsigned b[6];
	int used = 0;

	if (strcmp(value, "broadcast") == 0) {
		memset(mac, 0xff, 6);
		return 0;
	}
	if (sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		&used) != 6 ||
	    value[used])
		return not_understood(error, field, value,
		    "not an Ethernet address (02:00:00:00:00:01, or broadcast)");
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return 0;
}

static int
read_address(uint8_t bytes[16], uint8_t *family, enum field field, const char *value,
    struct mr_error *error)
{
	if (inet_pton(AF_INET, value, bytes) == 1)
		*family = 4;
	else if (inet_pton(AF_INET6, value, bytes) == 1)
		*family = 6;
	else
		return not_understood(error, field, value, "not an IPv4 or IPv6 address");
	return 0;
}

static int
read_proto(struct said *s, const char *value, struct mr_error *error)
{
	static const struct {
		const char *name;
		enum field field;
	} known[] = {
		{ "udp", FIELD_UDP },
		{ "tcp", FIELD_TCP },
		{ "icmp", FIELD_ICMP },
		{ "icmp6", FIELD_ICMP6 },
		{ "arp", FIELD_ARP },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(known); i++) {
		if (strcmp(value, known[i].name) == 0) {
			s->given[known[i].field] = true;
			s->given[FIELD_PROTO] = false;
			return 0;
		}
	}
	if (*value < '0' || *value > '9')
		return not_understood(error, FIELD_PROTO, value,
		    "not a protocol: udp, tcp, icmp, icmp6, arp, or a number");
	return read_number(s, FIELD_PROTO, value, 255, error);
}

static int
read_flags(struct said *s, const char *value, struct mr_error *error)
{
	static const char *const names[] = { "fin", "syn", "rst", "psh", "ack", "urg" };

	for (const char *at = value; *at;) {
		size_t len = strcspn(at, ",");
		unsigned i;

		for (i = 0; i < MR_ARRAY_COUNT(names); i++)
			if (strlen(names[i]) == len && memcmp(names[i], at, len) == 0)
				break;
		if (i == MR_ARRAY_COUNT(names))
			return not_understood(error, FIELD_FLAGS, value,
			    "not of fin, syn, rst, psh, ack, urg, with commas between");
		s->number[FIELD_FLAGS] |= 1u << i;
		at += len + (at[len] == ',');
	}
	return 0;
}

static int
read_frag(struct said *s, const char *value, struct mr_error *error)
{
	char number[16];
	size_t len = strlen(value);

	s->more = len > 0 && value[len - 1] == '+';
	snprintf(number, sizeof(number), "%.*s", (int)(len - s->more), value);
	if (read_number(s, FIELD_FRAG, number, 65528, error) || s->number[FIELD_FRAG] % 8)
		return not_understood(error, FIELD_FRAG, value,
		    "not a multiple of 8 up to 65528, with or without + behind it");
	return 0;
}

static int
read_value(struct said *s, enum field field, const char *value, struct mr_error *error)
{
	static const uint32_t most[FIELDS_WITH_VALUE] = {
		[FIELD_VLAN] = 4095,
		[FIELD_TYPE] = 65535,
		[FIELD_SPORT] = 65535,
		[FIELD_DPORT] = 65535,
		[FIELD_ICMP_TYPE] = 255,
		[FIELD_ICMP_CODE] = 255,
		[FIELD_TTL] = 255,
		[FIELD_TOS] = 255,
		[FIELD_ID] = UINT32_MAX,
		[FIELD_LEN] = MR_PACKET_BUILD_MAX,
	};

	switch (field) {
	case FIELD_SMAC:
		return read_mac(s->smac, field, value, error);
	case FIELD_DMAC:
		return read_mac(s->dmac, field, value, error);
	case FIELD_SRC:
		return read_address(s->src, &s->src_family, field, value, error);
	case FIELD_DST:
		return read_address(s->dst, &s->dst_family, field, value, error);
	case FIELD_PROTO:
		return read_proto(s, value, error);
	case FIELD_FLAGS:
		return read_flags(s, value, error);
	case FIELD_FRAG:
		return read_frag(s, value, error);
	default:
		return read_number(s, field, value, most[field], error);
	}
}

static int
unknown(const char *name, struct mr_error *error)
{
	struct mr_suggest near = { .word = name };
	const char *best;

	for (unsigned i = 0; i < FIELDS; i++)
		mr_suggest_try(&near, fields[i].name);
	best = mr_suggest_best(&near);
	return mr_error_set(error, -EINVAL, "there is no field \"%s\"%s%s%s", name,
	    best ? "; did you mean \"" : "", best ? best : "", best ? "\"?" : "");
}

static int
read_word(struct said *s, const char *word, struct mr_error *error)
{
	size_t len = strcspn(word, "=");
	bool has_value = word[len] == '=';
	char name[32];
	unsigned i;

	snprintf(name, sizeof(name), "%.*s", (int)MR_MIN(len, sizeof(name) - 1), word);
	for (i = 0; i < FIELDS && strcmp(fields[i].name, name) != 0; i++)
		;
	if (i == FIELDS || len >= sizeof(name))
		return unknown(name, error);
	if (s->given[i])
		return mr_error_set(error, -EINVAL, "%s: said twice", name);
	if (has_value && i >= FIELDS_WITH_VALUE)
		return mr_error_set(error, -EINVAL, "%s takes no value", name);
	if (!has_value && i < FIELDS_WITH_VALUE)
		return mr_error_set(error, -EINVAL, "%s needs a value: %s", name, fields[i].doc);
	s->given[i] = true;
	return has_value ? read_value(s, (enum field)i, word + len + 1, error) : 0;
}

/* -- what follows from it --------------------------------------------------------------- */

static uint32_t
number_of(const struct said *s, enum field field, uint32_t fallback)
{
	return s->given[field] ? s->number[field] : fallback;
}

/* The protocol in its number; PROTO_NONE with an error. */
static unsigned
choose_proto(const struct said *s, unsigned family, struct mr_error *error)
{
	unsigned echo = family == 4 ? MR_IP_PROTO_ICMP : MR_IP_PROTO_ICMP6;
	unsigned said = s->given[FIELD_UDP] + s->given[FIELD_TCP] + s->given[FIELD_ICMP] +
	    s->given[FIELD_ICMP6] + s->given[FIELD_PROTO];

	if (said > 1) {
		mr_error_set(error, -EINVAL, "two protocols in one packet");
		return PROTO_NONE;
	}
	if (s->given[FIELD_PROTO])
		return s->number[FIELD_PROTO];
	if (s->given[FIELD_ICMP] || s->given[FIELD_ICMP6])
		return s->given[FIELD_ICMP] ? MR_IP_PROTO_ICMP : MR_IP_PROTO_ICMP6;
	if (s->given[FIELD_TCP] || s->given[FIELD_UDP])
		return s->given[FIELD_TCP] ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP;
	if (s->given[FIELD_FLAGS])
		return MR_IP_PROTO_TCP;
	return s->given[FIELD_SPORT] || s->given[FIELD_DPORT] ? (unsigned)MR_IP_PROTO_UDP : echo;
}

/* Fields that have no place in what the others make. */
static int
check(const struct said *s, unsigned proto, struct mr_error *error)
{
	bool ports = proto == MR_IP_PROTO_TCP || proto == MR_IP_PROTO_UDP;
	bool icmp = proto == MR_IP_PROTO_ICMP || proto == MR_IP_PROTO_ICMP6;

	if (!ports && (s->given[FIELD_SPORT] || s->given[FIELD_DPORT]))
		return mr_error_set(error, -EINVAL, "ports belong to tcp or udp");
	if (proto != MR_IP_PROTO_TCP && s->given[FIELD_FLAGS])
		return mr_error_set(error, -EINVAL, "flags belong to tcp");
	if (!icmp && (s->given[FIELD_ICMP_TYPE] || s->given[FIELD_ICMP_CODE]))
		return mr_error_set(error, -EINVAL, "icmp-type and icmp-code belong to icmp");
	return 0;
}

/* -- writing ---------------------------------------------------------------------------- */

/* Header of layer 4 at `l4`, `len` bytes of it and its payload there. Returns the offset of its
 * checksum, or 0 without one; `need` is what it takes. */
static unsigned
write_l4(uint8_t *l4, unsigned len, const struct said *s, unsigned proto)
{
	switch (proto) {
	case MR_IP_PROTO_UDP:
		mr_store_be16(l4, (uint16_t)number_of(s, FIELD_SPORT, 49152));
		mr_store_be16(l4 + 2, (uint16_t)number_of(s, FIELD_DPORT, 9));
		mr_store_be16(l4 + 4, (uint16_t)len);
		return 6;
	case MR_IP_PROTO_TCP:
		mr_store_be16(l4, (uint16_t)number_of(s, FIELD_SPORT, 49152));
		mr_store_be16(l4 + 2, (uint16_t)number_of(s, FIELD_DPORT, 80));
		mr_store_be32(l4 + 4, 1);
		l4[12] = 5 << 4;
		l4[13] = (uint8_t)number_of(s, FIELD_FLAGS, 2);
		mr_store_be16(l4 + 14, 65535);
		return 16;
	case MR_IP_PROTO_ICMP:
	case MR_IP_PROTO_ICMP6:
		l4[0] = (uint8_t)number_of(s, FIELD_ICMP_TYPE, proto == MR_IP_PROTO_ICMP ? 8 : 128);
		l4[1] = (uint8_t)number_of(s, FIELD_ICMP_CODE, 0);
		mr_store_be16(l4 + 4, 1);
		mr_store_be16(l4 + 6, 1);
		return 2;
	default:
		return 0;
	}
}

static unsigned
l4_need(unsigned proto)
{
	switch (proto) {
	case MR_IP_PROTO_TCP:
		return 20;
	case MR_IP_PROTO_UDP:
	case MR_IP_PROTO_ICMP:
	case MR_IP_PROTO_ICMP6:
		return 8;
	default:
		return 0;
	}
}

static void
finish_l4(uint8_t *l4, unsigned len, const struct said *s, unsigned proto, unsigned family,
    unsigned check_at)
{
	uint64_t sum = 0;
	be32_t src, dst;
	be16_t check;

	memcpy(&src, s->src, 4);
	memcpy(&dst, s->dst, 4);
	if (family == 6)
		sum = mr_checksum_pseudo6(s->src, s->dst, (uint8_t)proto, len);
	else if (proto != MR_IP_PROTO_ICMP)
		sum = mr_checksum_pseudo4(src, dst, (uint8_t)proto, (uint16_t)len);
	sum = mr_checksum_add(sum, l4, len);
	check = proto == MR_IP_PROTO_UDP ? mr_checksum_finish_udp(sum) : mr_checksum_finish(sum);
	/* Another sum than the right one, and for UDP not that of none. */
	if (s->given[FIELD_BAD_L4_CHECKSUM])
		check = check == mr_be16(1) ? mr_be16(2) : (be16_t)(check ^ mr_be16(1));
	memcpy(l4 + check_at, &check, 2);
}

/* Everything from the IP header on. Its size is decided: `len` bytes. */
static int
write_ip(uint8_t *ip, unsigned len, const struct said *s, unsigned family, unsigned proto,
    struct mr_error *error)
{
	unsigned header = family == 4 ? 20 : 40, offset = number_of(s, FIELD_FRAG, 0), l4_len;
	bool fragment = s->given[FIELD_FRAG] && (offset || s->more);
	unsigned check_at;
	struct mr_ip4 *ip4 = (struct mr_ip4 *)ip;
	uint8_t next = (uint8_t)proto;

	if (fragment && family == 6)
		header += 8;
	l4_len = len - header;
	if (len < header + (offset ? 0 : l4_need(proto)))
		return mr_error_set(error, -EINVAL, "len=%u: too short for the packet's headers",
		    number_of(s, FIELD_LEN, LEN_DEFAULT));
	if (family == 4) {
		*ip4 = (struct mr_ip4){
			.version_ihl = 0x45,
			.tos = (uint8_t)number_of(s, FIELD_TOS, 0),
			.total_len = mr_be16(len),
			.id = mr_be16(number_of(s, FIELD_ID, 1) & 0xffff),
			.frag = mr_be16(offset / 8 | (s->more ? MR_IP4_MORE_FRAGMENTS : 0) |
			    (s->given[FIELD_DF] ? MR_IP4_DONT_FRAGMENT : 0)),
			.ttl = (uint8_t)number_of(s, FIELD_TTL, TTL_DEFAULT),
			.proto = next,
		};
		memcpy(&ip4->src, s->src, 4);
		memcpy(&ip4->dst, s->dst, 4);
		ip4->check = mr_checksum_ipv4_header(ip4);
		if (s->given[FIELD_BAD_CHECKSUM])
			ip4->check ^= mr_be16(1);
	} else {
		mr_store_be32(ip, 6u << 28 | number_of(s, FIELD_TOS, 0) << 20);
		mr_store_be16(ip + 4, (uint16_t)(len - 40));
		ip[6] = fragment ? (uint8_t)MR_IP_PROTO_FRAGMENT : next;
		ip[7] = (uint8_t)number_of(s, FIELD_TTL, TTL_DEFAULT);
		memcpy(ip + 8, s->src, 16);
		memcpy(ip + 24, s->dst, 16);
		if (fragment) {
			ip[40] = next;
			mr_store_be16(ip + 42, (uint16_t)(offset | s->more));
			mr_store_be32(ip + 44, number_of(s, FIELD_ID, 1));
		}
	}
	if (offset)
		return 0; /* in the middle of layer 4 */
	check_at = write_l4(ip + header, l4_len, s, proto);
	/* The sum of a datagram in pieces is of the whole, which nobody has. */
	if (check_at && !fragment)
		finish_l4(ip + header, l4_len, s, proto, family, check_at);
	return 0;
}

static int
build_ip(struct mr_packet_build *b, const struct said *s, unsigned at, struct mr_error *error)
{
	unsigned family = s->dst_family ? s->dst_family : s->src_family, proto;
	struct said known = *s;
	int rc;

	if (!family)
		return mr_error_set(error, -EINVAL, "say at least where to: dst=ADDRESS");
	if (s->src_family && s->dst_family && s->src_family != s->dst_family)
		return mr_error_set(error, -EINVAL, "src and dst are of different IP versions");
	if (!s->dst_family)
		return mr_error_set(error, -EINVAL, "say where to: dst=ADDRESS");
	if (family == 6 && (s->given[FIELD_DF] || s->given[FIELD_BAD_CHECKSUM]))
		return mr_error_set(error, -EINVAL, "%s: IPv6 headers have none",
		    s->given[FIELD_DF] ? "df" : "bad-checksum");
	if (!s->src_family)
		(void)inet_pton(family == 4 ? AF_INET : AF_INET6,
		    family == 4 ? "192.0.2.1" : "2001:db8::1", known.src);
	proto = choose_proto(s, family, error);
	if (proto == PROTO_NONE)
		return -EINVAL;
	rc = check(s, proto, error);
	if (rc)
		return rc;
	mr_store_be16(b->frame + at - 2, family == 4 ? MR_ETH_TYPE_IP4 : MR_ETH_TYPE_IP6);
	if (b->len < at)
		return mr_error_set(error, -EINVAL, "len=%u: too short for the packet's headers",
		    b->len);
	return write_ip(b->frame + at, b->len - at, &known, family, proto, error);
}

static int
build_arp(struct mr_packet_build *b, const struct said *s, unsigned at, struct mr_error *error)
{
	struct mr_arp *arp = (struct mr_arp *)(b->frame + at);

	if (s->dst_family != 4 || (s->src_family && s->src_family != 4))
		return mr_error_set(error, -EINVAL, "arp asks for an IPv4 address: dst=ADDRESS");
	mr_store_be16(b->frame + at - 2, MR_ETH_TYPE_ARP);
	b->len = MR_MAX(at + (unsigned)sizeof(*arp), MR_ETH_MIN);
	arp->hardware = mr_be16(MR_ARP_ETHERNET);
	arp->protocol = mr_be16(MR_ETH_TYPE_IP4);
	arp->hardware_size = 6;
	arp->protocol_size = 4;
	arp->op = mr_be16(MR_ARP_REQUEST);
	memcpy(arp->sender_mac, s->smac, 6);
	memcpy(&arp->sender_ip, s->src, 4);
	memcpy(&arp->target_ip, s->dst, 4);
	if (!s->given[FIELD_DMAC])
		memset(b->frame, 0xff, 6);
	b->has_dmac = true;
	return 0;
}

int
mr_packet_build(struct mr_packet_build *b, const char *const *words, unsigned count,
    struct mr_error *error)
{
	struct said s = { .smac = { 0x02, 0, 0, 0, 0, 0x01 } };
	unsigned at = 14;
	int rc = 0;

	memset(b, 0, sizeof(*b));
	for (unsigned i = 0; i < count && !rc; i++)
		rc = read_word(&s, words[i], error);
	if (rc)
		return rc;
	b->len = number_of(&s, FIELD_LEN, LEN_DEFAULT);
	b->has_dmac = s.given[FIELD_DMAC];
	memcpy(b->frame, s.dmac, 6);
	memcpy(b->frame + 6, s.smac, 6);
	if (s.given[FIELD_VLAN]) {
		mr_store_be16(b->frame + 12, MR_ETH_TYPE_VLAN);
		mr_store_be16(b->frame + 14, (uint16_t)s.number[FIELD_VLAN]);
		at += 4;
	}
	if (s.given[FIELD_ARP])
		return build_arp(b, &s, at, error);
	if (!s.given[FIELD_TYPE])
		return build_ip(b, &s, at, error);
	mr_store_be16(b->frame + at - 2, (uint16_t)s.number[FIELD_TYPE]);
	if (b->len < at)
		return mr_error_set(error, -EINVAL, "len=%u: too short for an Ethernet header",
		    b->len);
	return 0;
}
