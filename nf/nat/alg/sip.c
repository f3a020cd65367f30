/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/alg/sip.h"

#include <errno.h>
#include <string.h>

struct reader {
	const char *start; /* the payload */
	struct sip_message *m;
	unsigned media;
	bool too_many;
};

static struct sip_item *
add(struct reader *r, enum sip_place place)
{
	struct sip_item *i = &r->m->items[r->m->count];

	if (r->m->count == SIP_ITEMS_MAX) {
		r->too_many = true;
		return NULL;
	}
	r->m->count++;
	*i = (struct sip_item){ .place = place, .media = (uint8_t)r->media };
	return i;
}

static uint32_t
place_of(const struct reader *r, const char *at)
{
	return (uint32_t)(at - r->start);
}

static void
skip_blanks(struct alg_text *t)
{
	while (
	    t->at < t->end && (*t->at == ' ' || *t->at == '\t' || *t->at == '\r' || *t->at == '\n'))
		t->at++;
}

/* "192.0.2.1:5060" or "[2001:db8::1]:5060"; a name is not one. */
static bool
read_host(struct reader *r, struct alg_text *t, enum sip_place place)
{
	struct sip_item item = { .place = place };
	bool six = alg_read_char(t, '[');
	unsigned port;

	item.at = place_of(r, t->at);
	if (!alg_read_address(t, six ? 6 : 4, &item.address))
		return false;
	item.size = place_of(r, t->at) - item.at;
	if (six && !alg_read_char(t, ']'))
		return false;
	/* 192.0.2.1.example.org, 10.0.0.1-pc */
	if (!six && t->at < t->end &&
	    ((*t->at >= 'a' && *t->at <= 'z') || (*t->at >= 'A' && *t->at <= 'Z') || *t->at == '-'))
		return false;
	if (alg_read_char(t, ':')) {
		item.port_at = place_of(r, t->at);
		if (!alg_read_number(t, UINT16_MAX, &port))
			return false;
		item.port = (uint16_t)port;
		item.port_size = place_of(r, t->at) - item.port_at;
	}
	struct sip_item *i = add(r, place);

	if (i) {
		item.media = i->media;
		*i = item;
	}
	return true;
}

/* Every URI in it: sip:user@host:port;... Behind an address the rest of the URI has none. */
static void
read_uris(struct reader *r, struct alg_text t, enum sip_place place)
{
	while (t.at < t.end) {
		const char *at, *name = NULL;

		if (*t.at == '"') { /* a display name may hold anything */
			for (t.at++; t.at < t.end && *t.at != '"'; t.at++)
				if (*t.at == '\\' && t.at + 1 < t.end)
					t.at++;
			t.at += t.at < t.end;
			continue;
		}
		if (!alg_begins(&t, "sip:") && !alg_begins(&t, "sips:")) {
			t.at++;
			continue;
		}
		t.at += *(t.at + 3) == ':' ? 4 : 5;
		for (at = t.at; at < t.end && !strchr(" \t\r\n<>\",?", *at); at++) {
			if (*at == '@') {
				name = at + 1;
				break;
			}
		}
		if (name)
			t.at = name;
		(void)read_host(r, &t, place);
	}
}

/* "SIP/2.0/UDP 10.0.0.2:5060;branch=...;received=192.0.2.1;rport=4711", or several. */
static void
read_via(struct reader *r, struct alg_text t)
{
	while (t.at < t.end) {
		bool open = true;

		skip_blanks(&t);
		for (unsigned words = 0; words < 3; words++) { /* SIP / 2.0 / UDP */
			while (t.at < t.end && !strchr("/ \t;,", *t.at))
				t.at++;
			skip_blanks(&t);
			if (words < 2 && !alg_read_char(&t, '/'))
				return;
			skip_blanks(&t);
		}
		(void)read_host(r, &t, SIP_VIA);
		while (t.at < t.end && open) {
			struct sip_item *last = r->m->count ? &r->m->items[r->m->count - 1] : NULL;
			unsigned port;

			if (alg_begins(&t, ";received=")) {
				t.at += 10;
				(void)read_host(r, &t, SIP_RECEIVED);
			} else if (alg_begins(&t, ";rport=")) {
				const char *at = t.at += 7;

				/* Of the address that `received` says, mostly before it or behind. */
				if (alg_read_number(&t, UINT16_MAX, &port) &&
				    (last = add(r, SIP_RECEIVED)) != NULL) {
					last->port_at = place_of(r, at);
					last->port_size = (uint32_t)(t.at - at);
					last->port = (uint16_t)port;
				}
			} else {
				open = *t.at++ != ',';
			}
		}
	}
}

static const char *
value_of(struct alg_text field, const char *name, char brief)
{
	size_t size = strlen(name);

	if (alg_begins(&field, name))
		field.at += size;
	else if (brief && field.at < field.end && (*field.at | 0x20) == brief)
		field.at++;
	else
		return NULL;
	while (field.at < field.end && (*field.at == ' ' || *field.at == '\t'))
		field.at++;
	return alg_read_char(&field, ':') ? field.at : NULL;
}

static bool
holds(struct alg_text t, const char *word)
{
	for (; t.at < t.end; t.at++)
		if (alg_begins(&t, word))
			return true;
	return false;
}

