/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "control/sflow/sflow_int.h"

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

void
sflow_read(struct sflow_settings *s, const struct mr_config *config)
{
	const struct mr_conf *at = mr_conf_child(mr_conf_root(config), "sflow"), *entry;
	const char *agent = mr_conf_text(at, "agent-address", NULL);

	memset(s, 0, sizeof(*s));
	s->sub_agent = (uint32_t)mr_conf_uint(at, "sub-agent", 0);
	s->rate = (uint32_t)mr_conf_uint(at, "sampling-rate", 1000);
	s->polling = (uint32_t)mr_conf_uint(at, "polling-interval", 20);
	s->header = (uint16_t)mr_conf_uint(at, "header-bytes", 128);
	s->limit = (uint32_t)mr_conf_uint(at, "datagram-size", 1400);
	if (agent)
		read_address(&s->agent, agent, 0);
	if (!at)
		return;
	mr_conf_each(entry, at, "collector") {
		struct sflow_conf *c = &s->collectors[s->collector_count];

		if (s->collector_count == SFLOW_COLLECTORS_MAX)
			break;
		s->collector_count++;
		snprintf(c->name, sizeof(c->name), "%s", mr_conf_key(entry));
		c->to_size = read_address(&c->to, mr_conf_text(entry, "address", "127.0.0.1"),
		    (uint16_t)mr_conf_uint(entry, "port", 6343));
	}
	mr_conf_each(entry, at, "interface") {
		if (s->own_count == MR_PORT_MAX)
			break;
		snprintf(s->own[s->own_count].name, sizeof(s->own[0].name), "%s",
		    mr_conf_key(entry));
		s->own[s->own_count++].rate =
		    (uint32_t)mr_conf_uint(entry, "sampling-rate", s->rate);
	}
}

uint32_t
sflow_rate(const struct sflow_settings *s, const char *interface)
{
	for (unsigned i = 0; i < s->own_count; i++)
		if (strcmp(s->own[i].name, interface) == 0)
			return s->own[i].rate;
	return s->own_count ? 0 : s->rate;
}

void
sflow_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *at = mr_conf_child(mr_conf_root(config), "sflow"), *entry;
	unsigned count = 0;

	(void)state;
	if (!at)
		return;
	mr_conf_each(entry, at, "collector") {
		if (++count == SFLOW_COLLECTORS_MAX + 1)
			mr_report_at(report, config, entry, "is one too many: %u are the most",
			    SFLOW_COLLECTORS_MAX);
	}
}
