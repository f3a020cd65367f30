/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of FTP and SIP, and the list of replacements. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nf/nat/alg/ftp.h"
#include "nf/nat/alg/sip.h"

/* In memory of its own, so that a sanitizer sees a read too far. */
static char *
exact(const char *text)
{
	char *copy = malloc(strlen(text) + !*text);

	assert_non_null(copy);
	memcpy(copy, text, strlen(text));
	return copy;
}

/* -- FTP ------------------------------------------------------------------------------------ */

static const struct {
	const char *line;
	bool server;
	const char *place; /* the part that is the endpoint; null: there is none */
	const char *address;
	uint16_t port;
} ftp_cases[] = {
	{ "PORT 10,0,0,2,4,1\r\n", false, "10,0,0,2,4,1", "10.0.0.2", 1025 },
	{ "port 10,0,0,2,255,255\n", false, "10,0,0,2,255,255", "10.0.0.2", 65535 },
	{ "PORT  10,0,0,2,4,1 \r\n", false, "10,0,0,2,4,1", "10.0.0.2", 1025 },
	{ "NOOP\r\nPORT 10,0,0,2,4,1\r\n", false, "10,0,0,2,4,1", "10.0.0.2", 1025 },
	{ "PORT 10,0,0,2,4,1\r\n", true, NULL, NULL, 0 },
	{ "PORT 10,0,0,2,4,1", false, NULL, NULL, 0 }, /* not whole */
	{ "PORT 10,0,0,2,4\r\n", false, NULL, NULL, 0 },
	{ "PORT 10,0,0,2,4,1,1\r\n", false, NULL, NULL, 0 },
	{ "PORT 10,0,0,256,4,1\r\n", false, NULL, NULL, 0 },
	{ "PORT 10,0,0,2,0,0\r\n", false, NULL, NULL, 0 },
	{ "PORT 10,0,0,2,4294967300,1\r\n", false, NULL, NULL, 0 },
	{ "XPORT 10,0,0,2,4,1\r\n", false, NULL, NULL, 0 },
	{ "EPRT |1|10.0.0.2|6275|\r\n", false, "|1|10.0.0.2|6275|", "10.0.0.2", 6275 },
	{ "EPRT !1!10.0.0.2!6275!\r\n", false, "!1!10.0.0.2!6275!", "10.0.0.2", 6275 },
	{ "EPRT |2|2001:db8::2|6275|\r\n", false, "|2|2001:db8::2|6275|", "2001:db8::2", 6275 },
	{ "EPRT |2|10.0.0.2|6275|\r\n", false, NULL, NULL, 0 },
	{ "EPRT |1|10.0.0.2|65536|\r\n", false, NULL, NULL, 0 },
	{ "EPRT |1|10.0.0.2|6275\r\n", false, NULL, NULL, 0 },
	{ "EPRT |1|10.0.0.2|6275!\r\n", false, NULL, NULL, 0 },
	{ "EPRT |3|10.0.0.2|6275|\r\n", false, NULL, NULL, 0 },
	{ "227 Entering Passive Mode (192,0,2,1,4,1).\r\n", true, "192,0,2,1,4,1", "192.0.2.1",
	    1025 },
	{ "227 =192,0,2,1,4,1\r\n", true, "192,0,2,1,4,1", "192.0.2.1", 1025 },
	{ "227 Mode 2 of 3: 192,0,2,1,4,1\r\n", true, "192,0,2,1,4,1", "192.0.2.1", 1025 },
	{ "227 1192,0,2,1,4,1\r\n", true, NULL, NULL, 0 }, /* no part of a number is one */
	{ "220 Hello\r\n227 (192,0,2,1,4,1)\r\n", true, "192,0,2,1,4,1", "192.0.2.1", 1025 },
	{ "228 (192,0,2,1,4,1)\r\n", true, NULL, NULL, 0 },
	{ "229 Entering Extended Passive Mode (|||6446|)\r\n", true, "|||6446|", NULL, 6446 },
	{ "229 Ok (!!!6446!)\r\n", true, "!!!6446!", NULL, 6446 },
	{ "229 Ok (||6446|)\r\n", true, NULL, NULL, 0 },
	{ "229 Ok (|||0|)\r\n", true, NULL, NULL, 0 },
	{ "229 Ok |||6446|\r\n", true, NULL, NULL, 0 },
	{ "", true, NULL, NULL, 0 },
};

