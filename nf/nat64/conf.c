/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat64/conf_int.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static bool
read_address4(const char *text, uint32_t *address)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		return false;
	*address = mr_be32(a.s_addr);
	return true;
}

/* "192.0.2.1", "192.0.2.1-192.0.2.9" or "192.0.2.0/28". */
static bool
read_range(const char *text, struct nat_range *r)
{
	char copy[64], *sign;
	unsigned long len;

	snprintf(copy, sizeof(copy), "%s", text);
	sign = strpbrk(copy, "-/");
	if (!sign)
		return read_address4(copy, &r->first) && read_address4(copy, &r->last);
	if (*sign == '-') {
		*sign = '\0';
		return read_address4(copy, &r->first) && read_address4(sign + 1, &r->last) &&
		    r->first <= r->last;
	}
	*sign = '\0';
	len = strtoul(sign + 1, NULL, 10);
	if (!read_address4(copy, &r->first) || len < 16 || len > 32)
		return false;
	r->last = r->first | (uint32_t)(UINT32_MAX >> len >> (len == 32 ? 31 : 0));
	if (len == 32)
		r->last = r->first;
	return (r->first & (r->last - r->first)) == 0;
}

static bool
read_prefix(const char *text, struct xlat_prefix *p)
{
	char copy[64], *slash;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (!slash)
		return false;
	*slash = '\0';
	p->len = (uint8_t)strtoul(slash + 1, NULL, 10);
	return inet_pton(AF_INET6, copy, p->bytes) == 1 && xlat_prefix_is_good(p);
}

static bool
read_pool(struct n64_pool_conf *c, const struct mr_conf *conf, const struct mr_conf **at, char *why,
    size_t size)
{
	const struct mr_conf *i;

	mr_conf_each(i, conf, "pool") {
		struct nat_range *r = &c->ranges[c->range_count];

		*at = i;
		if (c->range_count == N64_RANGES) {
			snprintf(why, size, "more than %u ranges of addresses", N64_RANGES);
			return false;
		}
		if (!read_range(mr_conf_value(i), r)) {
			snprintf(why, size,
			    "%s is not an address, a range such as 192.0.2.1-192.0.2.9 or a prefix "
			    "of "
			    "16 to 32 bits",
			    mr_conf_value(i));
			return false;
		}
		for (uint32_t k = 0; k < c->range_count; k++)
			if (r->first <= c->ranges[k].last && c->ranges[k].first <= r->last) {
				snprintf(why, size, "%s overlaps with another range",
				    mr_conf_value(i));
				return false;
			}
		c->range_count++;
	}
	return true;
}

bool
n64_conf_read(struct n64_conf *c, const struct mr_conf *conf, const struct mr_conf **at, char *why,
    size_t size)
{
	static const char *const leaves[N64_TIME_COUNT] = {
#define X(id, leaf, seconds) leaf,
		N64_TIMEOUTS(X)
#undef X
	};
	static const uint32_t seconds[N64_TIME_COUNT] = {
#define X(id, leaf, s) s,
		N64_TIMEOUTS(X)
#undef X
	};
	const struct mr_conf *timeouts = mr_conf_child(conf, "timeouts");
	const char *ports = mr_conf_text(conf, "ports", "1024-65535");
	unsigned first = 0, last = 0;

	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", mr_conf_key(conf));
	if (!read_pool(&c->pool, conf, at, why, size))
		return false;
	*at = mr_conf_child(conf, "ports");
	(void)mr_ranges_next(&ports, &first, &last);
	if (first < 1 || last > UINT16_MAX || first > last ||
	    mr_ranges_next(&ports, &first, &last)) {
		snprintf(why, size, "ports have to be one range, such as 1024-65535");
		return false;
	}
	c->pool.first = first;
	c->pool.last = last;
	c->pool.ports = (uint32_t)mr_conf_uint(conf, "subscriber-ports", 0);
	c->pool.sessions = (uint32_t)mr_conf_uint(conf, "subscriber-sessions", 0);
	*at = mr_conf_child(conf, "prefix");
	if (!read_prefix(mr_conf_text(conf, "prefix", "64:ff9b::/96"), &c->prefix)) {
		snprintf(why, size,
		    "a prefix has 32, 40, 48, 56, 64 or 96 bits, and bits 64 to 71 are zero "
		    "(RFC 6052, 2.2)");
		return false;
	}
	for (unsigned i = 0; i < N64_TIME_COUNT; i++)
		c->timeouts[i] = (uint32_t)mr_conf_uint(timeouts, leaves[i], seconds[i]);
	c->mtu = (uint16_t)mr_conf_uint(conf, "mtu", 1500);
	c->cut = (uint16_t)mr_conf_uint(conf, "fragment-above", 1280);
	*at = mr_conf_child(conf, "fragment-above");
	if (c->cut > c->mtu) {
		snprintf(why, size, "fragment-above %u is more than the MTU, %u", c->cut, c->mtu);
		return false;
	}
	c->by_address = strcmp(mr_conf_text(conf, "filtering", ""), "address-dependent") == 0;
	c->private_too = !mr_conf_bool(conf, "global-only", true);
	return true;
}
