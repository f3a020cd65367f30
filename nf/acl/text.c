/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/acl/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/acl/names_int.h"

static bool
no(char *why, const char *text, const char *what)
{
	snprintf(why, ACL_WHY, "\"%.80s\" %s", text, what);
	return false;
}

/* A whole text as a number up to `max`; decimal, or hexadecimal with 0x. */
static bool
number(const char *text, size_t len, uint32_t max, uint32_t *out)
{
	bool hex = len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	uint64_t n = 0;
	size_t i = hex ? 2 : 0;

	if (!len)
		return false;
	for (; i < len; i++) {
		unsigned digit;

		if (text[i] >= '0' && text[i] <= '9')
			digit = (unsigned)(text[i] - '0');
		else if (hex && (text[i] | 32) >= 'a' && (text[i] | 32) <= 'f')
			digit = (unsigned)((text[i] | 32) - 'a' + 10);
		else
			return false;
		n = n * (hex ? 16 : 10) + digit;
		if (n > max)
			return false;
	}
	*out = (uint32_t)n;
	return true;
}

static bool
named(const struct acl_name *names, const char *text, size_t len, struct acl_range *out)
{
	for (; names->name; names++) {
		if (strlen(names->name) == len && !strncmp(names->name, text, len)) {
			*out = (struct acl_range){ names->first, names->last };
			return true;
		}
	}
	return false;
}

/* -- addresses --------------------------------------------------------------------------- */

static bool
one_address(const char *text, size_t len, unsigned *family, acl_number *out)
{
	char copy[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, bytes) == 1) {
		*family = 4;
		*out = acl_number_load(bytes, 4);
		return true;
	}
	if (inet_pton(AF_INET6, copy, bytes) != 1)
		return false;
	*family = 6;
	*out = acl_number_load(bytes, 16);
	return true;
}

bool
acl_text_address(const char *text, unsigned *family, struct acl_range *out, char *why)
{
	static const char what[] =
	    "is not an address, a prefix or a range such as 192.0.2.1, 192.0.2.0/24, "
	    "192.0.2.1-192.0.2.9";
	const char *slash = strchr(text, '/'), *dash = strchr(text, '-');
	const char *end = slash ? slash : dash ? dash : text + strlen(text);
	unsigned bits, second;
	uint32_t len;

	if ((slash && dash) || !one_address(text, (size_t)(end - text), family, &out->first))
		return no(why, text, what);
	bits = *family == 4 ? 32 : 128;
	out->last = out->first;
	if (slash) {
		acl_number host;

		if (!number(slash + 1, strlen(slash + 1), bits, &len))
			return no(why, text,
			    bits == 32 ? "has no prefix length between 0 and 32"
				       : "has no prefix length between 0 and 128");
		host = acl_all_ones(bits - len);
		if (out->first & host)
			return no(why, text, "has bits set behind its prefix");
		out->last = out->first | host;
	} else if (dash) {
		if (!one_address(dash + 1, strlen(dash + 1), &second, &out->last))
			return no(why, text, what);
		if (second != *family)
			return no(why, text, "is a range from one address family to the other");
		if (out->last < out->first)
			return no(why, text, "is an empty range: it ends before it begins");
	}
	return true;
}

bool
acl_text_mac(const char *text, struct acl_range *out, char *why)
{
	acl_number mac = 0;
	uint32_t len = 48;

	for (unsigned i = 0; i < 6; i++) {
		char byte[5] = { '0', 'x', text[0], text[0] ? text[1] : '\0', 0 };
		uint32_t n;

		if (strlen(byte) != 4 || !number(byte, 4, 255, &n))
			return no(why, text, "is not a MAC address such as 02:00:00:00:00:01");
		mac = mac << 8 | n;
		text += 2;
		if (i < 5 && *text++ != ':')
			return no(why, text - 1, "is not how a MAC address goes on");
	}
	if (*text && (*text != '/' || !number(text + 1, strlen(text + 1), 48, &len)))
		return no(why, text, "is not a prefix length between /0 and /48");
	out->first = mac & ~acl_all_ones(48 - len);
	out->last = mac | acl_all_ones(48 - len);
	if (out->first != mac)
		return no(why, text, "has bits set behind its prefix");
	return true;
}

/* -- numbers ----------------------------------------------------------------------------- */