static void
test_ftp(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(ftp_cases); i++) {
		size_t size = strlen(ftp_cases[i].line);
		char *line = exact(ftp_cases[i].line), text[ALG_EDIT_MAX];
		const char *place = ftp_cases[i].place;
		struct ftp_endpoint e;
		uint8_t address[16];
		uint32_t at = 0;

		if (ftp_next(line, size, &at, ftp_cases[i].server, &e) != (place != NULL))
			fail_msg("case %u: %s", i, ftp_cases[i].line);
		if (place) {
			assert_int_equal(e.size, strlen(place));
			assert_memory_equal(line + e.at, place, e.size);
			assert_int_equal(e.port, ftp_cases[i].port);
			/* Written again it is the same. */
			assert_int_equal(ftp_write(&e, text), e.size);
			assert_memory_equal(text, place, e.size);
			assert_false(ftp_next(line, size, &at, ftp_cases[i].server, &e));
		}
		if (ftp_cases[i].address) {
			inet_pton(e.address.family == 6 ? AF_INET6 : AF_INET, ftp_cases[i].address,
			    address);
			assert_true(alg_address_equal(&e.address, e.address.family, address));
		}
		free(line);
	}
}

static void
test_ftp_several(void **state)
{
	static const char lines[] = "PORT 10,0,0,2,4,1\r\nLIST\r\nPORT 10,0,0,2,4,2\r\n";
	struct ftp_endpoint e;
	uint32_t at = 0;

	(void)state;
	assert_true(ftp_next(lines, strlen(lines), &at, false, &e));
	assert_int_equal(e.port, 1025);
	assert_true(ftp_next(lines, strlen(lines), &at, false, &e));
	assert_int_equal(e.port, 1026);
	assert_int_equal(e.at, 30);
	assert_false(ftp_next(lines, strlen(lines), &at, false, &e));
}

/* -- SIP ------------------------------------------------------------------------------------ */

#define INVITE \
	"INVITE sip:bob@198.51.100.9:5070;transport=udp SIP/2.0\r\n" \
	"Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9;rport\r\n" \
	"From: \"sip:10.9.9.9\" <sip:alice@10.0.0.2>;tag=1\r\n" \
	"t: <sip:bob@biloxi.example.com>\r\n" \
	"Call-ID: 1@10.0.0.2\r\n" \
	"CSeq: 1 INVITE\r\n" \
	"Contact: <sip:alice@10.0.0.2:5060>,\r\n <sips:[2001:db8::2]:5061>\r\n"
#define SESSION \
	"v=0\r\n" \
	"o=alice 53655765 2353687637 IN IP4 10.0.0.2\r\n" \
	"s=-\r\n" \
	"c=IN IP4 10.0.0.2\r\n" \
	"t=0 0\r\n" \
	"m=audio 49170 RTP/AVP 0\r\n" \
	"a=rtcp:49180 IN IP4 10.0.0.3\r\n" \
	"m=video 51372/2 RTP/AVP 99\r\n" \
	"c=IN IP6 2001:db8::3\r\n"

/* The items in words: place, address, port, media. */
static void
write_items(const struct sip_message *m, char *out, size_t size)
{
	size_t used = 0;

	out[0] = 0;
	for (unsigned i = 0; i < m->count; i++) {
		const struct sip_item *item = &m->items[i];
		char address[64] = "-";

		if (item->size)
			address[alg_write_address(address, &item->address)] = 0;
		used += (size_t)snprintf(out + used, size - used, "%u %s %u %u\n", item->place,
		    address, item->port, item->media);
	}
}

static int
read_text(const char *text, bool stream, struct sip_message *m)
{
	char *copy = exact(text);
	int rc = sip_read(copy, strlen(text), stream, m);

	free(copy);
	return rc;
}

static void
test_sip_invite(void **state)
{
	char text[2048], items[2048];
	struct sip_message m;

	(void)state;
	snprintf(text, sizeof(text),
	    "%sContent-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s", INVITE,
	    strlen(SESSION), SESSION);
	for (unsigned stream = 0; stream < 2; stream++) {
		assert_int_equal(read_text(text, stream, &m), 0);
		assert_true(m.request && m.session);
		write_items(&m, items, sizeof(items));
		assert_string_equal(items,
		    "0 198.51.100.9 5070 0\n"
		    "1 10.0.0.2 5060 0\n"
		    "4 10.0.0.2 0 0\n"
		    "3 10.0.0.2 5060 0\n"
		    "3 2001:db8::2 5061 0\n"
		    "5 10.0.0.2 0 0\n"
		    "6 10.0.0.2 0 0\n"
		    "7 - 49170 1\n"
		    "8 - 49180 1\n"
		    "8 10.0.0.3 0 1\n"
		    "7 - 51372 2\n"
		    "6 2001:db8::3 0 2\n");
		assert_memory_equal(text + m.body, "v=0", 3);
		assert_int_equal(m.body_size, strlen(SESSION));
		assert_int_equal(atoi(text + m.length_at), (int)strlen(SESSION));
		for (unsigned i = 0; i < m.count; i++) {
			assert_int_equal(m.items[i].port_size ? atoi(text + m.items[i].port_at) : 0,
			    m.items[i].port);
			if (i)
				assert_true(m.items[i].at + m.items[i].port_at >
				    m.items[i - 1].at + m.items[i - 1].size);
		}
	}
}

