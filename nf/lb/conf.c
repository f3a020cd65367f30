/* SPDX-License-Identifier: Apache-2.0 */
/* From the configuration to plain structs. What YANG cannot say about what is wrong: check.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/lb/control_int.h"

const char *const lb_mode_names[] = {
	[LB_MODE_NAT] = "nat",
	[LB_MODE_FULL] = "nat-full",
	[LB_MODE_L2] = "l2",
	[LB_MODE_IPIP] = "ipip",
	[LB_MODE_GUE] = "gue",
};
const char *const lb_scheduler_names[] = {
	[LB_MAGLEV] = "maglev",
	[LB_WEIGHTED] = "weighted-round-robin",
	[LB_LEAST] = "least-connections",
};
static const char
    *const syn_names[] = { [LB_SYN_OFF] = "off", [LB_SYN_AUTO] = "auto", [LB_SYN_ON] = "on" };
static const char
    *const admin_names[] = { [MR_LB_UP] = "up", [MR_LB_DRAIN] = "drain", [MR_LB_DOWN] = "down" };
static const char *const check_names[] = { [MR_LB_CHECK_NONE] = "none",
	[MR_LB_CHECK_TCP] = "tcp",
	[MR_LB_CHECK_HTTP] = "http",
	[MR_LB_CHECK_UDP] = "udp",
	[MR_LB_CHECK_ICMP] = "icmp" };
static const struct {
	const char *leaf;
	uint32_t seconds;
} timeouts[] = {
#define X(id, leaf, seconds) [LB_TIMEOUT_##id] = { leaf, seconds },
	LB_TIMEOUTS(X)
#undef X
};

bool
lb_ip_read(const char *text, struct lb_ip *ip)
{
	memset(ip, 0, sizeof(*ip));
	if (inet_pton(AF_INET6, text, ip->bytes) == 1)
		ip->six = true;
	else if (inet_pton(AF_INET, text, ip->bytes) != 1)
		return false;
	return true;
}

bool
lb_ip_equal(const struct lb_ip *a, const struct lb_ip *b)
{
	return a->six == b->six && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

const char *
lb_ip_print(const uint8_t *bytes, bool six, char text[64])
{
	if (!inet_ntop(six ? AF_INET6 : AF_INET, bytes, text, 64))
		snprintf(text, 64, "?");
	return text;
}

bool
lb_ports_read(const char *text, struct lb_ports *p)
{
	unsigned long first, last;
	char *end;

	*p = (struct lb_ports){ 1, UINT16_MAX };
	if (strcmp(text, "all") == 0)
		return true;
	first = strtoul(text, &end, 10);
	last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
	if (*end || !first || last > UINT16_MAX || first > last)
		return false;
	*p = (struct lb_ports){ (uint16_t)first, (uint16_t)last };
	return true;
}

static unsigned
choice(const char *const *names, unsigned count, const char *text)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	return 0;
}
#define CHOICE(names, text) choice(names, MR_ARRAY_COUNT(names), text)

static int
read_ips(struct lb_ip **out, unsigned *count, const struct mr_conf *at, const char *name)
{
	const struct mr_conf *entry;

	*out = calloc(mr_conf_count(at, name) + 1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	mr_conf_each(entry, at, name)
		if (lb_ip_read(mr_conf_value(entry), &(*out)[*count]))
			(*count)++;
	return 0;
}

static void
read_check(struct mr_lb_check *c, const struct mr_conf *at)
{
	const char *status = mr_conf_text(at, "status", "200-399");
	/* Copies: the configuration may go. */
	const char *const texts[] = { "path", "host", "body", "send", "expect", "namespace" };
	const char **to[] = { &c->path, &c->host, &c->body, &c->send, &c->expect, &c->space };
	char *end;

	c->type = (enum mr_lb_check_type)CHOICE(check_names, mr_conf_text(at, "type", "none"));
	c->port = (uint16_t)mr_conf_uint(at, "port", 0);
	c->interval = (uint32_t)mr_conf_uint(at, "interval", 2000);
	c->timeout = (uint32_t)mr_conf_uint(at, "timeout", 1000);
	c->rise = (uint32_t)mr_conf_uint(at, "rise", 2);
	c->fall = (uint32_t)mr_conf_uint(at, "fall", 2);
	c->status_first = (uint16_t)strtoul(status, &end, 10);
	c->status_last = *end == '-' ? (uint16_t)strtoul(end + 1, NULL, 10) : c->status_first;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(texts); i++) {
		const char *text = mr_conf_text(at, texts[i], NULL);

		*to[i] = text ? strdup(text) : NULL;
	}
}

static int
read_backends(struct lb_conf_service *s, const struct mr_conf *at)
{
	uint32_t max = (uint32_t)mr_conf_uint(at, "max-connections", 0);
	const struct mr_conf *conf;

	s->backends = calloc(mr_conf_count(at, "backend") + 1, sizeof(*s->backends));
	if (!s->backends)
		return -ENOMEM;
	mr_conf_each(conf, at, "backend") {
		struct lb_conf_backend *b = &s->backends[s->backend_count++];

		snprintf(b->name, sizeof(b->name), "%s", mr_conf_key(conf));
		(void)lb_ip_read(mr_conf_text(conf, "address", ""), &b->ip);
		b->port = (uint16_t)mr_conf_uint(conf, "port", 0);
		b->weight = (uint16_t)mr_conf_uint(conf, "weight", 1);
		b->max = (uint32_t)mr_conf_uint(conf, "max-connections", max);
		b->admin = (enum mr_lb_admin)CHOICE(admin_names, mr_conf_text(conf, "state", "up"));
		b->number = LB_NONE;
	}
	return 0;
}

