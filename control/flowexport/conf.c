/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "control/flowexport/flowexport_int.h"

/* The model has seen to it that it is an address. */
static socklen_t
read_address(struct sockaddr_storage *to, const char *text, uint16_t port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)to;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (strchr(text, ':')) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		inet_pton(AF_INET6, text, &six->sin6_addr);
		return sizeof(*six);
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(port);
	inet_pton(AF_INET, text, &four->sin_addr);
	return sizeof(*four);
}

static void
read_collector(struct collector_conf *c, const struct mr_conf *at)
{
	const char *source = mr_conf_text(at, "source", NULL);

	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", mr_conf_key(at));
	c->protocol = strcmp(mr_conf_text(at, "protocol", "ipfix"), "ipfix") == 0
	    ? MESSAGE_IPFIX
	    : MESSAGE_NETFLOW9;
	c->tcp = strcmp(mr_conf_text(at, "transport", "udp"), "tcp") == 0;
	c->to_size = read_address(&c->to, mr_conf_text(at, "address", "127.0.0.1"),
	    (uint16_t)mr_conf_uint(at, "port", 4739));
	if (source)
		read_address(&c->from, source, 0);
	c->domain = (uint32_t)mr_conf_uint(at, "observation-domain", 0);
	c->limit = (uint32_t)mr_conf_uint(at, "message-size", 1400);
	c->refresh = (uint32_t)mr_conf_uint(at, "template-refresh", 60);
}

void
flow_export_read(struct export_settings *s, const struct mr_config *config)
{
	const struct mr_conf *at = mr_conf_child(mr_conf_root(config), "flow-export"), *entry;

	memset(s, 0, sizeof(*s));
	s->walk.active = (uint32_t)mr_conf_uint(at, "active-timeout", 60);
	s->walk.idle = (uint32_t)mr_conf_uint(at, "idle-timeout", 15);
	if (!at)
		return;
	mr_conf_each(entry, at, "collector") {
		if (s->collector_count < COLLECTORS_MAX)
			read_collector(&s->collectors[s->collector_count++], entry);
	}
	if (!s->collector_count)
		return;
	s->ledger.flows = (uint32_t)mr_conf_uint(at, "flows", 1048576);
	mr_conf_each(entry, at, "interface") {
		if (s->ledger.name_count == MR_PORT_MAX)
			break;
		snprintf(s->ledger.names[s->ledger.name_count++], MR_PORT_NAME_MAX, "%s",
		    mr_conf_key(entry));
	}
	s->ledger.all = s->ledger.name_count == 0;
}

void
flow_export_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *at = mr_conf_child(mr_conf_root(config), "flow-export"), *entry;
	unsigned count = 0;

	(void)state;
	if (!at)
		return;
	mr_conf_each(entry, at, "collector") {
		const char *to = mr_conf_text(entry, "address", "");
		const char *from = mr_conf_text(entry, "source", NULL);

		if (from && !strchr(from, ':') != !strchr(to, ':'))
			mr_report_at(report, config, mr_conf_child(entry, "source"),
			    "is of another family than the collector's address %s", to);
		if (++count == COLLECTORS_MAX + 1)
			mr_report_at(report, config, entry, "is one too many: %u are the most",
			    COLLECTORS_MAX);
	}
}
