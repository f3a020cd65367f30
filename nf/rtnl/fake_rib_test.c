/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/rtnl/fake_rib_int.h"

#define BUCKETS (1u << 16)

struct entry {
	struct entry *next;
	struct mr_route route;
	struct mr_route_hop hops[];
};

struct fake_rib fake_rib;
static struct entry *heads[BUCKETS];

static struct entry **
place_of(enum mr_ip_family family, const uint8_t prefix[16], unsigned len)
{
	uint32_t hash = len * 31 + (uint32_t)family;
	struct entry **at;

	for (unsigned i = 0; i < 16; i++)
		hash = hash * 16777619 ^ prefix[i];
	for (at = &heads[hash % BUCKETS]; *at; at = &(*at)->next)
		if ((*at)->route.family == family && (*at)->route.len == len &&
		    !memcmp((*at)->route.prefix, prefix, 16))
			break;
	return at;
}

int
mr_rib_set(struct mr_rib *rib, uint16_t vrf, const struct mr_route *r, struct mr_error *error)
{
	size_t size = r->hop_count * sizeof(*r->hops);
	struct entry **at = place_of(r->family, r->prefix, r->len), *new;

	(void)rib;
	(void)vrf;
	fake_rib.sets++;
	if (fake_rib.refuse)
		return mr_error_set(error, -EINVAL, "refused by the test");
	if (!r->hop_count)
		abort();
	new = malloc(sizeof(*new) + size);
	if (!new)
		abort();
	new->route = *r;
	memcpy(new->hops, r->hops, size);
	new->route.hops = new->hops;
	new->next = *at ? (*at)->next : NULL;
	fake_rib.routes += !*at;
	free(*at);
	*at = new;
	return 0;
}

int
mr_rib_unset(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family, const uint8_t prefix[16],
    unsigned len, enum mr_route_source source)
{
	struct entry **at = place_of(family, prefix, len), *old = *at;

	(void)rib;
	(void)vrf;
	(void)source;
	fake_rib.unsets++;
	if (!old)
		abort(); /* importers know what they gave */
	*at = old->next;
	free(old);
	fake_rib.routes--;
	return 0;
}

/* One route per prefix is enough here: whoever asks for this has just set another metric. */
int
mr_rib_unset_metric(struct mr_rib *rib, uint16_t vrf, enum mr_ip_family family,
    const uint8_t prefix[16], unsigned len, enum mr_route_source source, uint32_t metric)
{
	struct entry *e = *place_of(family, prefix, len);

	(void)rib;
	(void)vrf;
	(void)source;
	if (!e || e->route.metric == metric)
		abort();
	fake_rib.metrics++;
	return 0;
}

void
mr_rib_clear(struct mr_rib *rib, uint16_t vrf, enum mr_route_source source)
{
	(void)rib;
	(void)vrf;
	(void)source;
	for (unsigned i = 0; i < BUCKETS; i++) {
		struct entry *old;

		while ((old = heads[i]) != NULL) {
			heads[i] = old->next;
			free(old);
		}
	}
	fake_rib.routes = 0;
}

void
mr_rib_settle(struct mr_rib *rib)
{
	(void)rib;
	fake_rib.settles++;
}

void
fake_rib_reset(void)
{
	mr_rib_clear(NULL, 0, MR_ROUTE_KERNEL);
	memset(&fake_rib, 0, sizeof(fake_rib));
}

static struct entry *
find(const char *text)
{
	char address[64];
	uint8_t prefix[16] = { 0 };
	const char *slash = strchr(text, '/');

	snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	if (inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, address, prefix) != 1)
		abort();
	return *place_of(strchr(text, ':') ? MR_IP6 : MR_IP4, prefix, (unsigned)atoi(slash + 1));
}

bool
fake_rib_find(const char *prefix, struct mr_route *out)
{
	const struct entry *e = find(prefix);

	if (e)
		*out = e->route;
	return e != NULL;
}

static void
print_hops(const struct entry *e, char *out, size_t size)
{
	static const char *const specials[MR_IP_SPECIALS] = {
		[MR_IP_SPECIAL_BLACKHOLE] = "blackhole",
		[MR_IP_SPECIAL_UNREACHABLE] = "unreachable",
		[MR_IP_SPECIAL_PROHIBIT] = "prohibit",
	};
	size_t n = 0;

	out[0] = 0;
	for (unsigned i = 0; i < e->route.hop_count && n < size; i++) {
		const struct mr_route_hop *h = &e->hops[i];
		char address[64] = "", at[16] = "", weight[16] = "";

		if (h->kind == MR_HOP_VIA)
			inet_ntop(h->family == MR_IP4 ? AF_INET : AF_INET6, h->address, address,
			    sizeof(address));
		if (h->interface)
			snprintf(at, sizeof(at), "@%u", h->interface);
		if (h->weight != 1)
			snprintf(weight, sizeof(weight), "*%u", h->weight);
		n += (size_t)snprintf(out + n, size - n, "%s%s%s%s", i ? " " : "",
		    h->kind == MR_HOP_SPECIAL ? specials[h->special] : address, at, weight);
	}
}

const char *
fake_rib_hops(const char *prefix)
{
	static char text[32768];
	const struct entry *e = find(prefix);

	text[0] = 0;
	if (e)
		print_hops(e, text, sizeof(text));
	return text;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *
fake_rib_print(void)
{
	char **lines = calloc(fake_rib.routes + 1, sizeof(*lines)), *all = NULL, hops[32768];
	char address[64];
	unsigned n = 0;
	size_t size;
	FILE *f;

	for (unsigned i = 0; i < BUCKETS; i++) {
		for (const struct entry *e = heads[i]; e; e = e->next) {
			inet_ntop(e->route.family == MR_IP4 ? AF_INET : AF_INET6, e->route.prefix,
			    address, sizeof(address));
			print_hops(e, hops, sizeof(hops));
			if (asprintf(&lines[n++], "%s/%u %s\n", address, e->route.len, hops) < 0)
				abort();
		}
	}
	qsort(lines, n, sizeof(*lines), by_text);
	f = open_memstream(&all, &size);
	for (unsigned i = 0; i < n; i++) {
		fputs(lines[i], f);
		free(lines[i]);
	}
	fclose(f);
	free(lines);
	return all;
}
