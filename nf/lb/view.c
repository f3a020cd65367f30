/* SPDX-License-Identifier: Apache-2.0 */
/* From a configuration to what workers read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/lb/control_int.h"

struct making {
	struct lb_view *v;
	const struct lb_view *before;
	uint32_t room; /* addresses that slots are made for */
	int rc;
};

static void
enter(struct lb_view *v, uint16_t n)
{
	const struct lb_address *a = &v->addresses[n];
	uint64_t words[3] = { 0, 0, a->vrf | (uint64_t)a->six << 16 };
	uint32_t at;

	memcpy(words, a->bytes, 16);
	at = (uint32_t)mr_hash_words(&v->key, words, 3);
	while (v->slots[at & v->mask] != LB_NONE)
		at++;
	v->slots[at & v->mask] = n;
}

/* A number that nobody has here, nor had before. */
static uint16_t
free_number(const struct making *m)
{
	for (uint32_t n = 0; n < LB_ADDRESSES_MAX; n++)
		if (!m->v->addresses[n].roles &&
		    (!m->before || n >= m->before->address_count || !m->before->addresses[n].roles))
			return (uint16_t)n;
	return LB_NONE;
}

static uint16_t
address(struct making *m, uint16_t vrf, const struct lb_ip *ip, unsigned roles)
{
	struct lb_view *v = m->v;
	uint16_t n = lb_address_find(v, vrf, ip->six, ip->bytes);

	if (n != LB_NONE) {
		v->addresses[n].roles |= (uint8_t)roles;
		return n;
	}
	if (m->before)
		n = lb_address_find(m->before, vrf, ip->six, ip->bytes);
	if (n == LB_NONE)
		n = free_number(m);
	if (n == LB_NONE) {
		m->rc = -ENOSPC;
		return 0;
	}
	v->addresses[n].vrf = vrf;
	v->addresses[n].six = ip->six;
	v->addresses[n].roles = (uint8_t)roles;
	memcpy(v->addresses[n].bytes, ip->bytes, 16);
	v->address_count = MR_MAX(v->address_count, n + 1u);
	enter(v, n);
	return n;
}

static bool
is_nat(const struct lb_conf_service *s)
{
	return s->settings.mode == LB_MODE_NAT || s->settings.mode == LB_MODE_FULL;
}

static void
add_service(struct making *m, const struct lb_conf_service *s)
{
	struct lb_view *v = m->v;
	struct lb_service *out = &v->services[s->number];

	*out = s->settings;
	out->vrf = s->vrf;
	for (unsigned i = 0; i < s->address_count; i++)
		(void)address(m, s->vrf, &s->addresses[i],
		    LB_ROLE_SERVICE | (s->ping ? LB_ROLE_PING : 0));
	for (unsigned i = 0; i < s->backend_count; i++) {
		const struct lb_conf_backend *b = &s->backends[i];
		struct lb_backend *to = &v->backends[b->number];

		*to = (struct lb_backend){ .max = b->max,
			.weight = b->weight,
			.port = is_nat(s) ? b->port : 0,
			.service = s->number,
			.number = LB_NONE,
			.six = b->ip.six };
		memcpy(to->address, b->ip.bytes, 16);
		if (is_nat(s))
			to->number = address(m, s->vrf, &b->ip, LB_ROLE_SERVER);
	}
}

static void
add_sources(struct making *m, const struct lb_conf_service *s, uint16_t *next)
{
	struct lb_service *out = &m->v->services[s->number];

	if (s->settings.mode != LB_MODE_FULL)
		return;
	out->source_first = *next;
	for (unsigned six = 0; six < 2; six++)
		for (unsigned i = 0; i < s->source_count; i++) {
			if (s->sources[i].six != six)
				continue;
			m->v->sources[(*next)++] =
			    address(m, s->vrf, &s->sources[i], LB_ROLE_SOURCE | LB_ROLE_PING);
			out->source_count[six]++;
		}
}

/* The rules of each address stand together. */
static void
add_rules(struct making *m, const struct lb_conf *c)
{
	struct lb_view *v = m->v;
	uint16_t next = 0;

	for (uint32_t n = 0; n < v->address_count; n++) {
		struct lb_address *a = &v->addresses[n];

		a->rule_first = next;
		for (unsigned i = 0; (a->roles & LB_ROLE_SERVICE) && i < c->service_count; i++) {
			const struct lb_conf_service *s = &c->services[i];
			bool here = false;

			for (unsigned k = 0; k < s->address_count; k++)
				here |= s->vrf == a->vrf && s->addresses[k].six == a->six &&
				    memcmp(s->addresses[k].bytes, a->bytes, 16) == 0;
			for (unsigned k = 0; here && k < s->port_count; k++)
				v->rules[next++] = (struct lb_rule){ s->ports[k].first,
					s->ports[k].last, s->number, s->settings.proto };
		}
		a->rule_count = (uint16_t)(next - a->rule_first);
	}
}

/* What a server's ports stand for, each with the number of its address for now in `certain`'s
 * place: by servers afterwards. */
struct reverse {
	struct lb_reverse r;
	uint16_t server, service;
};

static int
by_server(const void *a, const void *b)
{
	const struct reverse *x = a, *y = b;

	if (x->server != y->server)
		return x->server < y->server ? -1 : 1;
	return (x->r.first > y->r.first) - (x->r.first < y->r.first);
}