static int
read_ports(struct lb_conf_service *s, const struct mr_conf *at)
{
	const struct mr_conf *entry;

	s->ports = calloc(mr_conf_count(at, "port") + 1, sizeof(*s->ports));
	if (!s->ports)
		return -ENOMEM;
	mr_conf_each(entry, at, "port")
		if (lb_ports_read(mr_conf_value(entry), &s->ports[s->port_count]))
			s->port_count++;
	return 0;
}

static void
read_router(struct lb_conf_service *s, const struct mr_conf *root, const struct mr_conf *at)
{
	const struct mr_conf *first = mr_conf_child(root, "router"), *router;
	const char *name = mr_conf_text(at, "router", first ? mr_conf_key(first) : "");
	uint16_t n = 0;

	snprintf(s->router, sizeof(s->router), "%s", name);
	s->vrf = LB_NONE;
	mr_conf_each(router, root, "router") {
		if (strcmp(mr_conf_key(router), name) == 0)
			s->vrf = n;
		n++;
	}
}

static int
read_service(struct lb_conf_service *s, const struct mr_conf *root, const struct mr_conf *at)
{
	const struct mr_conf *times = mr_conf_child(at, "timeouts");
	struct lb_service *o = &s->settings;
	int rc;

	snprintf(s->name, sizeof(s->name), "%s", mr_conf_key(at));
	s->number = LB_NONE;
	read_router(s, root, at);
	o->present = true;
	o->mode = (uint8_t)CHOICE(lb_mode_names, mr_conf_text(at, "mode", "nat"));
	o->scheduler = (uint8_t)CHOICE(lb_scheduler_names, mr_conf_text(at, "scheduler", "maglev"));
	o->syn = (uint8_t)CHOICE(syn_names, mr_conf_text(at, "syn-protection", "auto"));
	o->proto = strcmp(mr_conf_text(at, "protocol", "tcp"), "udp") == 0 ? MR_IP_PROTO_UDP
									   : MR_IP_PROTO_TCP;
	o->gue_port = (uint16_t)mr_conf_uint(at, "gue-port", 6080);
	if (strcmp(mr_conf_text(at, "affinity", "none"), "source") == 0)
		o->sticky = (uint32_t)mr_conf_uint(at, "affinity-timeout", 10800);
	for (unsigned i = 0; i < LB_TIMEOUT_COUNT; i++)
		o->timeouts[i] =
		    (uint32_t)mr_conf_uint(times, timeouts[i].leaf, timeouts[i].seconds);
	s->drain_timeout = (uint32_t)mr_conf_uint(at, "drain-timeout", 300);
	s->drain_removed = strcmp(mr_conf_text(at, "on-removal", "drain"), "drain") == 0;
	s->ping = mr_conf_bool(at, "ping", true);
	read_check(&s->check, mr_conf_child(at, "health"));
	rc = read_ips(&s->addresses, &s->address_count, at, "address");
	if (!rc)
		rc = read_ips(&s->sources, &s->source_count, at, "source-address");
	if (!rc)
		rc = read_ports(s, at);
	return rc ? rc : read_backends(s, at);
}

int
lb_conf_read(struct lb_conf *out, const struct mr_config *config, struct mr_error *error)
{
	const struct mr_conf *root = mr_conf_root(config), *conf = mr_conf_child(root, "lb"), *at;

	memset(out, 0, sizeof(*out));
	out->max = (uint32_t)mr_conf_uint(conf, "max", 1u << 20);
	out->seeded = mr_conf_present(conf, "seed");
	out->seed = mr_conf_uint(conf, "seed", 0);
	out->interfaces = calloc(mr_conf_count(conf, "interface") + 1, sizeof(*out->interfaces));
	out->services = calloc(mr_conf_count(conf, "service") + 1, sizeof(*out->services));
	if (!out->interfaces || !out->services)
		goto no_memory;
	mr_conf_each(at, conf, "interface")
		snprintf(out->interfaces[out->interface_count++], MR_PORT_NAME_MAX, "%s",
		    mr_conf_value(at));
	mr_conf_each(at, conf, "service")
		if (read_service(&out->services[out->service_count++], root, at))
			goto no_memory;
	return 0;

no_memory:
	lb_conf_free(out);
	return mr_error_set(error, -ENOMEM, "no memory for the load balancer's services");
}

void
lb_conf_free(struct lb_conf *c)
{
	for (unsigned i = 0; i < c->service_count; i++) {
		struct lb_conf_service *s = &c->services[i];
		const char *const texts[] = { s->check.path, s->check.host, s->check.body,
			s->check.send, s->check.expect, s->check.space };

		for (unsigned t = 0; t < MR_ARRAY_COUNT(texts); t++)
			free((char *)(uintptr_t)texts[t]);
		free(s->addresses);
		free(s->sources);
		free(s->ports);
		free(s->backends);
	}
	free(c->services);
	free(c->interfaces);
	memset(c, 0, sizeof(*c));
}

struct lb_conf_service *
lb_conf_service(const struct lb_conf *c, const char *name)
{
	for (unsigned i = 0; i < c->service_count; i++)
		if (strcmp(c->services[i].name, name) == 0)
			return &c->services[i];
	return NULL;
}

struct lb_conf_backend *
lb_conf_backend(const struct lb_conf_service *s, const char *name)
{
	for (unsigned i = 0; i < s->backend_count; i++)
		if (!s->backends[i].leaving && strcmp(s->backends[i].name, name) == 0)
			return &s->backends[i];
	return NULL;
}
