/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/outside.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct ways {
	char text[OUTSIDE_WAYS_MAX][80];
	unsigned count;
};

/* -- words -------------------------------------------------------------------------------- */

bool
outside_prefix(const char *text, unsigned family, struct outside_route *r)
{
	char address[64], *slash, *end;
	unsigned long len;

	memset(r, 0, sizeof(*r));
	if (strcmp(text, "default") == 0) {
		r->family = (uint8_t)family;
		return family != 0;
	}
	snprintf(address, sizeof(address), "%s", text);
	slash = strchr(address, '/');
	if (slash)
		*slash = 0;
	if (inet_pton(AF_INET, address, r->prefix) == 1)
		r->family = 4;
	else if (inet_pton(AF_INET6, address, r->prefix) == 1)
		r->family = 6;
	else
		return false;
	r->len = r->family == 4 ? 32 : 128;
	if (!slash)
		return true;
	len = strtoul(slash + 1, &end, 10);
	if (!isdigit((unsigned char)slash[1]) || *end || len > r->len)
		return false;
	r->len = (uint8_t)len;
	return true;
}

static void
add_way(struct ways *w, const char *kind, const char *text)
{
	uint8_t bytes[16];
	char *to;

	if (!text || w->count == OUTSIDE_WAYS_MAX)
		return;
	to = w->text[w->count++];
	if (!*kind && inet_pton(AF_INET, text, bytes) == 1)
		inet_ntop(AF_INET, bytes, to, sizeof(w->text[0]));
	else if (!*kind && inet_pton(AF_INET6, text, bytes) == 1)
		inet_ntop(AF_INET6, bytes, to, sizeof(w->text[0]));
	else
		snprintf(to, sizeof(w->text[0]), "%s%s", kind, text);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *
outside_ways(const char *const *ways, unsigned count)
{
	const char *sorted[OUTSIDE_WAYS_MAX];
	size_t size = 1;
	char *text;

	count = MR_MIN(count, OUTSIDE_WAYS_MAX);
	for (unsigned i = 0; i < count; i++) {
		sorted[i] = ways[i];
		size += strlen(ways[i]) + 1;
	}
	qsort(sorted, count, sizeof(sorted[0]), by_text);
	text = calloc(1, size);
	for (unsigned i = 0; text && i < count; i++) {
		if (i && strcmp(sorted[i], sorted[i - 1]) == 0)
			continue;
		if (*text)
			strcat(text, ",");
		strcat(text, sorted[i]);
	}
	return text;
}

/* -- the table ---------------------------------------------------------------------------- */

static int
add_route(struct outside *o, const struct outside_route *r, const struct ways *w)
{
	const char *pointers[OUTSIDE_WAYS_MAX];
	struct outside_route *to;

	if (o->count == o->room) {
		size_t room = o->room ? o->room * 2 : 1024;
		struct outside_route *routes = realloc(o->routes, room * sizeof(*routes));

		if (!routes)
			return -ENOMEM;
		o->routes = routes;
		o->room = room;
	}
	for (unsigned i = 0; i < w->count; i++)
		pointers[i] = w->text[i];
	to = &o->routes[o->count];
	*to = *r;
	to->ways = outside_ways(pointers, w->count);
	if (!to->ways)
		return -ENOMEM;
	/* Link-local and multicast subnets are every host's own affair. */
	to->ignorable |= r->family == 6 &&
	    ((r->prefix[0] == 0xfe && (r->prefix[1] & 0xc0) == 0x80) || r->prefix[0] == 0xff);
	o->count++;
	return 0;
}

static int
by_prefix(const void *a, const void *b)
{
	const struct outside_route *x = a, *y = b;
	int order = x->family - y->family;

	if (!order)
		order = memcmp(x->prefix, y->prefix, sizeof(x->prefix));
	return order ? order : x->len - y->len;
}

struct outside_route *
outside_find(struct outside *o, uint8_t family, const uint8_t prefix[16], unsigned len)
{
	struct outside_route key = { .family = family, .len = (uint8_t)len };

	memcpy(key.prefix, prefix, sizeof(key.prefix));
	return o->count ? bsearch(&key, o->routes, o->count, sizeof(key), by_prefix) : NULL;
}

void
outside_free(struct outside *o)
{
	for (size_t i = 0; i < o->count; i++)
		free(o->routes[i].ways);
	free(o->routes);
	memset(o, 0, sizeof(*o));
}

/* -- ip -j route -------------------------------------------------------------------------- */

static const char *
text_of(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static const char *
gateway_of(json_t *hop)
{
	const char *gateway = text_of(hop, "gateway");

	return gateway ? gateway : text_of(json_object_get(hop, "via"), "host");
}

static void
ip_way(struct ways *w, json_t *hop)
{
	if (gateway_of(hop))
		add_way(w, "", gateway_of(hop));
	else
		add_way(w, "%", text_of(hop, "dev"));
}

static int
read_ip_route(struct outside *o, json_t *row, unsigned family, struct mr_error *error)
{
	const char *dst = text_of(row, "dst"), *type = text_of(row, "type");
	json_t *hops = json_object_get(row, "nexthops"), *hop;
	const char *gateway = text_of(hops ? json_array_get(hops, 0) : row, "gateway");
	struct outside_route r;
	struct ways w = { .count = 0 };
	size_t i;

	if (gateway)
		family = strchr(gateway, ':') ? 6 : 4;
	if (!dst || !outside_prefix(dst, family ? family : 4, &r))
		return mr_error_set(error, -EINVAL, "\"%s\" is no destination", dst ? dst : "");
	if (type &&
	    (!strcmp(type, "blackhole") || !strcmp(type, "unreachable") ||
		!strcmp(type, "prohibit")))
		add_way(&w, "!", type);
	else if (json_is_array(hops))
		json_array_foreach(hops, i, hop) ip_way(&w, hop);
	else
		ip_way(&w, row);
	r.ignorable = type && strcmp(type, "unicast") != 0 && w.count && *w.text[0] != '!';
	return add_route(o, &r, &w);
}

/* -- zebra -------------------------------------------------------------------------------- */

static void
zebra_way(struct ways *w, json_t *hop, bool installed)
{
	if (json_is_true(json_object_get(hop, "recursive")) ||
	    (installed && !json_is_true(json_object_get(hop, "fib"))))
		return;
	if (json_is_true(json_object_get(hop, "blackhole")) ||
	    json_is_true(json_object_get(hop, "unreachable")))
		add_way(w, "!",
		    json_is_true(json_object_get(hop, "reject"))                 ? "unreachable"
			: json_is_true(json_object_get(hop, "admin-prohibited")) ? "prohibit"
										 : "blackhole");
	else if (text_of(hop, "ip"))
		add_way(w, "", text_of(hop, "ip"));
	else
		add_way(w, "%", text_of(hop, "interfaceName"));
}

static int
read_zebra_prefix(struct outside *o, const char *prefix, json_t *rows, struct mr_error *error)
{
	json_t *row, *hops, *hop;
	size_t i, k;

	json_array_foreach(rows, i, row)
	{
		const char *protocol = text_of(row, "protocol");
		struct ways w = { .count = 0 };
		struct outside_route r;
		bool installed = false;

		if (!json_is_true(json_object_get(row, "selected")))
			continue;
		if (!outside_prefix(prefix, 0, &r))
			return mr_error_set(error, -EINVAL, "\"%s\" is no prefix", prefix);
		hops = json_object_get(row, "nexthops");
		json_array_foreach(hops, k, hop) installed |=
		    json_is_true(json_object_get(hop, "fib"));
		json_array_foreach(hops, k, hop) zebra_way(&w, hop, installed);
		r.ignorable = protocol && strcmp(protocol, "local") == 0;
		return add_route(o, &r, &w);
	}
	return 0;
}

static int
read_json(struct outside *o, const char *text, size_t size, unsigned family, struct mr_error *error)
{
	json_error_t why;
	json_t *root = json_loadb(text, size, 0, &why), *value;
	const char *key;
	size_t i;
	int rc = 0;

	if (!root)
		return mr_error_set(error, -EINVAL, "line %d: %s", why.line, why.text);
	if (json_is_array(root))
		json_array_foreach(root, i, value)
		{
			rc = read_ip_route(o, value, family, error);
			if (rc)
				break;
		}
	else
		json_object_foreach(root, key, value)
		{
			rc = read_zebra_prefix(o, key, value, error);
			if (rc)
				break;
		}
	json_decref(root);
	return rc;
}

/* -- lines -------------------------------------------------------------------------------- */

/* The words of a line after "via" and "dev" (ip) or "on" (BIRD, behind a next hop). */
static void
line_ways(struct ways *w, char *line)
{
	char *rest, *word = strtok_r(line, " \t\n", &rest);
	bool via = false;

	for (; word; word = strtok_r(NULL, " \t\n", &rest)) {
		if (strcmp(word, "via") == 0) {
			word = strtok_r(NULL, " \t\n", &rest);
			if (word && (!strcmp(word, "inet6") || !strcmp(word, "inet")))
				word = strtok_r(NULL, " \t\n", &rest);
			add_way(w, "", word);
			via = true;
		} else if (strcmp(word, "dev") == 0) {
			word = strtok_r(NULL, " \t\n", &rest);
			if (!via)
				add_way(w, "%", word);
		} else if (strcmp(word, "blackhole") == 0 || strcmp(word, "unreachable") == 0 ||
		    strcmp(word, "prohibit") == 0) {
			add_way(w, "!", word);
		}
		if (!word)
			break;
	}
}

static bool
starts_route(const char *line, unsigned family, struct outside_route *r)
{
	static const char *const kinds[] = { "blackhole ", "unreachable ", "prohibit ",
		"unicast " };
	char word[80];
	size_t len;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(kinds); i++)
		if (strncmp(line, kinds[i], strlen(kinds[i])) == 0)
			line += strlen(kinds[i]);
	len = strcspn(line, " \t\n");
	snprintf(word, sizeof(word), "%.*s", (int)MR_MIN(len, sizeof(word) - 1), line);
	return len > 0 && outside_prefix(word, family ? family : 4, r);
}

static int
read_lines(struct outside *o, char *text, unsigned family, struct mr_error *error)
{
	struct outside_route r = { 0 };
	struct ways w = { .count = 0 };
	bool open = false;
	char *next;
	int rc = 0;

	for (char *line = text; line && *line && !rc; line = next) {
		struct outside_route other;
		bool indented = *line == ' ' || *line == '\t';

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (!indented && starts_route(line, family, &other)) {
			if (open)
				rc = add_route(o, &r, &w);
			/* BIRD marks the best with an asterisk, behind who it is from. */
			open = !strchr(line, '[') || strchr(line, '*');
			r = other;
			w.count = 0;
		} else if (indented && strchr(line, '[')) {
			/* BIRD: another route to the same prefix. */
			if (open)
				rc = add_route(o, &r, &w);
			open = strchr(line, '*') != NULL;
			w.count = 0;
		} else if (!indented) {
			continue; /* a headline */
		}
		line_ways(&w, line);
	}
	if (open && !rc)
		rc = add_route(o, &r, &w);
	return rc ? mr_error_set(error, rc, "no memory") : 0;
}

/* -- a file ------------------------------------------------------------------------------- */

int
outside_read(struct outside *o, FILE *file, unsigned family, struct mr_error *error)
{
	size_t used = 0, room = 1 << 20, n;
	char *text = malloc(room), *grown, *first;
	int rc;

	memset(o, 0, sizeof(*o));
	while (text && (n = fread(text + used, 1, room - used - 1, file)) > 0) {
		used += n;
		if (used + 1 < room)
			continue;
		room *= 2;
		grown = realloc(text, room);
		if (!grown)
			free(text);
		text = grown;
	}
	if (!text)
		return mr_error_set(error, -ENOMEM, "no memory");
	text[used] = 0;
	first = text + strspn(text, " \t\r\n");
	rc = *first == '[' || *first == '{' ? read_json(o, text, used, family, error)
					    : read_lines(o, text, family, error);
	free(text);
	if (rc)
		outside_free(o);
	else if (o->count)
		qsort(o->routes, o->count, sizeof(*o->routes), by_prefix);
	return rc;
}
