/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/log/log_line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const event_names[] = {
#define X(id, name) [NAT_LINE_##id] = name,
	NAT_LINE_EVENTS(X)
#undef X
};

static bool
is_mapping(const struct nat_line *l)
{
	return l->event == NAT_LINE_MAPPING_BEGUN || l->event == NAT_LINE_MAPPING_ENDED;
}

static bool
has_since(const struct nat_line *l)
{
	return l->event == NAT_LINE_BLOCK_HELD || l->event == NAT_LINE_BLOCK_RETURNED ||
	    l->event == NAT_LINE_MAPPING_ENDED;
}

/* -- writing ------------------------------------------------------------------------------ */

size_t
nat_line_print(const struct nat_line *l, char *text)
{
	char time[NAT_TIME_SIZE], since[NAT_TIME_SIZE], protocol[8];
	char inside[INET6_ADDRSTRLEN], outside[INET_ADDRSTRLEN];
	size_t n;

	nat_time_print(l->time, time);
	n = (size_t)snprintf(text, NAT_LINE_MAX, "{\"time\":\"%s\",\"event\":\"%s\",\"nat\":\"%s\"",
	    time, event_names[l->event], l->nat);
	if (l->event > NAT_LINE_STOPPED) {
		inet_ntop(l->six ? AF_INET6 : AF_INET, l->inside, inside, sizeof(inside));
		inet_ntop(AF_INET, &l->outside, outside, sizeof(outside));
		n += (size_t)snprintf(text + n, NAT_LINE_MAX - n,
		    ",\"inside\":\"%s\",\"outside\":\"%s\"", inside, outside);
	}
	if (is_mapping(l)) {
		nat_protocol_print(l->protocol, protocol);
		n += (size_t)snprintf(text + n, NAT_LINE_MAX - n,
		    ",\"protocol\":\"%s\",\"inside-port\":%u,\"port\":%u", protocol, l->inside_port,
		    l->first);
	} else if (l->event > NAT_LINE_STOPPED) {
		n += (size_t)snprintf(text + n, NAT_LINE_MAX - n, ",\"first\":%u,\"last\":%u",
		    l->first, l->last);
	}
	if (has_since(l) && l->since) {
		nat_time_print(l->since, since);
		n += (size_t)snprintf(text + n, NAT_LINE_MAX - n, ",\"since\":\"%s\"", since);
	}
	/* All together is below NAT_LINE_MAX, for names are short and have no odd characters. */
	text[n++] = '}';
	text[n] = '\0';
	return n;
}

/* -- reading ------------------------------------------------------------------------------ */

struct reader {
	const char *at, *end;
};

struct word {
	const char *text;
	size_t len;
};