static void
test_sip_answer(void **state)
{
	struct sip_message m;
	char items[512];

	(void)state;
	assert_int_equal(
	    read_text("SIP/2.0 200 OK\r\n"
		      "Via: SIP / 2.0 / TCP 10.0.0.2;received=192.0.2.1;rport=4711;branch=z, "
		      "SIP/2.0/UDP [2001:db8::5]:5060;branch=y\r\n"
		      "v:SIP/2.0/UDP pc33.atlanta.example.com:5060\r\n"
		      "Record-Route: <sip:10.0.0.7;lr>\r\n"
		      "l: 0\r\n\r\n",
		true, &m),
	    0);
	assert_false(m.request || m.session);
	write_items(&m, items, sizeof(items));
	assert_string_equal(items,
	    "1 10.0.0.2 0 0\n2 192.0.2.1 0 0\n2 - 4711 0\n1 2001:db8::5 5060 0\n4 10.0.0.7 0 0\n");
}

static void
test_sip_refused(void **state)
{
	char text[4096];
	struct sip_message m;

	(void)state;
	assert_int_equal(read_text("", false, &m), -EINVAL);
	assert_int_equal(read_text("GET / HTTP/1.1\r\n\r\n", false, &m), -EINVAL);
	assert_int_equal(read_text(INVITE, false, &m), -EINVAL); /* no end of the fields */
	assert_int_equal(read_text(INVITE "Content-Length: 5\r\n\r\nabcd", false, &m), -EINVAL);
	assert_int_equal(read_text(INVITE "Content-Length: -1\r\n\r\n", false, &m), -EINVAL);
	assert_int_equal(read_text(INVITE "Content-Length: 1\r\nl: 2\r\n\r\nab", false, &m),
	    -EINVAL);
	assert_int_equal(read_text(INVITE "\r\nbody", false, &m), 0);
	assert_int_equal(m.body_size, 4);
	assert_int_equal(read_text(INVITE "\r\nbody", true, &m), -EINVAL); /* TCP says the length */
	/* Two in one segment. */
	assert_int_equal(read_text(INVITE "l: 1\r\n\r\nab", true, &m), -EINVAL);
	assert_int_equal(read_text(INVITE "l: 1\r\n\r\nab", false, &m), 0);
	strcpy(text, "INFO sip:a@b SIP/2.0\r\nContact: ");
	for (unsigned i = 0; i <= SIP_ITEMS_MAX; i++)
		strcat(text, "<sip:a@10.0.0.2>,");
	strcat(text, "\r\n\r\n");
	assert_int_equal(read_text(text, false, &m), -E2BIG);
}

/* What only looks like an address. */
static void
test_sip_names(void **state)
{
	static const char *const hosts[] = { "10.0.0.2.example.org", "10.0.0", "10.0.0.256",
		"10.0.0.2-a", "[2001:db8::2", "[10.0.0.2]", "10.0.0.2:99999", "host", "" };
	struct sip_message m;
	char text[256];

	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(hosts); i++) {
		snprintf(text, sizeof(text), "BYE sip:a@%s SIP/2.0\r\n\r\n", hosts[i]);
		assert_int_equal(read_text(text, false, &m), 0);
		if (m.count)
			fail_msg("%s", hosts[i]);
	}
}

/* -- replacements ---------------------------------------------------------------------------- */

static void
test_edits(void **state)
{
	struct alg_edits e = { 0 };
	char out[64];
	size_t size;

	(void)state;
	assert_true(alg_edit(&e, 0, 1, "AB", 2));
	assert_true(alg_edit(&e, 3, 0, "-", 1));
	assert_true(alg_edit(&e, 5, 2, "", 0));
	assert_false(alg_edit(&e, 6, 1, "x", 1)); /* over the one before */
	assert_int_equal(alg_edits_growth(&e, 0), 0);
	assert_int_equal(alg_edits_growth(&e, 3), -1);
	size = alg_edits_apply(&e, "a123456z", 8, out, sizeof(out));
	assert_int_equal(size, 8);
	assert_memory_equal(out, "AB12-34z", 8);
	assert_int_equal(alg_edits_apply(&e, "a123456z", 8, out, 7), 0);
	assert_int_equal(alg_edits_apply(&e, "a1234", 5, out, sizeof(out)), 0);
	e.count = 0;
	for (unsigned i = 0; i < ALG_EDITS_MAX; i++)
		assert_true(alg_edit(&e, i, 1, "y", 1));
	assert_false(alg_edit(&e, ALG_EDITS_MAX, 1, "y", 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ftp),
		cmocka_unit_test(test_ftp_several),
		cmocka_unit_test(test_sip_invite),
		cmocka_unit_test(test_sip_answer),
		cmocka_unit_test(test_sip_refused),
		cmocka_unit_test(test_sip_names),
		cmocka_unit_test(test_edits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