static int
read_field(struct reader *r, struct alg_text field)
{
	static const struct {
		const char *name;
		char brief;
		enum sip_place place;
	} names[] = {
		{ "Contact", 'm', SIP_CONTACT },
		{ "From", 'f', SIP_NAME },
		{ "To", 't', SIP_NAME },
		{ "Route", 0, SIP_NAME },
		{ "Record-Route", 0, SIP_NAME },
	};
	struct alg_text value = field;
	unsigned length;
	const char *at;

	if ((at = value_of(field, "Via", 'v')) != NULL) {
		value.at = at;
		read_via(r, value);
	} else if ((at = value_of(field, "Content-Length", 'l')) != NULL) {
		value.at = at;
		skip_blanks(&value);
		at = value.at;
		if (r->m->length_size || !alg_read_number(&value, UINT16_MAX, &length))
			return -EINVAL;
		r->m->length_at = place_of(r, at);
		r->m->length_size = (uint32_t)(value.at - at);
		r->m->body_size = length;
	} else if ((at = value_of(field, "Content-Type", 'c')) != NULL) {
		value.at = at;
		r->m->session = holds(value, "application/sdp");
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(names); i++) {
		at = value_of(field, names[i].name, names[i].brief);
		if (!at)
			continue;
		value.at = at;
		read_uris(r, value, names[i].place);
	}
	return 0;
}

/* "IP4 192.0.2.1" */
static void
read_net(struct reader *r, struct alg_text t, enum sip_place place)
{
	unsigned family = alg_begins(&t, "IP4 ") ? 4 : alg_begins(&t, "IP6 ") ? 6 : 0;
	struct sip_item *i;
	struct alg_address a;
	const char *at;

	if (!family)
		return;
	at = t.at += 4;
	if (!alg_read_address(&t, family, &a) || (i = add(r, place)) == NULL)
		return;
	i->at = place_of(r, at);
	i->size = (uint32_t)(t.at - at);
	i->address = a;
}

static void
skip_word(struct alg_text *t)
{
	while (t->at < t->end && *t->at != ' ')
		t->at++;
	while (t->at < t->end && *t->at == ' ')
		t->at++;
}

static void
read_port(struct reader *r, struct alg_text *t, enum sip_place place)
{
	const char *at = t->at;
	struct sip_item *i;
	unsigned port;

	if (!alg_read_number(t, UINT16_MAX, &port) || (i = add(r, place)) == NULL)
		return;
	i->port_at = place_of(r, at);
	i->port_size = (uint32_t)(t->at - at);
	i->port = (uint16_t)port;
}

static void
read_session(struct reader *r, struct alg_text body)
{
	struct alg_text line;

	while (alg_read_line(&body, &line)) {
		if (alg_begins(&line, "o=")) { /* o=user session version IN IP4 address */
			for (unsigned i = 0; i < 4; i++)
				skip_word(&line);
			read_net(r, line, SIP_ORIGIN);
		} else if (alg_begins(&line, "c=IN ")) {
			line.at += 5;
			read_net(r, line, SIP_CONNECTION);
		} else if (alg_begins(&line, "m=")) { /* m=audio 49170 RTP/AVP 0 */
			r->media += r->media < UINT8_MAX;
			skip_word(&line);
			read_port(r, &line, SIP_MEDIA);
		} else if (alg_begins(&line, "a=rtcp:")) { /* RFC 3605 */
			line.at += 7;
			read_port(r, &line, SIP_CONTROL);
			skip_word(&line);
			if (alg_begins(&line, "IN "))
				line.at += 3;
			read_net(r, line, SIP_CONTROL);
		}
	}
}

/* A field, with the lines that go on with it. */
static bool
read_lines(struct alg_text *t, struct alg_text *field)
{
	struct alg_text more;

	if (!alg_read_line(t, field))
		return false;
	while (field->at < field->end && t->at < t->end && (*t->at == ' ' || *t->at == '\t')) {
		if (!alg_read_line(t, &more))
			return false;
		field->end = more.end;
	}
	return true;
}

static bool
is_request(struct alg_text line)
{
	static const char version[] = " SIP/2.0";
	size_t size = sizeof(version) - 1;

	return (size_t)(line.end - line.at) > size && memcmp(line.end - size, version, size) == 0 &&
	    *line.at >= 'A' && *line.at <= 'Z';
}

int
sip_read(const void *payload, size_t size, bool stream, struct sip_message *m)
{
	struct alg_text t = { payload, (const char *)payload + size }, field;
	struct reader r = { .start = payload, .m = m };
	int rc;

	m->request = m->session = false;
	m->body = m->body_size = m->length_at = m->length_size = 0;
	m->count = 0;
	if (!alg_read_line(&t, &field))
		return -EINVAL;
	if (is_request(field)) {
		m->request = true;
		skip_word(&field);
		read_uris(&r, field, SIP_REQUEST);
	} else if (!alg_begins(&field, "SIP/2.0 ")) {
		return -EINVAL;
	}
	do {
		if (!read_lines(&t, &field))
			return -EINVAL;
		rc = read_field(&r, field);
		if (rc)
			return rc;
	} while (field.at < field.end);
	m->body = place_of(&r, t.at);
	if (m->length_size ? m->body_size > (size_t)(t.end - t.at) : stream)
		return -EINVAL;
	if (!m->length_size)
		m->body_size = (uint32_t)(t.end - t.at);
	/* A second message behind it would be left as it is, and lie at another place. */
	if (stream && m->body_size != (size_t)(t.end - t.at))
		return -EINVAL;
	if (m->session) {
		t.end = t.at + m->body_size;
		read_session(&r, t);
	}
	return r.too_many ? -E2BIG : 0;
}
