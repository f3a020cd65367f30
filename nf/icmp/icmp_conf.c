/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/icmp/control_int.h"

static uint32_t
number(const struct mr_conf *node, const char *leaf, uint32_t fallback)
{
	return (uint32_t)MR_MIN(mr_conf_uint(node, leaf, fallback), (uint64_t)UINT32_MAX);
}

static void
read_settings(struct icmp_settings *s, const struct mr_conf *icmp)
{
	const struct mr_conf *errors = mr_conf_child(icmp, "errors");
	const struct mr_conf *redirects = mr_conf_child(icmp, "redirects");
	const struct mr_conf *pieces = mr_conf_child(icmp, "reassembly");

	*s = icmp_defaults;
	s->flags = 0;
	if (mr_conf_bool(icmp, "echo", true))
		s->flags |= ICMP_ECHO;
	if (mr_conf_bool(icmp, "echo-broadcast", false))
		s->flags |= ICMP_ECHO_GROUPS;
	if (mr_conf_bool(icmp, "source-routes", false))
		s->flags |= ICMP_SOURCE_ROUTES;
	if (!mr_conf_bool(icmp, "router-alert", true))
		s->flags |= ICMP_ALERT_FORWARD;
	s->echo_rate = number(icmp, "echo-rate", s->echo_rate);
	s->echo_burst = MR_MAX(s->echo_rate / 10, 10u);
	s->error_rate = number(errors, "rate", s->error_rate);
	s->error_burst = number(errors, "burst", s->error_burst);
	s->destination_rate = number(errors, "destination-rate", s->destination_rate);
	s->destination_burst = number(errors, "destination-burst", s->destination_burst);
	s->redirect_rate = number(redirects, "rate", s->redirect_rate);
	s->redirect_interval = number(redirects, "interval", s->redirect_interval);
	s->reassembly.datagrams = number(pieces, "datagrams", s->reassembly.datagrams);
	s->reassembly.buffers = number(pieces, "buffers", s->reassembly.buffers);
	s->reassembly.fragments = (uint16_t)number(pieces, "fragments", s->reassembly.fragments);
	s->reassembly.per_source =
	    (uint16_t)number(pieces, "source-buffers", s->reassembly.per_source);
}

int
icmp_conf_read(struct icmp_part *part, const struct mr_config *config, struct mr_error *error)
{
	const struct mr_conf *router, *root = mr_conf_root(config);

	part->next_count = 0;
	part->next = calloc(mr_conf_count(root, "router") + 1, sizeof(*part->next));
	if (!part->next)
		return mr_error_set(error, -ENOMEM, "no memory");
	mr_conf_each(router, root, "router") {
		struct icmp_wanted *w = &part->next[part->next_count++];

		snprintf(w->name, sizeof(w->name), "%s", mr_conf_key(router));
		read_settings(&w->settings, mr_conf_child(router, "icmp"));
	}
	return 0;
}

void
icmp_conf_check(const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *router;

	mr_conf_each(router, mr_conf_root(config), "router") {
		const struct mr_conf *pieces =
		    mr_conf_child(mr_conf_child(router, "icmp"), "reassembly");
		uint64_t buffers =
		    mr_conf_uint(pieces, "buffers", icmp_defaults.reassembly.buffers);

		if (pieces && mr_conf_uint(pieces, "source-buffers", 0) > buffers)
			mr_report_at(report, config, mr_conf_child(pieces, "source-buffers"),
			    "one source cannot hold more than the %llu buffers that there are for "
			    "all",
			    (unsigned long long)buffers);
	}
}
