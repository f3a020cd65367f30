/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/alg/ftp.h"

#include <stdio.h>
#include <string.h>

/* h1,h2,h3,h4,p1,p2 */
static bool
read_commas(struct alg_text *t, struct ftp_endpoint *e)
{
	struct alg_text from = *t;
	unsigned n[6];

	for (unsigned i = 0; i < 6; i++) {
		if ((i && !alg_read_char(&from, ',')) || !alg_read_number(&from, 255, &n[i]))
			return false;
	}
	e->form = FTP_COMMAS;
	e->address = (struct alg_address){ .family = 4 };
	for (unsigned i = 0; i < 4; i++)
		e->address.bytes[i] = (uint8_t)n[i];
	e->port = (uint16_t)(n[4] << 8 | n[5]);
	*t = from;
	return e->port != 0;
}

/* |1|address|port|, or |||port|; RFC 2428: any character from 33 to 126 for the bar. */
static bool
read_extended(struct alg_text *t, struct ftp_endpoint *e, bool port_only)
{
	struct alg_text from = *t;
	char bar = from.at < from.end ? *from.at : 0;
	unsigned family = 0, port;

	if (bar < 33 || bar > 126 || (bar >= '0' && bar <= '9') || !alg_read_char(&from, bar))
		return false;
	if (!port_only &&
	    (!alg_read_number(&from, 2, &family) || !family || !alg_read_char(&from, bar) ||
		!alg_read_address(&from, family == 2 ? 6 : 4, &e->address)))
		return false;
	if (port_only && !alg_read_char(&from, bar))
		return false;
	if (!alg_read_char(&from, bar) || !alg_read_number(&from, UINT16_MAX, &port) || !port ||
	    !alg_read_char(&from, bar))
		return false;
	e->form = port_only ? FTP_PORT_ONLY : FTP_EXTENDED;
	e->delimiter = bar;
	e->port = (uint16_t)port;
	*t = from;
	return true;
}

static void
skip_blanks(struct alg_text *t)
{
	while (t->at < t->end && *t->at == ' ')
		t->at++;
}

/* A command's only argument is the endpoint. */
static bool
read_command(struct alg_text line, struct ftp_endpoint *e, const char **from, const char **to)
{
	bool extended = alg_begins(&line, "EPRT "), read;

	if (!extended && !alg_begins(&line, "PORT "))
		return false;
	line.at += 5;
	skip_blanks(&line);
	*from = line.at;
	read = extended ? read_extended(&line, e, false) : read_commas(&line, e);
	*to = line.at;
	skip_blanks(&line);
	return read && line.at == line.end;
}

/* RFC 1123, 4.1.2.6: the words around six numbers may be any, so they are looked for; those of 229
 * stand in parentheses. */
static bool
read_answer(struct alg_text line, struct ftp_endpoint *e, const char **from, const char **to)
{
	bool extended = alg_begins(&line, "229 ");

	if (!extended && !alg_begins(&line, "227 "))
		return false;
	for (line.at += 4; line.at < line.end; line.at++) {
		bool digit = *line.at >= '0' && *line.at <= '9';

		*from = line.at + extended;
		if (extended ? !alg_read_char(&line, '(') : !digit)
			continue;
		if (extended ? read_extended(&line, e, true) : read_commas(&line, e)) {
			*to = line.at;
			return true;
		}
		if (extended)
			return false;
		while (line.at + 1 < line.end && line.at[1] >= '0' && line.at[1] <= '9')
			line.at++;
	}
	return false;
}

bool
ftp_next(const void *payload, size_t size, uint32_t *at, bool server, struct ftp_endpoint *e)
{
	struct alg_text t = { payload, payload }, line;
	const char *from, *to;

	t.at += *at;
	t.end += size;
	while (alg_read_line(&t, &line)) {
		bool found =
		    server ? read_answer(line, e, &from, &to) : read_command(line, e, &from, &to);

		*at = (uint32_t)(t.at - (const char *)payload);
		if (!found)
			continue;
		e->at = (uint32_t)(from - (const char *)payload);
		e->size = (uint32_t)(to - from);
		return true;
	}
	return false;
}

unsigned
ftp_write(const struct ftp_endpoint *e, char out[ALG_EDIT_MAX])
{
	char text[ALG_EDIT_MAX + 1], address[INT8_MAX] = "";
	const uint8_t *b = e->address.bytes;

	switch (e->form) {
	case FTP_COMMAS:
		snprintf(text, sizeof(text), "%u,%u,%u,%u,%u,%u", b[0], b[1], b[2], b[3],
		    e->port >> 8, e->port & 255u);
		break;
	case FTP_EXTENDED:
		address[alg_write_address(address, &e->address)] = 0;
		snprintf(text, sizeof(text), "%c%u%c%s%c%u%c", e->delimiter,
		    e->address.family == 6 ? 2u : 1u, e->delimiter, address, e->delimiter, e->port,
		    e->delimiter);
		break;
	default:
		snprintf(text, sizeof(text), "%c%c%c%u%c", e->delimiter, e->delimiter, e->delimiter,
		    e->port, e->delimiter);
	}
	memcpy(out, text, strlen(text));
	return (unsigned)strlen(text);
}
