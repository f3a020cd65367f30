/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/nat/alg.h"
#include "nf/nat/control_int.h"

static const struct {
	const char *leaf;
	uint32_t seconds;
} timeouts[] = {
#define X(id, leaf, s) [NAT_TIME_##id] = { leaf, s },
	NAT_TIMEOUTS(X)
#undef X
};

be32_t
nat_conf_address(const char *text)
{
	be32_t a = 0;

	(void)inet_pton(AF_INET, text, &a);
	return a;
}

/* "a", "a/len" or "a-b"; the model has seen to it that it is one of these. */
struct nat_range
nat_conf_range(const char *text)
{
	char first[64], *cut;
	struct nat_range r;

	snprintf(first, sizeof(first), "%s", text);
	cut = strpbrk(first, "/-");
	if (!cut) {
		r.first = r.last = mr_be32(nat_conf_address(first));
	} else if (*cut == '-') {
		*cut = '\0';
		r.first = mr_be32(nat_conf_address(first));
		r.last = mr_be32(nat_conf_address(cut + 1));
	} else {
		unsigned bits = (unsigned)strtoul(cut + 1, NULL, 10);
		uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;

		*cut = '\0';
		r.first = mr_be32(nat_conf_address(first)) & mask;
		r.last = r.first | ~mask;
	}
	return r;
}

void
nat_conf_ports(const char *text, uint16_t *first, uint16_t *last)
{
	unsigned a = 0, b = 0;
	int n = sscanf(text, "%u-%u", &a, &b);

	*first = (uint16_t)a;
	*last = (uint16_t)(n == 2 ? b : a);
}

int
nat_conf_ranges(struct nat_ranges *out, const struct mr_conf *conf, const char *name)
{
	const struct mr_conf *at;

	out->at = calloc(mr_conf_count(conf, name) + 1, sizeof(*out->at));
	if (!out->at)
		return -ENOMEM;
	mr_conf_each(at, conf, name)
		out->at[out->count++] = nat_conf_range(mr_conf_value(at));
	return 0;
}

static int
read_names(struct nat_names *out, const struct mr_config *config, const struct mr_conf *conf,
    const char *name)
{
	const struct mr_conf *at;
	const char *port;

	out->at = calloc(mr_conf_count(conf, name) + 1, sizeof(*out->at));
	if (!out->at)
		return -ENOMEM;
	mr_conf_each(at, conf, name) {
		struct nat_place *place = &out->at[out->count];

		if (!mr_interface_place(config, mr_conf_value(at), &port, &place->vlan))
			continue;
		snprintf(place->port, sizeof(place->port), "%s", port);
		out->count++;
	}
	return 0;
}

static uint8_t
read_behavior(const struct mr_conf *conf, const char *leaf)
{
	const char *text = mr_conf_text(conf, leaf, "endpoint-independent");

	return strcmp(text, "address-dependent") == 0         ? NAT_ADDRESS_DEPENDENT
	    : strcmp(text, "address-and-port-dependent") == 0 ? NAT_PORT_DEPENDENT
							      : NAT_ENDPOINT_INDEPENDENT;
}

void
nat_conf_pool(struct nat_pool_config *out, const struct mr_conf *conf)
{
	const struct mr_conf *limits = mr_conf_child(conf, "limits");

	nat_conf_ports(mr_conf_text(conf, "ports", "1024-65535"), &out->port_first,
	    &out->port_last);
	out->paired = mr_conf_bool(conf, "paired", true);
	out->preserve_port = mr_conf_bool(conf, "port-preservation", true);
	out->preserve_parity = mr_conf_bool(conf, "parity", true);
	out->subscriber_ports[NAT_TCP] = (uint32_t)mr_conf_uint(limits, "tcp", 0);
	out->subscriber_ports[NAT_UDP] = (uint32_t)mr_conf_uint(limits, "udp", 0);
	out->subscriber_ports[NAT_ICMP] = (uint32_t)mr_conf_uint(limits, "icmp", 0);
	out->subscriber_sessions = (uint32_t)mr_conf_uint(limits, "sessions", 0);
	out->subscriber_rate = (uint32_t)mr_conf_uint(limits, "rate", 0);
	out->subscribers_max = (uint32_t)mr_conf_uint(limits, "subscribers", 65536);
	out->quarantine_seconds = (uint32_t)mr_conf_uint(conf, "quarantine", 0);
	nat_cgnat_read(out, conf);
}

