/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/edit_words.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "kit/base/hex.h"
#include "kit/packet/wire.h"

enum form { FORM_NUMBER, FORM_HEX, FORM_MAC, FORM_IP4, FORM_IP6, FORM_TAG };

/* A field of a header. */
struct field {
	uint8_t at, size;
	uint8_t form;
	const char *name;
};

static const struct field ethernet[] = {
	{ 0, 6, FORM_MAC, "Ethernet destination" },
	{ 6, 6, FORM_MAC, "Ethernet source" },
	{ 12, 2, FORM_HEX, "Ethernet type" },
	{ 0 },
};
static const struct field tag[] = {
	{ 0, 4, FORM_TAG, "tag" },
	{ 0, 2, FORM_HEX, "tag's type" },
	{ 2, 2, FORM_HEX, "tag's VLAN and priority" },
	{ 4, 2, FORM_HEX, "Ethernet type" },
	{ 0 },
};
static const struct field arp[] = {
	{ 6, 2, FORM_NUMBER, "ARP operation" },
	{ 8, 6, FORM_MAC, "ARP sender" },
	{ 14, 4, FORM_IP4, "ARP sender's address" },
	{ 18, 6, FORM_MAC, "ARP target" },
	{ 24, 4, FORM_IP4, "ARP target's address" },
	{ 0 },
};
static const struct field ip4[] = {
	{ 0, 1, FORM_HEX, "IPv4 version and header length" },
	{ 1, 1, FORM_NUMBER, "IPv4 TOS" },
	{ 2, 2, FORM_NUMBER, "IPv4 length" },
	{ 4, 2, FORM_NUMBER, "IPv4 identification" },
	{ 6, 2, FORM_HEX, "IPv4 fragment field" },
	{ 8, 1, FORM_NUMBER, "IPv4 TTL" },
	{ 9, 1, FORM_NUMBER, "IPv4 protocol" },
	{ 10, 2, FORM_HEX, "IPv4 checksum" },
	{ 12, 4, FORM_IP4, "IPv4 source" },
	{ 16, 4, FORM_IP4, "IPv4 destination" },
	{ 0 },
};
static const struct field ip6[] = {
	{ 0, 4, FORM_HEX, "IPv6 version, class and flow label" },
	{ 4, 2, FORM_NUMBER, "IPv6 payload length" },
	{ 6, 1, FORM_NUMBER, "IPv6 next header" },
	{ 7, 1, FORM_NUMBER, "IPv6 hop limit" },
	{ 8, 16, FORM_IP6, "IPv6 source" },
	{ 24, 16, FORM_IP6, "IPv6 destination" },
	{ 0 },
};
static const struct field tcp[] = {
	{ 0, 2, FORM_NUMBER, "TCP source port" },
	{ 2, 2, FORM_NUMBER, "TCP destination port" },
	{ 16, 2, FORM_HEX, "TCP checksum" },
	{ 22, 2, FORM_NUMBER, "TCP option at 22" },
	{ 0 },
};
static const struct field udp[] = {
	{ 0, 2, FORM_NUMBER, "UDP source port" },
	{ 2, 2, FORM_NUMBER, "UDP destination port" },
	{ 4, 2, FORM_NUMBER, "UDP length" },
	{ 6, 2, FORM_HEX, "UDP checksum" },
	{ 0 },
};
static const struct field icmp[] = {
	{ 0, 1, FORM_NUMBER, "ICMP type" },
	{ 1, 1, FORM_NUMBER, "ICMP code" },
	{ 2, 2, FORM_HEX, "ICMP checksum" },
	{ 4, 4, FORM_HEX, "ICMP rest of header" },
	{ 0 },
};

/* The headers of a packet, from the outermost. */
struct header {
	unsigned at;
	const struct field *fields;
};
#define HEADERS_MAX 8

void
mr_shadow_begin(struct mr_shadow *s, const uint8_t *bytes, unsigned len)
{
	memset(s, 0, sizeof(*s));
	len = MR_MIN(len, MR_SHADOW_MAX);
	memcpy(s->bytes, bytes, len);
	memset(s->known, true, len);
}

