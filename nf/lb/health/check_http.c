/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/lb/health/check_http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
	STATUS_LINE,
	INTERIM, /* the fields of a 1xx answer, behind which the real one comes */
	FIELDS,
	COUNTED, /* a body of a known length */
	UNTIL_END,
	CHUNK_SIZE,
	CHUNK,
	CHUNK_END, /* the line end behind a chunk */
};

int
check_http_want(struct check_http_want *w, uint16_t status_first, uint16_t status_last,
    const char *text)
{
	size_t size = text ? strlen(text) : 0;
	unsigned k = 0;

	if (size > CHECK_HTTP_TEXT_MAX)
		return -E2BIG;
	*w = (struct check_http_want){
		.status_first = status_first,
		.status_last = status_last,
		.size = (uint16_t)size,
		.text = text,
	};
	/* fall_back[i]: how long the longest proper prefix is that ends at i. */
	for (unsigned i = 1; i < size; i++) {
		while (k && text[i] != text[k])
			k = w->fall_back[k - 1];
		if (text[i] == text[k])
			k++;
		w->fall_back[i] = (uint8_t)k;
	}
	return 0;
}

void
check_http_begin(struct check_http *h, const struct check_http_want *want)
{
	*h = (struct check_http){ .want = want, .state = STATUS_LINE, .verdict = CHECK_HTTP_MORE };
}

static enum check_http_verdict
search(struct check_http *h, uint8_t byte)
{
	const struct check_http_want *w = h->want;
	unsigned k = h->matched;

	while (k && byte != (uint8_t)w->text[k])
		k = w->fall_back[k - 1];
	if (byte == (uint8_t)w->text[k])
		k++;
	h->matched = (uint16_t)k;
	return k == w->size ? CHECK_HTTP_GOOD : CHECK_HTTP_MORE;
}

/* "HTTP/1.1 200 OK"; the words behind the number, and the space before them, may be absent. */
static enum check_http_verdict
take_status_line(struct check_http *h)
{
	const char *line = h->line;
	unsigned status = 0;

	if (h->line_size < 12 || memcmp(line, "HTTP/1.", 7) || (line[7] != '0' && line[7] != '1') ||
	    line[8] != ' ' || (h->line_size > 12 && line[12] != ' '))
		return CHECK_HTTP_MALFORMED;
	for (unsigned i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return CHECK_HTTP_MALFORMED;
		status = status * 10 + (unsigned)(line[i] - '0');
	}
	if (status < 100)
		return CHECK_HTTP_MALFORMED;
	h->status = (uint16_t)status;
	if (status < 200 && status != 101) {
		h->state = INTERIM;
		return CHECK_HTTP_MORE;
	}
	if (status < h->want->status_first || status > h->want->status_last)
		return CHECK_HTTP_STATUS;
	if (!h->want->size)
		return CHECK_HTTP_GOOD;
	h->state = FIELDS;
	return CHECK_HTTP_MORE;
}

/* The value when the line is the field of this name. */
static const char *
field(const struct check_http *h, const char *name)
{
	size_t size = strlen(name);
	const char *value = h->line + size + 1;

	if (h->line_size <= size || h->line[size] != ':' || strncasecmp(h->line, name, size))
		return NULL;
	while (*value == ' ' || *value == '\t')
		value++;
	return value;
}

/* Digits up to the end, a blank or ';'. */
static bool
read_number(const char *text, unsigned base, uint64_t *out)
{
	const char *at = text;
	uint64_t value = 0;

	for (;; at++) {
		char c = *at;
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
		    : c >= 'a' && c <= 'f'            ? (unsigned)(c - 'a') + 10
		    : c >= 'A' && c <= 'F'            ? (unsigned)(c - 'A') + 10
						      : 99;

		if (digit >= base)
			break;
		if (value >> 56) /* no such body */
			return false;
		value = value * base + digit;
	}
	*out = value;
	return at > text && (!*at || *at == ' ' || *at == '\t' || *at == ';');
}