static uint32_t
list_reverses(struct making *m, const struct lb_conf *c, struct reverse *out)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < c->service_count; i++) {
		const struct lb_conf_service *s = &c->services[i];

		for (unsigned b = 0; is_nat(s) && b < s->backend_count; b++)
			for (unsigned a = 0; a < s->address_count; a++)
				for (unsigned p = 0; p < s->port_count; p++) {
					const struct lb_conf_backend *k = &s->backends[b];
					uint16_t place = lb_address_find(m->v, s->vrf,
					    s->addresses[a].six, s->addresses[a].bytes);

					if (s->addresses[a].six != k->ip.six)
						continue;
					if (out)
						out[n] = (struct reverse){
							{ k->port ? k->port : s->ports[p].first,
							    k->port ? k->port : s->ports[p].last,
							    place, k->port ? s->ports[p].first : 0,
							    s->settings.proto,
							    !k->port ||
								s->ports[p].first ==
								    s->ports[p].last },
							m->v->backends[k->number].number, s->number
						};
					n++;
				}
	}
	return n;
}

static void
add_reverses(struct making *m, const struct lb_conf *c)
{
	uint32_t count = list_reverses(m, c, NULL);
	struct reverse *all = calloc(count + 1, sizeof(*all));
	struct lb_view *v = m->v;

	v->reverses = calloc(count + 1, sizeof(*v->reverses));
	if (!all || !v->reverses || count > UINT16_MAX) {
		m->rc = !all || !v->reverses ? -ENOMEM : -ENOSPC;
		free(all);
		return;
	}
	(void)list_reverses(m, c, all);
	qsort(all, count, sizeof(*all), by_server);
	for (unsigned i = 0; i < c->service_count; i++)
		v->services[c->services[i].number].stateless =
		    c->services[i].settings.mode != LB_MODE_FULL;
	/* Two that overlap are both uncertain. */
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = i + 1;
		     k < count && all[k].server == all[i].server && all[k].r.first <= all[i].r.last;
		     k++)
			if (all[k].r.proto == all[i].r.proto)
				all[k].r.certain = all[i].r.certain = false;
	for (uint32_t i = 0; i < count; i++) {
		struct lb_address *a = &v->addresses[all[i].server];

		v->reverses[i] = all[i].r;
		if (!a->reverse_count++)
			a->reverse_first = (uint16_t)i;
		if (!all[i].r.certain)
			v->services[all[i].service].stateless = false;
	}
	free(all);
}

static int
allocate(struct lb_view *v, const struct lb_conf *c)
{
	size_t sources = 0, rules = 0, slots = 64;

	for (unsigned i = 0; i < c->service_count; i++) {
		const struct lb_conf_service *s = &c->services[i];

		v->service_end = MR_MAX(v->service_end, s->number + 1u);
		for (unsigned b = 0; b < s->backend_count; b++)
			v->backend_end = MR_MAX(v->backend_end, s->backends[b].number + 1u);
		sources += s->source_count;
		rules += (size_t)s->address_count * s->port_count;
		slots += s->address_count + s->source_count + s->backend_count;
	}
	if (rules > UINT16_MAX || sources > UINT16_MAX)
		return -ENOSPC;
	for (v->mask = 127; v->mask + 1 < 4 * slots; v->mask = v->mask * 2 + 1)
		;
	v->slots = malloc((v->mask + 1) * sizeof(*v->slots));
	v->addresses = calloc(LB_ADDRESSES_MAX, sizeof(*v->addresses));
	v->rules = calloc(rules + 1, sizeof(*v->rules));
	v->sources = calloc(sources + 1, sizeof(*v->sources));
	v->services = calloc(v->service_end + 1, sizeof(*v->services));
	v->backends = calloc(v->backend_end + 1, sizeof(*v->backends));
	if (!v->slots || !v->addresses || !v->rules || !v->sources || !v->services || !v->backends)
		return -ENOMEM;
	memset(v->slots, 0xff, (v->mask + 1) * sizeof(*v->slots));
	for (uint32_t i = 0; i < v->backend_end; i++)
		v->backends[i].service = LB_NONE;
	return 0;
}

int
lb_view_make(struct lb_view **out, const struct lb_conf *c, const struct lb_view *before,
    const struct mr_hash_key *key, struct mr_error *error)
{
	struct lb_view *v = calloc(1, sizeof(*v));
	struct making m = { .v = v, .before = before };
	uint16_t next = 0;

	if (!v)
		return mr_error_set(error, -ENOMEM, "no memory for services");
	v->key = *key;
	m.rc = allocate(v, c);
	for (unsigned i = 0; !m.rc && i < c->service_count; i++) {
		add_service(&m, &c->services[i]);
		add_sources(&m, &c->services[i], &next);
	}
	if (!m.rc)
		add_rules(&m, c);
	if (!m.rc)
		add_reverses(&m, c);
	if (m.rc) {
		lb_view_free(v);
		return mr_error_set(error, m.rc,
		    m.rc == -ENOSPC ? "more addresses and ports of services and servers than fit"
				    : "no memory for services");
	}
	*out = v;
	return 0;
}

void
lb_view_free(struct lb_view *v)
{
	if (!v)
		return;
	free(v->slots);
	free(v->addresses);
	free(v->rules);
	free(v->reverses);
	free(v->sources);
	free(v->services);
	free(v->backends);
	free(v);
}
