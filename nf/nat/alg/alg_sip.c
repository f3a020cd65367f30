/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIP (RFC 3261) of users inside, over UDP and TCP, with IPv4. On the way out the user's own address
 * becomes the outside one wherever the message says it, and where he listens for media (RFC 8866) and
 * for further requests, mappings are made; on the way in it is the other way round. Addresses of others
 * stay: those are in nobody's way.
 *
 * A message that is not whole, or has more addresses than anybody needs, goes on as it is.
 */
#include <stdio.h>
#include <string.h>

#include "kit/packet/wire.h"
#include "nf/nat/alg.h"
#include "nf/nat/alg/sip.h"

#define SIP_PORT 5060u

/* One message being changed. */
struct change {
	struct nat_talk *talk;
	const struct nat_talk_ends *ends;
	const struct sip_message *m;
	uint8_t protocol;
	struct alg_edits *to;
};

static bool
write_address(struct change *c, const struct sip_item *i, be32_t address, unsigned port)
{
	struct alg_address a = { .family = 4 };
	char text[ALG_EDIT_MAX];
	unsigned size;

	memcpy(a.bytes, &address, 4);
	size = alg_write_address(text, &a);
	/* None was said, and it is not the one that this would mean. */
	if (!i->port_size && port && port != SIP_PORT)
		size += (unsigned)snprintf(text + size, sizeof(text) - size, ":%u", port);
	return alg_edit(c->to, i->at, i->size, text, size);
}

static bool
write_port(struct change *c, const struct sip_item *i, unsigned port)
{
	char text[8];
	int size = snprintf(text, sizeof(text), "%u", port);

	return !i->port_size || alg_edit(c->to, i->port_at, i->port_size, text, (unsigned)size);
}

/* -- outward ------------------------------------------------------------------------------- */

static bool
is_inside(const struct change *c, const struct sip_item *i)
{
	return i->size && alg_address_equal(&i->address, 4, &c->ends->inside);
}

/* In a field: an end of signalling, or in From and To a mere name. */
static bool
field_out(struct change *c, const struct sip_item *i)
{
	unsigned port = i->port_size ? i->port : SIP_PORT, own = mr_be16(c->ends->inside_port);
	struct nat_talk_outside outside = { c->ends->outside, c->ends->outside_port };

	if (i->place == SIP_NAME && (!i->port_size || port != own))
		return write_address(c, i, c->ends->outside, 0);
	if (!port)
		return true;
	if (port != own &&
	    !nat_talk_expect(c->talk, c->protocol, c->ends->inside, mr_be16((uint16_t)port), 1, 0,
		&outside))
		return false;
	return write_address(c, i, outside.address, mr_be16(outside.port)) &&
	    write_port(c, i, mr_be16(outside.port));
}

/* Where the media of a line m= go: its own c=, or that of the session. Port 0: they are refused. */
static bool
media_is_inside(const struct change *c, unsigned media)
{
	bool inside = false;

	for (unsigned k = 0; k < c->m->count; k++) {
		const struct sip_item *i = &c->m->items[k];

		if (i->place == SIP_MEDIA && i->media == media && !i->port)
			return false;
		if (i->place == SIP_CONNECTION && i->media == media)
			return is_inside(c, i);
		if (i->place == SIP_CONNECTION && !i->media)
			inside = is_inside(c, i);
	}
	return inside;
}

static bool
has_control(const struct change *c, unsigned media)
{
	for (unsigned k = 0; k < c->m->count; k++)
		if (c->m->items[k].place == SIP_CONTROL && c->m->items[k].media == media)
			return true;
	return false;
}

/* RTP has a port, and RTCP the next one where no other is said. Who will send is not known yet. */
static bool
port_out(struct change *c, const struct sip_item *i)
{
	unsigned count =
	    i->place == SIP_MEDIA && i->port < UINT16_MAX && !has_control(c, i->media) ? 2 : 1;
	struct nat_talk_outside outside;

	if (!i->port || !media_is_inside(c, i->media))
		return true;
	if (!nat_talk_expect(c->talk, MR_IP_PROTO_UDP, c->ends->inside, mr_be16(i->port), count, 0,
		&outside))
		return false;
	return write_port(c, i, mr_be16(outside.port));
}