static enum check_http_verdict
take_field(struct check_http *h)
{
	const char *length = field(h, "content-length");
	const char *encoding = field(h, "transfer-encoding");
	uint64_t value;

	if ((length || encoding) && h->line_cut)
		return CHECK_HTTP_MALFORMED;
	if (length) {
		if (!read_number(length, 10, &value) || (h->has_length && value != h->left))
			return CHECK_HTTP_MALFORMED;
		h->has_length = true;
		h->left = value;
	}
	if (encoding) {
		if (strncasecmp(encoding, "chunked", 7))
			return CHECK_HTTP_MALFORMED; /* we asked for nothing else */
		h->chunked = true;
	}
	return CHECK_HTTP_MORE;
}

static enum check_http_verdict
end_fields(struct check_http *h)
{
	if (h->chunked)
		h->state = CHUNK_SIZE;
	else if (h->status == 204 || h->status == 304 || (h->has_length && !h->left))
		return CHECK_HTTP_NO_TEXT;
	else
		h->state = h->has_length ? COUNTED : UNTIL_END;
	return CHECK_HTTP_MORE;
}

static enum check_http_verdict
take_line(struct check_http *h)
{
	switch (h->state) {
	case STATUS_LINE:
		return take_status_line(h);
	case INTERIM:
		if (!h->line_size)
			h->state = STATUS_LINE;
		return CHECK_HTTP_MORE;
	case FIELDS:
		return h->line_size ? take_field(h) : end_fields(h);
	case CHUNK_SIZE:
		if (h->line_cut || !read_number(h->line, 16, &h->left))
			return CHECK_HTTP_MALFORMED;
		h->state = CHUNK;
		return h->left ? CHECK_HTTP_MORE : CHECK_HTTP_NO_TEXT;
	default: /* CHUNK_END */
		h->state = CHUNK_SIZE;
		return h->line_size ? CHECK_HTTP_MALFORMED : CHECK_HTTP_MORE;
	}
}

static enum check_http_verdict
take(struct check_http *h, uint8_t byte)
{
	enum check_http_verdict verdict;

	switch (h->state) {
	case COUNTED:
	case CHUNK:
		verdict = search(h, byte);
		if (--h->left || verdict)
			return verdict;
		if (h->state == COUNTED)
			return CHECK_HTTP_NO_TEXT;
		h->state = CHUNK_END;
		return CHECK_HTTP_MORE;
	case UNTIL_END:
		return search(h, byte);
	default:
		break;
	}
	if (byte != '\n') {
		if (h->line_size < sizeof(h->line) - 1)
			h->line[h->line_size++] = (char)byte;
		else
			h->line_cut = true;
		return CHECK_HTTP_MORE;
	}
	if (h->line_size && !h->line_cut && h->line[h->line_size - 1] == '\r')
		h->line_size--;
	h->line[h->line_size] = 0;
	verdict = take_line(h);
	h->line_size = 0;
	h->line_cut = false;
	return verdict;
}

enum check_http_verdict
check_http_feed(struct check_http *h, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	while (size-- && h->verdict == CHECK_HTTP_MORE) {
		h->verdict =
		    ++h->bytes > CHECK_HTTP_BYTES_MAX ? CHECK_HTTP_TOO_LONG : take(h, *at++);
		/* Who speaks another protocol may never end a line. */
		if (h->state == STATUS_LINE && h->line_cut)
			h->verdict = CHECK_HTTP_MALFORMED;
	}
	return h->verdict;
}

enum check_http_verdict
check_http_end(struct check_http *h)
{
	if (h->verdict == CHECK_HTTP_MORE)
		h->verdict = h->state == UNTIL_END ? CHECK_HTTP_NO_TEXT : CHECK_HTTP_ENDED;
	return h->verdict;
}