static int
read_static(struct nat_conf_instance *out, const struct mr_conf *conf)
{
	const struct mr_conf *at;

	out->statics = calloc(mr_conf_count(conf, "static") + 1, sizeof(*out->statics));
	out->forwards = calloc(mr_conf_count(conf, "forward") + 1, sizeof(*out->forwards));
	if (!out->statics || !out->forwards)
		return -ENOMEM;
	mr_conf_each(at, conf, "static")
		out->statics[out->static_count++] =
		    (struct nat_conf_static){ nat_conf_address(mr_conf_text(at, "outside", "")),
			    nat_conf_address(mr_conf_text(at, "inside", "")) };
	mr_conf_each(at, conf, "forward") {
		struct nat_conf_forward *f = &out->forwards[out->forward_count++];

		f->protocol = strcmp(mr_conf_text(at, "protocol", "tcp"), "tcp") == 0
		    ? MR_IP_PROTO_TCP
		    : MR_IP_PROTO_UDP;
		f->outside = nat_conf_address(mr_conf_text(at, "outside", "0.0.0.0"));
		f->to = nat_conf_address(mr_conf_text(at, "to", ""));
		nat_conf_ports(mr_conf_text(at, "port", "0"), &f->first, &f->last);
		f->to_port = (uint16_t)mr_conf_uint(at, "to-port", f->first);
	}
	return 0;
}

const struct nat_alg *
nat_conf_alg(const char *name)
{
	for (unsigned i = 0; nat_alg_list[i]; i++)
		if (strcmp(nat_alg_list[i]->name, name) == 0)
			return nat_alg_list[i];
	return NULL;
}