static bool
session_out(struct change *c, const struct sip_item *i)
{
	if (!i->size)
		return port_out(c, i);
	return !is_inside(c, i) || write_address(c, i, c->ends->outside, 0);
}

/* -- inward -------------------------------------------------------------------------------- */

static bool
field_in(struct change *c, const struct sip_item *i)
{
	unsigned own = mr_be16(c->ends->outside_port);

	if (!i->size)
		return i->port != own || write_port(c, i, mr_be16(c->ends->inside_port));
	if (!alg_address_equal(&i->address, 4, &c->ends->outside))
		return true;
	if (i->port_size ? i->port != own : own != SIP_PORT || i->place == SIP_NAME)
		return i->port_size || write_address(c, i, c->ends->inside, 0);
	return write_address(c, i, c->ends->inside, mr_be16(c->ends->inside_port)) &&
	    write_port(c, i, mr_be16(c->ends->inside_port));
}

/* -- both ---------------------------------------------------------------------------------- */

static bool
write_length(struct change *c, int growth)
{
	char text[12];
	int size = snprintf(text, sizeof(text), "%u", (unsigned)((int)c->m->body_size + growth));

	return !growth || alg_edit(c->to, c->m->length_at, c->m->length_size, text, (unsigned)size);
}

static bool
change_session(struct change *c)
{
	for (unsigned k = 0; k < c->m->count; k++)
		if (c->m->items[k].place >= SIP_ORIGIN && !session_out(c, &c->m->items[k]))
			return false;
	return true;
}

/* In the order of their places; Content-Length stands among them. */
static bool
change_fields(struct change *c, int growth)
{
	bool length = c->m->length_size != 0;

	for (unsigned k = 0; k < c->m->count; k++) {
		const struct sip_item *i = &c->m->items[k];

		if (i->place >= SIP_ORIGIN)
			break;
		if (length && (i->size ? i->at : i->port_at) > c->m->length_at) {
			length = false;
			if (!write_length(c, growth))
				return false;
		}
		if (c->ends->outward ? is_inside(c, i) && !field_out(c, i) : !field_in(c, i))
			return false;
	}
	return !length || write_length(c, growth);
}

static bool
look(struct nat_talk *talk, const uint8_t *payload, unsigned len, struct alg_edits *edits,
    uint8_t protocol)
{
	struct alg_edits body = { .count = 0 };
	struct sip_message m;
	struct change c = { talk, nat_talk_ends(talk), &m, protocol, &body };

	if (sip_read(payload, len, protocol == MR_IP_PROTO_TCP, &m))
		return true;
	if (c.ends->outward && !change_session(&c))
		return false;
	c.to = edits;
	if (!change_fields(&c, alg_edits_growth(&body, 0)))
		return false;
	for (unsigned k = 0; k < body.count; k++)
		if (!alg_edit(edits, body.items[k].at, body.items[k].size, body.items[k].text,
			body.items[k].text_size))
			return false;
	return true;
}

static bool
look_udp(struct nat_talk *talk, const uint8_t *payload, unsigned len, struct alg_edits *edits)
{
	return look(talk, payload, len, edits, MR_IP_PROTO_UDP);
}

static bool
look_tcp(struct nat_talk *talk, const uint8_t *payload, unsigned len, struct alg_edits *edits)
{
	return look(talk, payload, len, edits, MR_IP_PROTO_TCP);
}

const struct nat_alg nat_alg_sip = {
	.name = "sip",
	.doc = "SIP over UDP, and the media that it agrees on",
	.protocol = MR_IP_PROTO_UDP,
	.port = SIP_PORT,
	.look = look_udp,
};

const struct nat_alg nat_alg_sip_tcp = {
	.name = "sip-tcp",
	.doc = "SIP over TCP, and the media that it agrees on",
	.protocol = MR_IP_PROTO_TCP,
	.port = SIP_PORT,
	.look = look_tcp,
};