static const struct field *
fields_of(unsigned proto)
{
	switch (proto) {
	case MR_IP_PROTO_TCP:
		return tcp;
	case MR_IP_PROTO_UDP:
		return udp;
	case MR_IP_PROTO_ICMP:
	case MR_IP_PROTO_ICMP6:
		return icmp;
	default:
		return NULL;
	}
}

/* As the bytes are now; extension headers and what lies behind options is not followed. */
static unsigned
find_headers(const struct mr_shadow *s, struct header headers[HEADERS_MAX])
{
	const uint8_t *b = s->bytes;
	unsigned n = 0, at = 14, type = mr_load_be16(b + 12), proto;

	headers[n++] = (struct header){ 0, ethernet };
	while (mr_eth_type_is_vlan(type) && n < 4) {
		headers[n++] = (struct header){ at - 2, tag };
		at += 4;
		type = mr_load_be16(b + at - 2);
	}
	if (type == MR_ETH_TYPE_ARP) {
		headers[n++] = (struct header){ at, arp };
		return n;
	}
	if (type == MR_ETH_TYPE_IP4) {
		headers[n++] = (struct header){ at, ip4 };
		proto = mr_load_be16(b + at + 6) & MR_IP4_FRAG_OFFSET ? 256u : b[at + 9];
		at += (b[at] & 15u) * 4;
	} else if (type == MR_ETH_TYPE_IP6) {
		headers[n++] = (struct header){ at, ip6 };
		proto = b[at + 6];
		at += 40;
	} else {
		return n;
	}
	if (fields_of(proto))
		headers[n++] = (struct header){ at, fields_of(proto) };
	return n;
}

/* The field that begins at this byte and lies within `len`; the innermost header knows best. */
static const struct field *
field_at(const struct header *headers, unsigned count, unsigned offset, unsigned len)
{
	while (count-- > 0) {
		const struct field *f = headers[count].fields;

		for (; offset >= headers[count].at && f->size; f++)
			if (headers[count].at + f->at == offset && f->size <= len)
				return f;
	}
	return NULL;
}

static void
put_value(char *out, size_t size, const struct field *f, const uint8_t *b)
{
	char hex[64];
	unsigned number = 0;

	switch ((enum form)f->form) {
	case FORM_NUMBER:
		for (unsigned i = 0; i < f->size; i++)
			number = number << 8 | b[i];
		snprintf(out, size, "%u", number);
		break;
	case FORM_MAC:
		snprintf(out, size, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
		    b[5]);
		break;
	case FORM_IP4:
	case FORM_IP6:
		if (!inet_ntop(f->form == FORM_IP4 ? AF_INET : AF_INET6, b, out, (socklen_t)size))
			out[0] = '\0';
		break;
	case FORM_TAG:
		snprintf(out, size, "%s, VLAN %u, priority %u",
		    mr_load_be16(b) == MR_ETH_TYPE_VLAN ? "802.1Q" : "service",
		    mr_load_be16(b + 2) & 0xfffu, b[2] >> 5);
		break;
	case FORM_HEX:
		mr_hex_write(hex, b, f->size);
		snprintf(out, size, "0x%s", hex);
		break;
	}
}

static bool
all_known(const bool *known, unsigned len)
{
	bool all = true;

	for (unsigned i = 0; i < len; i++)
		all &= known[i];
	return all;
}

static void
say_field(mr_edit_line line, const struct field *f, const uint8_t *old, bool known,
    const uint8_t *now)
{
	char before[64], after[64];

	put_value(after, sizeof(after), f, now);
	put_value(before, sizeof(before), f, old);
	if (known)
		snprintf(line, MR_EDIT_LINE_MAX, "%s %s -> %s", f->name, before, after);
	else
		snprintf(line, MR_EDIT_LINE_MAX, "%s %s", f->name, after);
}

static void
say_bytes(mr_edit_line line, unsigned offset, const uint8_t *now, unsigned len)
{
	char hex[64];

	mr_hex_write(hex, now, MR_MIN(len, 16u));
	if (len == 1)
		snprintf(line, MR_EDIT_LINE_MAX, "byte %u set to %s", offset, hex);
	else
		snprintf(line, MR_EDIT_LINE_MAX, "bytes %u-%u set to %s", offset, offset + len - 1,
		    hex);
}