static void
blanks(struct reader *r)
{
	while (r->at != r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r'))
		r->at++;
}

static bool
take(struct reader *r, char c)
{
	blanks(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* A string as it stands between its quotes. Ours have no escapes; others' are passed over whole. */
static bool
string(struct reader *r, struct word *w)
{
	if (!take(r, '"'))
		return false;
	w->text = r->at;
	while (r->at != r->end && *r->at != '"') {
		if (*r->at == '\\' && ++r->at == r->end)
			return false;
		r->at++;
	}
	w->len = (size_t)(r->at - w->text);
	return take(r, '"');
}

/* A string, or a number or word up to what ends it. */
static bool
value(struct reader *r, struct word *w)
{
	blanks(r);
	if (r->at != r->end && *r->at == '"')
		return string(r, w);
	w->text = r->at;
	while (r->at != r->end && !strchr(",} \t\r\"{[:", *r->at))
		r->at++;
	w->len = (size_t)(r->at - w->text);
	return w->len != 0;
}

static bool
is(const struct word *w, const char *name)
{
	return strlen(name) == w->len && memcmp(w->text, name, w->len) == 0;
}

static bool
port(const struct word *w, uint16_t *out)
{
	unsigned n = 0;

	if (!w->len || w->len > 5)
		return false;
	for (size_t i = 0; i < w->len; i++) {
		if (w->text[i] < '0' || w->text[i] > '9')
			return false;
		n = n * 10 + (unsigned)(w->text[i] - '0');
	}
	*out = (uint16_t)n;
	return n < 65536;
}

static bool
address(const struct word *w, bool *six, void *out)
{
	char text[INET6_ADDRSTRLEN];

	if (w->len >= sizeof(text))
		return false;
	memcpy(text, w->text, w->len);
	text[w->len] = '\0';
	if (inet_pton(AF_INET, text, out) == 1)
		return true;
	if (!six || inet_pton(AF_INET6, text, out) != 1)
		return false;
	*six = true;
	return true;
}

static bool
name(const struct word *w, char *out)
{
	if (w->len >= NAT_LINE_NAME_MAX)
		return false;
	for (size_t i = 0; i < w->len; i++)
		if ((unsigned char)w->text[i] < ' ' || w->text[i] == '"' || w->text[i] == '\\')
			return false;
	memcpy(out, w->text, w->len);
	out[w->len] = '\0';
	return true;
}

static bool
event(const struct word *w, enum nat_line_event *out)
{
	for (unsigned i = 0; i < NAT_LINE_EVENT_COUNT; i++)
		if (is(w, event_names[i])) {
			*out = (enum nat_line_event)i;
			return true;
		}
	return false;
}

/* Which members there were. */
enum {
	HAS_TIME = 1u << 0,
	HAS_EVENT = 1u << 1,
	HAS_NAT = 1u << 2,
	HAS_INSIDE = 1u << 3,
	HAS_OUTSIDE = 1u << 4,
	HAS_FIRST = 1u << 5,
	HAS_LAST = 1u << 6,
	HAS_PORT = 1u << 7,
	HAS_PROTOCOL = 1u << 8,
	HAS_INSIDE_PORT = 1u << 9,
};

/* A member's bit; 0: it is wrong. One that means nothing to us has the highest. */
static unsigned
member(struct nat_line *l, const struct word *key, const struct word *w)
{
	int protocol;

	if (is(key, "time"))
		return nat_time_parse(&l->time, w->text, w->len) ? 0 : HAS_TIME;
	if (is(key, "event"))
		return event(w, &l->event) ? HAS_EVENT : 0;
	if (is(key, "nat"))
		return name(w, l->nat) ? HAS_NAT : 0;
	if (is(key, "inside"))
		return address(w, &l->six, l->inside) ? HAS_INSIDE : 0;
	if (is(key, "outside"))
		return address(w, NULL, &l->outside) ? HAS_OUTSIDE : 0;
	if (is(key, "first"))
		return port(w, &l->first) ? HAS_FIRST : 0;
	if (is(key, "last"))
		return port(w, &l->last) ? HAS_LAST : 0;
	if (is(key, "port")) {
		if (!port(w, &l->first))
			return 0;
		l->last = l->first;
		return HAS_PORT;
	}
	if (is(key, "protocol")) {
		protocol = nat_protocol_parse(w->text, w->len);
		l->protocol = (uint8_t)protocol;
		return protocol < 0 ? 0 : HAS_PROTOCOL;
	}
	if (is(key, "inside-port"))
		return port(w, &l->inside_port) ? HAS_INSIDE_PORT : 0;
	if (is(key, "since"))
		return nat_time_parse(&l->since, w->text, w->len) ? 0 : 1u << 31;
	return 1u << 31;
}

static bool
is_whole(const struct nat_line *l, unsigned has)
{
	unsigned want = HAS_TIME | HAS_EVENT | HAS_NAT;

	if (!(has & HAS_EVENT))
		return false;
	if (l->event > NAT_LINE_STOPPED)
		want |= HAS_INSIDE | HAS_OUTSIDE;
	if (is_mapping(l))
		want |= HAS_PORT | HAS_PROTOCOL | HAS_INSIDE_PORT;
	else if (l->event > NAT_LINE_STOPPED)
		want |= HAS_FIRST | HAS_LAST;
	return (has & want) == want && l->first <= l->last;
}

int
nat_line_parse(struct nat_line *l, const char *text, size_t len)
{
	struct reader r = { text, text + len };
	unsigned has = 0, bit;
	struct word key, w;

	memset(l, 0, sizeof(*l));
	if (!take(&r, '{'))
		return -EINVAL;
	do {
		if (!string(&r, &key) || !take(&r, ':') || !value(&r, &w))
			return -EINVAL;
		bit = member(l, &key, &w);
		/* None twice, so that nobody reads another thing than we do. */
		if (!bit || (has & bit & ~(1u << 31)))
			return -EINVAL;
		has |= bit;
	} while (take(&r, ','));
	if (!take(&r, '}'))
		return -EINVAL;
	blanks(&r);
	return r.at == r.end && is_whole(l, has) ? 0 : -EINVAL;
}