bool
acl_text_number(const char *text, uint32_t max, struct acl_range *out, char *why)
{
	const char *dash = strchr(text, '-');
	uint32_t first, last;

	if (!number(text, dash ? (size_t)(dash - text) : strlen(text), max, &first) ||
	    (dash && !number(dash + 1, strlen(dash + 1), max, &last))) {
		snprintf(why, ACL_WHY, "\"%.80s\" is not a number or a range up to %u", text, max);
		return false;
	}
	if (!dash)
		last = first;
	if (last < first)
		return no(why, text, "is an empty range: it ends before it begins");
	*out = (struct acl_range){ first, last };
	return true;
}

bool
acl_text_port(const char *text, struct acl_range *out, char *why)
{
	if (named(acl_services, text, strlen(text), out))
		return true;
	if (acl_text_number(text, 65535, out, why))
		return true;
	if (strchr(why, ':'))
		return false; /* an empty range */
	return no(why, text, "is not a port or a range of ports such as 80, 1024-65535, https");
}

bool
acl_text_protocol(const char *text, struct acl_range *out, char *why)
{
	uint32_t n;

	if (named(acl_protocols, text, strlen(text), out))
		return true;
	if (!number(text, strlen(text), 255, &n))
		return no(why, text, "is not a protocol such as tcp, icmpv6, 47");
	*out = (struct acl_range){ n, n };
	return true;
}

const char *
acl_protocol_name(unsigned protocol)
{
	for (const struct acl_name *n = acl_protocols; n->name; n++) {
		if (n->first == protocol)
			return n->name;
	}
	return NULL;
}

bool
acl_text_icmp(const char *text, unsigned family, struct acl_range *out, char *why)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	const struct acl_name *names = family == 4 ? acl_icmp4 : acl_icmp6;
	uint32_t type, code;

	if (!named(names, text, len, out)) {
		if (!number(text, len, 255, &type))
			return no(why, text,
			    family == 4 ? "is not an ICMP type such as echo-request, 3, 3/4"
					: "is not an ICMPv6 type such as echo-request, 1, 1/4");
		*out = (struct acl_range){ type << 8, type << 8 | 255 };
	}
	if (!slash)
		return true;
	if (out->first == out->last || !number(slash + 1, strlen(slash + 1), 255, &code))
		return no(why, text, "has no code between 0 and 255 behind its type");
	out->first |= code;
	out->last = out->first;
	return true;
}

bool
acl_text_dscp(const char *text, struct acl_range *out, char *why)
{
	if (named(acl_dscps, text, strlen(text), out) || acl_text_number(text, 63, out, why))
		return true;
	return no(why, text, "is not a DSCP such as 46, 8-15, ef, af41, cs6");
}

bool
acl_text_tcp_flags(const char *text, uint8_t *mask, uint8_t *value, char *why)
{
	static const char *const flags[] = { "fin", "syn", "rst", "psh", "ack", "urg", "ece",
		"cwr" };
	const char *at = text;

	*mask = *value = 0;
	for (;;) {
		bool unset = *at == '!';
		const char *word = at + unset;
		size_t len = strcspn(word, ",");
		unsigned bit = 0;

		while (bit < 8 && (len != 3 || strncmp(word, flags[bit], 3)))
			bit++;
		if (bit == 8)
			return no(why, text,
			    "is not a list of TCP flags such as syn,!ack (fin syn rst psh ack urg "
			    "ece cwr)");
		if (*mask >> bit & 1)
			return no(why, text, "names a flag twice");
		*mask |= (uint8_t)(1u << bit);
		if (!unset)
			*value |= (uint8_t)(1u << bit);
		at = word + len;
		if (!*at)
			return true;
		at++;
	}
}

bool
acl_text_mark(const char *text, uint32_t *value, uint32_t *mask, char *why)
{
	const char *slash = strchr(text, '/');

	*mask = UINT32_MAX;
	if (!number(text, slash ? (size_t)(slash - text) : strlen(text), UINT32_MAX, value) ||
	    (slash && !number(slash + 1, strlen(slash + 1), UINT32_MAX, mask)))
		return no(why, text, "is not a mark such as 7, 0x10/0xf0");
	if (*value & ~*mask)
		return no(why, text, "has bits outside of its mask");
	return true;
}