unsigned
mr_shadow_set(struct mr_shadow *s, unsigned offset, const uint8_t *bytes, unsigned len,
    mr_edit_line lines[MR_EDIT_LINES_MAX])
{
	struct header headers[HEADERS_MAX];
	unsigned count, n = 0, raw = 0, size;
	uint8_t old[16];
	bool known[16];

	len = MR_MIN(len, 16u);
	if (offset >= MR_SHADOW_MAX || len > MR_SHADOW_MAX - offset) {
		say_bytes(lines[0], offset, bytes, len);
		return 1;
	}
	memcpy(old, s->bytes + offset, len);
	memcpy(known, s->known + offset, len);
	memcpy(s->bytes + offset, bytes, len);
	memset(s->known + offset, true, len);
	count = find_headers(s, headers);
	for (unsigned i = 0; i < len; i += size) {
		const struct field *f = field_at(headers, count, offset + i, len - i);

		size = f ? f->size : 1;
		if (f && raw) {
			say_bytes(lines[n++], offset + i - raw, bytes + i - raw, raw);
			raw = 0;
		}
		if (!f)
			raw++;
		else if (!all_known(known + i, size) || memcmp(old + i, bytes + i, size) != 0)
			say_field(lines[n++], f, old + i, all_known(known + i, size), bytes + i);
	}
	if (raw)
		say_bytes(lines[n++], offset + len - raw, bytes + len - raw, raw);
	return n;
}

void
mr_shadow_forget(struct mr_shadow *s, unsigned offset, unsigned len)
{
	if (offset < MR_SHADOW_MAX)
		memset(s->known + offset, false, MR_MIN(len, MR_SHADOW_MAX - offset));
}

void
mr_shadow_ttl(struct mr_shadow *s, unsigned offset, unsigned version, mr_edit_line line)
{
	const char *name = version == 6 ? "IPv6 hop limit" : "IPv4 TTL";
	unsigned at = offset + (version == 6 ? 7 : 8);

	if (at >= MR_SHADOW_MAX || !s->known[at]) {
		snprintf(line, MR_EDIT_LINE_MAX, "%s less by one", name);
		return;
	}
	snprintf(line, MR_EDIT_LINE_MAX, "%s %u -> %u", name, s->bytes[at],
	    (uint8_t)(s->bytes[at] - 1));
	s->bytes[at]--;
	/* The checksum that went with it is not followed: it will be shown as fresh when set. */
	if (version != 6)
		mr_shadow_forget(s, at + 2, 2);
}

/* When bytes come or go at the very front, what was the Ethernet header stands elsewhere now. */
static void
forget_ethernet(struct mr_shadow *s, unsigned offset, unsigned more)
{
	if (offset == 0)
		memset(s->known, false, MR_MIN(14 + more, MR_SHADOW_MAX));
}

void
mr_shadow_push(struct mr_shadow *s, unsigned offset, unsigned len)
{
	if (offset >= MR_SHADOW_MAX)
		return;
	len = MR_MIN(len, MR_SHADOW_MAX - offset);
	memmove(s->bytes + offset + len, s->bytes + offset, MR_SHADOW_MAX - offset - len);
	memmove(s->known + offset + len, s->known + offset, MR_SHADOW_MAX - offset - len);
	memset(s->known + offset, false, len);
	forget_ethernet(s, offset, len);
}

void
mr_shadow_pop(struct mr_shadow *s, unsigned offset, unsigned len)
{
	if (offset >= MR_SHADOW_MAX)
		return;
	len = MR_MIN(len, MR_SHADOW_MAX - offset);
	memmove(s->bytes + offset, s->bytes + offset + len, MR_SHADOW_MAX - offset - len);
	memmove(s->known + offset, s->known + offset + len, MR_SHADOW_MAX - offset - len);
	memset(s->known + MR_SHADOW_MAX - len, false, len);
	forget_ethernet(s, offset, 0);
}
