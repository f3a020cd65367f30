/* SPDX-License-Identifier: Apache-2.0 */

/* Which drops a client asks for. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/see/drops_int.h"
#include "nf/interface/interface.h"

#define SINCE_MAX 31536000.0 /* a year */

void
drop_id(const struct mr_flight_drop *d, char text[DROP_ID_MAX])
{
	snprintf(text, DROP_ID_MAX, "%u:%" PRIu64, d->worker, d->number);
}

bool
drop_id_read(const char *text, uint16_t *worker, uint64_t *number)
{
	char *end;
	unsigned long w;

	if (*text < '0' || *text > '9')
		return false;
	w = strtoul(text, &end, 10);
	if (w >= MR_GRAPH_WORKERS_MAX || *end != ':' || end[1] < '0' || end[1] > '9')
		return false;
	errno = 0;
	*worker = (uint16_t)w;
	*number = strtoull(end + 1, &end, 10);
	return !errno && !*end;
}

const struct mr_flight_drop *
drop_find(const struct mr_flight_list *list, const char *id)
{
	uint64_t number;
	uint16_t worker;

	if (!drop_id_read(id, &worker, &number))
		return NULL;
	for (size_t i = 0; i < list->count; i++)
		if (list->drops[i].number == number && list->drops[i].worker == worker)
			return &list->drops[i];
	return NULL;
}

const char *
drop_reason(const struct mr_flight_drop *d)
{
	return d->reason < d->class->drop_count ? d->class->drops[d->reason].name : "?";
}

const char *
drop_why(const struct mr_flight_drop *d)
{
	return d->reason < d->class->drop_count ? d->class->drops[d->reason].doc : "";
}

/* Whether any node there has this reason. */
static bool
is_reason(const struct mr_graph *g, const char *name)
{
	for (unsigned n = 0; n < mr_graph_node_count(g); n++) {
		const struct mr_node_class *class = mr_graph_node_class(g, (uint16_t)n);

		for (unsigned i = 0; class && i < class->drop_count; i++)
			if (strcmp(class->drops[i].name, name) == 0)
				return true;
	}
	return false;
}

/* "since": a drop's id, or seconds. */
static bool
read_since(struct selection *s, const char *text)
{
	const struct mr_graph *g = mr_dataplane_graph(s->dp);
	const struct mr_flight_drop *d;
	struct mr_flight_list *list;
	uint64_t number;
	uint16_t worker;
	double seconds;
	char *end;

	if (drop_id_read(text, &worker, &number)) {
		if (mr_flight_read(g, NULL, &list, NULL))
			return true;
		d = drop_find(list, text);
		/* It is gone: all that are there came behind it. */
		s->after = d ? d->cycles : 0;
		mr_flight_list_free(list);
		return true;
	}
	seconds = strtod(text, &end);
	if (end == text || *end || !(seconds >= 0 && seconds <= SINCE_MAX))
		return false;
	number = (uint64_t)(seconds * (double)mr_graph_hz(g));
	s->after = mr_cycles() > number ? mr_cycles() - number : 0;
	return true;
}

static bool
is_true(const char *text)
{
	return text && strcmp(text, "0") != 0 && strcmp(text, "false") != 0;
}

bool
selection_read(struct selection *s, const struct mr_http_call *call, uint32_t count)
{
	struct mr_dataplane *dp = call->state;
	const struct mr_graph *g = mr_dataplane_graph(dp);
	const char *node = mr_http_param(call, "node", "");
	const char *reason = mr_http_param(call, "reason", "");
	const char *interface = mr_http_param(call, "interface", "");
	const char *filter = mr_http_param(call, "filter", "");
	const char *since = mr_http_param(call, "since", "");
	const struct mr_interface *i = NULL;
	char why[512];
	uint16_t index;

	memset(s, 0, sizeof(*s));
	s->dp = dp;
	s->port = MR_FLIGHT_NO_PORT;
	if (is_true(mr_http_param(call, "follow", NULL)))
		count = 0;
	if (*interface)
		i = mr_interface_find(mr_interfaces_of(dp), interface);
	if (*interface && !i) {
		mr_http_fail(call, 400, "there is no interface %s", interface);
	} else if (*node && !see_node(g, node, &index)) {
		mr_http_fail(call, 400, "there is no node %s (millrace show nodes lists them)",
		    node);
	} else if (*reason && !is_reason(g, reason)) {
		mr_http_fail(call, 400,
		    "no node drops for the reason %s (millrace show drops --all lists them)",
		    reason);
	} else if (!see_number(call, "count", count, 1000000, &s->count)) {
		mr_http_fail(call, 400, "count is not a number up to 1000000");
	} else if (*since && !read_since(s, since)) {
		mr_http_fail(call, 400, "since is a drop's id or a number of seconds");
	} else if (*filter && !see_compile(&s->filter, filter, why, sizeof(why))) {
		mr_http_fail(call, 400, "%s", why);
	} else {
		s->filtered = *filter != 0;
		s->port = i ? i->index : MR_FLIGHT_NO_PORT;
		snprintf(s->node, sizeof(s->node), "%s", node);
		snprintf(s->reason, sizeof(s->reason), "%s", reason);
		return true;
	}
	return false;
}

void
selection_free(struct selection *s)
{
	if (s->filtered)
		pcap_freecode(&s->filter);
	s->filtered = false;
}

bool
selection_has(const struct selection *s, const struct mr_flight_drop *d)
{
	return d->cycles > s->after && (s->port == MR_FLIGHT_NO_PORT || d->port == s->port) &&
	    (!*s->node || strcmp(d->node, s->node) == 0) &&
	    (!*s->reason || strcmp(drop_reason(d), s->reason) == 0) &&
	    (!s->filtered || bpf_filter(s->filter.bf_insns, d->bytes, d->length, d->kept) != 0);
}

void
selection_apply(const struct selection *s, struct mr_flight_list *list)
{
	size_t n = 0, from;

	for (size_t i = 0; i < list->count; i++)
		if (selection_has(s, &list->drops[i]))
			list->drops[n++] = list->drops[i];
	from = n > s->count ? n - s->count : 0;
	memmove(list->drops, list->drops + from, (n - from) * sizeof(list->drops[0]));
	list->count = n - from;
}