static int
read_algs(struct nat_conf_instance *out, const struct mr_conf *conf)
{
	const struct mr_conf *at;
	unsigned n = 0;

	out->algs = calloc(mr_conf_count(conf, "alg") + 1, sizeof(*out->algs));
	if (!out->algs)
		return -ENOMEM;
	mr_conf_each(at, conf, "alg")
		if (nat_conf_alg(mr_conf_value(at)))
			out->algs[n++] = nat_conf_alg(mr_conf_value(at));
	return 0;
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct nat_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Servers of these modes have the service's address and answer with it. */
static bool
answers_itself(const struct mr_conf *service)
{
	const char *mode = mr_conf_text(service, "mode", "nat");

	return strcmp(mode, "nat") != 0 && strcmp(mode, "nat-full") != 0;
}

/* IPv4 addresses of the load balancer's services in the instance's router, in order. */
static int
read_services(struct nat_ranges *out, const struct mr_config *config, const struct mr_conf *conf)
{
	const struct mr_conf *lb = mr_conf_child(mr_conf_root(config), "lb"), *service, *at;
	const struct mr_conf *first = mr_conf_child(mr_conf_root(config), "router");
	const struct mr_conf *router = lb && first ? nat_conf_router(config, conf) : NULL;
	unsigned count = 0, kept = 0;

	mr_conf_each(service, lb, "service")
		count += (unsigned)mr_conf_count(service, "address");
	out->at = calloc(count + 1, sizeof(*out->at));
	if (!out->at)
		return -ENOMEM;
	mr_conf_each(service, lb, "service") {
		mr_conf_each(at, service, "address") {
			if (strchr(mr_conf_value(at), ':') || !answers_itself(service) || !router ||
			    strcmp(mr_conf_text(service, "router", mr_conf_key(first)),
				mr_conf_key(router)) != 0)
				continue;
			out->at[out->count++] = nat_conf_range(mr_conf_value(at));
		}
	}
	qsort(out->at, out->count, sizeof(*out->at), compare_ranges);
	for (unsigned i = 0; i < out->count; i++) {
		struct nat_range *last = kept ? &out->at[kept - 1] : NULL;

		if (last && out->at[i].first <= (uint64_t)last->last + 1)
			last->last = out->at[i].last;
		else
			out->at[kept++] = out->at[i];
	}
	out->count = kept;
	return 0;
}

static int
read_instance(struct nat_conf_instance *out, const struct mr_config *config,
    const struct mr_conf *conf)
{
	const struct mr_conf *times = mr_conf_child(conf, "timeouts");
	const struct mr_conf *pcp = mr_conf_child(conf, "pcp");
	int rc;

	snprintf(out->name, sizeof(out->name), "%s", mr_conf_key(conf));
	rc = read_names(&out->outside, config, conf, "outside");
	if (!rc)
		rc = read_names(&out->inside, config, conf, "inside");
	if (!rc)
		rc = nat_conf_ranges(&out->pool, conf, "pool");
	if (!rc)
		rc = nat_conf_ranges(&out->sources, conf, "source");
	if (!rc)
		rc = nat_conf_ranges(&out->excludes, conf, "exclude");
	if (!rc)
		rc = read_services(&out->services, config, conf);
	if (!rc)
		rc = read_static(out, conf);
	if (!rc)
		rc = read_algs(out, conf);
	if (rc)
		return rc;
	out->mapping = read_behavior(conf, "mapping");
	out->filtering = read_behavior(conf, "filtering");
	out->inbound_refresh = mr_conf_bool(conf, "inbound-refresh", false);
	out->hold_syn = (uint32_t)mr_conf_uint(conf, "hold-syn", 6);
	for (unsigned i = 0; i < NAT_TIME_COUNT; i++)
		out->timeouts[i] =
		    (uint32_t)mr_conf_uint(times, timeouts[i].leaf, timeouts[i].seconds);
	nat_conf_pool(&out->ports, conf);
	out->overload = mr_conf_bool(conf, "port-overloading", false);
	out->pcp = mr_conf_bool(pcp, "enabled", false);
	out->nat_pmp = mr_conf_bool(pcp, "nat-pmp", true);
	out->lease_min = (uint32_t)mr_conf_uint(pcp, "lifetime-min", 120);
	out->lease_max = (uint32_t)mr_conf_uint(pcp, "lifetime-max", 86400);
	out->logged = mr_conf_bool(conf, "log-mappings", false);
	return 0;
}

/* An instance keeps its number; a new one gets one that none has or had before. */
static int
give_numbers(struct nat_conf *out, const struct nat_conf *before, struct mr_error *error)
{
	bool used[NAT_INSTANCES_MAX + 1] = { false };

	for (unsigned b = 0; b < before->count; b++)
		used[before->instances[b].number] = true;
	for (unsigned i = 0; i < out->count; i++)
		for (unsigned b = 0; b < before->count; b++)
			if (strcmp(out->instances[i].name, before->instances[b].name) == 0)
				out->instances[i].number = before->instances[b].number;
	for (unsigned i = 0; i < out->count; i++) {
		unsigned n = 1;

		if (out->instances[i].number)
			continue;
		while (n <= NAT_INSTANCES_MAX && used[n])
			n++;
		if (n > NAT_INSTANCES_MAX)
			return mr_error_set(error, -ENOSPC, "more than %u instances of nat",
			    NAT_INSTANCES_MAX);
		used[n] = true;
		out->instances[i].number = (uint8_t)n;
	}
	return 0;
}

int
nat_conf_read(struct nat_conf *out, const struct mr_config *config, const struct nat_conf *before,
    struct mr_error *error)
{
	const struct mr_conf *conf = mr_conf_child(mr_conf_root(config), "nat"), *at;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	out->max = (uint32_t)mr_conf_uint(conf, "max", 1u << 20);
	nat_journal_read(&out->log, conf);
	out->instances = calloc(mr_conf_count(conf, "instance") + 1, sizeof(*out->instances));
	if (!out->instances)
		return mr_error_set(error, -ENOMEM, "no memory");
	mr_conf_each(at, conf, "instance") {
		rc = rc ? rc : read_instance(&out->instances[out->count], config, at);
		out->count++;
	}
	if (rc)
		mr_error_set(error, rc, "no memory");
	else
		rc = give_numbers(out, before, error);
	if (rc)
		nat_conf_free(out);
	return rc;
}

void
nat_conf_free(struct nat_conf *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct nat_conf_instance *n = &c->instances[i];

		free(n->outside.at);
		free(n->inside.at);
		free(n->pool.at);
		free(n->sources.at);
		free(n->excludes.at);
		free(n->services.at);
		free(n->algs);
		free(n->statics);
		free(n->forwards);
	}
	free(c->instances);
	c->instances = NULL;
	c->count = 0;
}
