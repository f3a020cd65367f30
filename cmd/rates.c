/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/rates.h"

#include <stdlib.h>
#include <string.h>

#include "kit/base/def.h"

/* Two looks and what lies between them. */
struct span {
	const struct mr_look *before, *now;
	double seconds, hz;
	double busy; /* cycles of all workers */
};

static double
number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const char *
text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static bool
same(const json_t *a, const json_t *b, const char *key)
{
	return !key || json_equal(json_object_get(a, key), json_object_get(b, key));
}

/* The row that was this one at the last look. It is most often at the same place. */
static const json_t *
row_before(const json_t *rows, size_t place, const json_t *row, const char *key, const char *key2)
{
	const json_t *r = json_array_get(rows, place);
	size_t i;

	if (r && same(r, row, key) && same(r, row, key2))
		return r;
	json_array_foreach(rows, i, r) if (same(r, row, key) && same(r, row, key2)) return r;
	return NULL;
}

/* What a counter grew by. One that began anew (a device that came back) counts from 0. */
static double
grown(const json_t *before, const json_t *now, const char *key)
{
	double was = number(before, key), is = number(now, key);

	return is >= was ? is - was : is;
}

static double
rate(const struct span *s, const json_t *before, const json_t *now, const char *key)
{
	return s->seconds > 0 ? grown(before, now, key) / s->seconds : 0;
}

static void
set(json_t *o, const char *key, double v)
{
	json_object_set_new(o, key, json_real(v));
}

static void
set_same(json_t *o, const char *key, const json_t *row)
{
	json_t *v = json_object_get(row, key);

	if (v)
		json_object_set(o, key, v);
}

static json_t *
workers(struct span *s)
{
	const json_t *was = json_object_get(s->before->system, "worker"), *row;
	json_t *out = json_array();
	size_t i;

	json_array_foreach(json_object_get(s->now->system, "worker"), i, row)
	{
		const json_t *before = row_before(was, i, row, "id", NULL);
		double busy = grown(before, row, "busy-cycles");
		json_t *o = json_object();

		s->busy += busy;
		set_same(o, "id", row);
		set_same(o, "cpu", row);
		set_same(o, "state", row);
		set(o, "busy-percent",
		    s->seconds > 0 && s->hz > 0 ? MR_MIN(100.0, 100 * busy / (s->seconds * s->hz))
						: 0);
		set(o, "packets-per-second", rate(s, before, row, "packets"));
		json_array_append_new(out, o);
	}
	return out;
}

static json_t *
interfaces(const struct span *s)
{
	static const char *const lost[] = { "rx-errors", "rx-no-buffer", "rx-device-drops",
		"tx-errors", "tx-gone", "tx-device-drops" };
	json_t *out = json_array();
	const json_t *row;
	size_t i;

	json_array_foreach(s->now->interfaces, i, row)
	{
		const json_t *before = row_before(s->before->interfaces, i, row, "name", NULL);
		const json_t *b = json_object_get(before, "counters");
		const json_t *n = json_object_get(row, "counters");
		json_t *o = json_object();
		double drops = 0;

		set_same(o, "name", row);
		set_same(o, "state", row);
		set(o, "rx-packets-per-second", rate(s, b, n, "rx-packets"));
		set(o, "rx-bits-per-second", 8 * rate(s, b, n, "rx-bytes"));
		set(o, "tx-packets-per-second", rate(s, b, n, "tx-packets"));
		set(o, "tx-bits-per-second", 8 * rate(s, b, n, "tx-bytes"));
		for (unsigned k = 0; k < MR_ARRAY_COUNT(lost); k++)
			drops += rate(s, b, n, lost[k]);
		set(o, "drops-per-second", drops);
		json_array_append_new(out, o);
	}
	return out;
}

/* An array of objects in falling order of a number. */
static json_t *
sorted(json_t *rows, const char *key)
{
	json_t *out = json_array(), *row;

	while (json_array_size(rows) > 0) {
		size_t best = 0, i;

		json_array_foreach(rows, i,
		    row) if (number(row, key) > number(json_array_get(rows, best), key)) best = i;
		json_array_append(out, json_array_get(rows, best));
		json_array_remove(rows, best);
	}
	json_decref(rows);
	return out;
}

static json_t *
nodes(const struct span *s)
{
	const json_t *was = json_object_get(s->before->system, "node"), *row;
	json_t *out = json_array();
	size_t i;

	json_array_foreach(json_object_get(s->now->system, "node"), i, row)
	{
		const json_t *before = row_before(was, i, row, "name", NULL);
		double calls = grown(before, row, "calls"), packets = grown(before, row, "packets");
		double cycles = grown(before, row, "cycles");
		json_t *o;

		if (number(row, "packets") == 0 && packets == 0)
			continue;
		o = json_object();
		set_same(o, "name", row);
		set(o, "packets-per-second", rate(s, before, row, "packets"));
		set(o, "packets-per-call", calls > 0 ? packets / calls : 0);
		set(o, "cycles-per-packet", packets > 0 ? cycles / packets : 0);
		set(o, "busy-percent", s->busy > 0 ? MR_MIN(100.0, 100 * cycles / s->busy) : 0);
		json_array_append_new(out, o);
	}
	return sorted(out, "busy-percent");
}

static json_t *
drops(const struct span *s)
{
	const json_t *was = json_object_get(s->before->system, "drop"), *row;
	json_t *out = json_array();
	size_t i;

	json_array_foreach(json_object_get(s->now->system, "drop"), i, row)
	{
		json_t *o;

		if (number(row, "packets") == 0)
			continue;
		o = json_object();
		set_same(o, "node", row);
		set_same(o, "reason", row);
		set(o, "packets-per-second",
		    rate(s, row_before(was, i, row, "node", "reason"), row, "packets"));
		set_same(o, "packets", row);
		json_array_append_new(out, o);
	}
	return sorted(out, "packets-per-second");
}

json_t *
mr_rates(const struct mr_look *before, const struct mr_look *now)
{
	double uptime = number(now->system, "uptime"), was = number(before->system, "uptime");
	struct span s = {
		.before = before,
		.now = now,
		.seconds = uptime > was ? (uptime - was) / 1000 : 0,
		.hz = number(now->system, "hz"),
	};
	json_t *o = json_object();

	json_object_set_new(o, "version", json_string(text(now->system, "version")));
	set_same(o, "pid", now->system);
	json_object_set_new(o, "uptime-ms", json_integer((json_int_t)uptime));
	json_object_set_new(o, "interval-ms", json_integer((json_int_t)(s.seconds * 1000 + 0.5)));
	json_object_set_new(o, "worker", workers(&s)); /* first: it sums up the busy cycles */
	json_object_set_new(o, "interface", interfaces(&s));
	json_object_set_new(o, "node", nodes(&s));
	json_object_set_new(o, "drop", drops(&s));
	return o;
}
