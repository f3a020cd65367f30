/* SPDX-License-Identifier: Apache-2.0 */
#include "control/see/attach_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/interface/interface.h"

#define COUNT_MAX 10000

/* A tcpdump expression, run over the packet's first segment. */
static bool
match(const void *arg, const uint8_t *bytes, unsigned len, unsigned total)
{
	const struct bpf_program *p = arg;

	return bpf_filter(p->bf_insns, bytes, total, len) != 0;
}

bool
see_compile(struct bpf_program *out, const char *expression, char *why, size_t size)
{
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, 262144);
	bool good;

	if (!dead) {
		snprintf(why, size, "no memory");
		return false;
	}
	good = pcap_compile(dead, out, expression, 1, PCAP_NETMASK_UNKNOWN) == 0;
	if (!good)
		snprintf(why, size, "filter \"%s\": %s", expression, pcap_geterr(dead));
	pcap_close(dead);
	return good;
}

bool
see_number(const struct mr_http_call *call, const char *name, uint32_t fallback, uint32_t max,
    uint32_t *out)
{
	const char *text = mr_http_param(call, name, NULL);
	char *end;
	unsigned long v;

	*out = fallback;
	if (!text)
		return true;
	errno = 0;
	v = strtoul(text, &end, 10);
	*out = (uint32_t)v;
	return *text >= '0' && *text <= '9' && !*end && !errno && v <= max;
}

static bool
points(const char *text, uint32_t *out)
{
	static const struct {
		const char *name;
		uint32_t point;
	} known[] = {
		{ "rx", MR_PROBE_RX },
		{ "tx", MR_PROBE_TX },
		{ "drop", MR_PROBE_DROP },
		{ "node", MR_PROBE_NODE },
	};

	*out = 0;
	while (*text) {
		size_t len = strcspn(text, ",");
		unsigned i;

		for (i = 0; i < MR_ARRAY_COUNT(known); i++)
			if (strlen(known[i].name) == len && !memcmp(known[i].name, text, len))
				break;
		if (i == MR_ARRAY_COUNT(known))
			return false;
		*out |= known[i].point;
		text += len + (text[len] == ',');
	}
	return *out != 0;
}

bool
see_node(const struct mr_graph *g, const char *name, uint16_t *out)
{
	for (unsigned i = 0; i < mr_graph_node_count(g); i++) {
		if (strcmp(mr_graph_node_name(g, (uint16_t)i), name) == 0) {
			*out = (uint16_t)i;
			return true;
		}
	}
	return false;
}

/* What the query says, into the probe's configuration; `why` when it cannot be. */
static bool
read_query(struct attachment *a, const struct mr_http_call *call, struct mr_probe_config *config,
    char *why, size_t size)
{
	struct mr_dataplane *dp = a->dp;
	const char *interface = mr_http_param(call, "interface", NULL);
	const char *node = mr_http_param(call, "node", NULL);
	const char *filter = mr_http_param(call, "filter", NULL);
	const struct mr_interface *i;

	if (interface) {
		i = mr_interface_find(mr_interfaces_of(dp), interface);
		if (!i) {
			snprintf(why, size, "there is no interface %s", interface);
			return false;
		}
		config->port = i->index;
	}
	if (node && !see_node(mr_dataplane_graph(dp), node, &config->node)) {
		snprintf(why, size, "there is no node %s (millrace show nodes lists them)", node);
		return false;
	}
	if (!see_number(call, "count", config->trace ? 10 : 0,
		config->trace ? COUNT_MAX : UINT32_MAX, &config->count) ||
	    (config->trace && config->count == 0)) {
		snprintf(why, size, "count is not a number up to %d", COUNT_MAX);
		return false;
	}
	if (!see_number(call, "snap", 0, 262144, &a->snap)) {
		snprintf(why, size, "snap is not a number of bytes");
		return false;
	}
	if (!config->trace &&
	    !points(mr_http_param(call, "points", node ? "node" : "rx,tx,drop"), &config->points)) {
		snprintf(why, size, "points are some of rx, tx, drop, node");
		return false;
	}
	if (filter && *filter) {
		a->filtered = see_compile(&a->filter, filter, why, size);
		if (!a->filtered)
			return false;
	}
	if (a->filtered) {
		config->match = match;
		config->match_arg = &a->filter;
	}
	a->count = config->count;
	return true;
}

struct attachment *
attachment_create(const struct mr_http_call *call, bool trace)
{
	struct mr_graph *g = mr_dataplane_graph(call->state);
	struct mr_probe_config config = {
		.trace = trace,
		.port = MR_PROBE_ANY,
		.node = MR_PROBE_ANY,
		.buffers = mr_dataplane_buffers(call->state),
		.workers = (uint16_t)mr_graph_worker_count(g),
	};
	struct attachment *a = calloc(1, sizeof(*a));
	struct mr_error error;
	char why[512];

	if (!a) {
		mr_http_fail(call, 503, "no memory");
		return NULL;
	}
	a->dp = call->state;
	if (!read_query(a, call, &config, why, sizeof(why))) {
		mr_http_fail(call, 400, "%s", why);
	} else if (mr_probe_create(&a->probe, &config, &error)) {
		mr_http_fail(call, 503, "%s", error.text);
	} else if (mr_graph_attach(g, a->probe, &error)) {
		mr_http_fail(call, 503, "%s", error.text);
		mr_probe_destroy(a->probe);
		a->probe = NULL;
	} else {
		return a;
	}
	attachment_destroy(a);
	return NULL;
}

void
attachment_destroy(struct attachment *a)
{
	if (!a)
		return;
	if (a->probe) {
		mr_graph_detach(mr_dataplane_graph(a->dp), a->probe);
		mr_probe_destroy(a->probe);
	}
	if (a->filtered)
		pcap_freecode(&a->filter);
	free(a);
}
