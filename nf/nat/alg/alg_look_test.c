/* SPDX-License-Identifier: Apache-2.0 */
/* What FTP, TFTP and SIP become on their way through. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kit/packet/wire.h"
#include "nf/nat/alg/alg_fake_int.h"

static void
becomes(struct nat_talk *talk, const struct nat_alg *alg, const char *payload, const char *want)
{
	char out[4096];
	size_t size = fake_look(talk, alg, payload, strlen(payload), out, sizeof(out) - 1);

	out[size] = 0;
	assert_string_equal(out, want);
}

static void
expected(const struct nat_talk *talk, unsigned n, uint8_t protocol, uint16_t port, unsigned count,
    bool from_remote)
{
	const struct fake_expected *e = &talk->expected[n];

	assert_in_range(n, 0, talk->count - 1);
	assert_int_equal(e->inside, talk->ends.inside);
	assert_int_equal(e->protocol, protocol);
	assert_int_equal(e->port, port);
	assert_int_equal(e->count, count);
	assert_int_equal(e->remote, from_remote ? talk->ends.remote : 0);
}

static void
test_ftp(void **state)
{
	struct nat_talk talk;

	(void)state;
	fake_talk(&talk, true, 40000, 40000);
	becomes(&talk, &nat_alg_ftp, "PORT 10,0,0,2,4,1\r\n", "PORT 192,0,2,1,43,17\r\n");
	becomes(&talk, &nat_alg_ftp, "EPRT |1|10.0.0.2|1026|\r\n", "EPRT |1|192.0.2.1|11026|\r\n");
	becomes(&talk, &nat_alg_ftp, "PORT 10,0,0,2,4,3\r\nLIST\r\nPORT 10,0,0,2,4,4\r\n",
	    "PORT 192,0,2,1,43,19\r\nLIST\r\nPORT 192,0,2,1,43,20\r\n");
	assert_int_equal(talk.count, 4);
	expected(&talk, 0, MR_IP_PROTO_TCP, 1025, 1, true);
	expected(&talk, 1, MR_IP_PROTO_TCP, 1026, 1, true);
	/* Somebody else's address, passive mode, other words: as they are. */
	becomes(&talk, &nat_alg_ftp, "PORT 10,0,0,3,4,1\r\n", "PORT 10,0,0,3,4,1\r\n");
	becomes(&talk, &nat_alg_ftp, "EPRT |2|2001:db8::2|1026|\r\n",
	    "EPRT |2|2001:db8::2|1026|\r\n");
	becomes(&talk, &nat_alg_ftp, "PASV\r\n", "PASV\r\n");
	assert_int_equal(talk.count, 4);
	/* No room: the command is held back, TCP sends it again. */
	talk.refuse = true;
	becomes(&talk, &nat_alg_ftp, "PORT 10,0,0,2,4,1\r\n", "");
	fake_talk(&talk, false, 40000, 40000);
	becomes(&talk, &nat_alg_ftp, "227 Ok (198,51,100,9,4,1)\r\n",
	    "227 Ok (198,51,100,9,4,1)\r\n");
	assert_int_equal(talk.count, 0);
}

static void
test_tftp(void **state)
{
	static const char read[] = "\0\1file\0octet", data[] = "\0\3\0\1text", many[] = "\0";
	struct nat_talk talk;
	char out[64];

	(void)state;
	fake_talk(&talk, true, 40000, 50000);
	assert_int_equal(fake_look(&talk, &nat_alg_tftp, read, sizeof(read), out, 64),
	    sizeof(read));
	assert_memory_equal(out, read, sizeof(read));
	assert_int_equal(talk.count, 1);
	expected(&talk, 0, MR_IP_PROTO_UDP, 40000, 1, true);
	assert_int_equal(fake_look(&talk, &nat_alg_tftp, data, sizeof(data), out, 64),
	    sizeof(data));
	assert_int_equal(fake_look(&talk, &nat_alg_tftp, many, 1, out, 64), 1);
	assert_int_equal(talk.count, 1);
	fake_talk(&talk, false, 40000, 50000);
	assert_int_equal(fake_look(&talk, &nat_alg_tftp, read, sizeof(read), out, 64),
	    sizeof(read));
	assert_int_equal(talk.count, 0);
}

#define SDP(address, audio, video) \
	"v=0\r\no=a 1 1 IN IP4 " address "\r\ns=-\r\nc=IN IP4 " address "\r\nt=0 0\r\n" \
	"m=audio " audio " RTP/AVP 0\r\nm=video " video " RTP/AVP 99\r\n"

static void
with_length(char *out, size_t size, const char *fields, const char *body)
{
	snprintf(out, size, "%sContent-Length: %zu\r\nContact: <sip:a@%s>\r\n\r\n%s", fields,
	    strlen(body), "x.example.org", body);
}

static void
test_sip_out(void **state)
{
	static const char fields[] = "INVITE sip:bob@198.51.100.9 SIP/2.0\r\n"
				     "Via: SIP/2.0/UDP 10.0.0.2:5060;rport\r\n"
				     "From: <sip:alice@10.0.0.2>\r\n"
				     "Contact: <sip:alice@10.0.0.2:5062>\r\n"
				     "Route: <sip:10.0.0.7>\r\n"
				     "Content-Type: application/sdp\r\n";
	static const char changed[] = "INVITE sip:bob@198.51.100.9 SIP/2.0\r\n"
				      "Via: SIP/2.0/UDP 192.0.2.1:6000;rport\r\n"
				      "From: <sip:alice@192.0.2.1>\r\n"
				      "Contact: <sip:alice@192.0.2.1:15062>\r\n"
				      "Route: <sip:10.0.0.7>\r\n"
				      "Content-Type: application/sdp\r\n";
	char text[2048], want[2048];
	struct nat_talk talk;

	(void)state;
	for (unsigned tcp = 0; tcp < 2; tcp++) {
		fake_talk(&talk, true, 5060, 6000);
		with_length(text, sizeof(text), fields, SDP("10.0.0.2", "4000", "0"));
		with_length(want, sizeof(want), changed, SDP("192.0.2.1", "14000", "0"));
		becomes(&talk, tcp ? &nat_alg_sip_tcp : &nat_alg_sip, text, want);
		assert_int_equal(talk.count, 2);
		/* The media first: what the fields say comes when their length is known. */
		expected(&talk, 0, MR_IP_PROTO_UDP, 4000, 2, false);
		expected(&talk, 1, tcp ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP, 5062, 1, false);
	}
	/* Media of somebody else, or of each line's own address. */
	fake_talk(&talk, true, 5060, 6000);
	with_length(text, sizeof(text), fields,
	    SDP("10.0.0.7", "4000", "4002") "c=IN IP4 10.0.0.2\r\n");
	with_length(want, sizeof(want), changed,
	    SDP("10.0.0.7", "4000", "14002") "c=IN IP4 192.0.2.1\r\n");
	becomes(&talk, &nat_alg_sip, text, want);
	expected(&talk, 0, MR_IP_PROTO_UDP, 4002, 2, false);
	/* Two ports that are not beside each other. */
	fake_talk(&talk, true, 5060, 6000);
	with_length(text, sizeof(text), fields, SDP("10.0.0.2", "4000", "0") "a=rtcp:5\r\n");
	with_length(want, sizeof(want), changed, SDP("192.0.2.1", "14000", "0") "a=rtcp:5\r\n");
	becomes(&talk, &nat_alg_sip, text, want); /* of the video, which is off */
	with_length(text, sizeof(text), fields, SDP("10.0.0.2", "0", "4000") "a=rtcp:4009\r\n");
	with_length(want, sizeof(want), changed, SDP("192.0.2.1", "0", "14000") "a=rtcp:14009\r\n");
	becomes(&talk, &nat_alg_sip, text, want);
	expected(&talk, 2, MR_IP_PROTO_UDP, 4000, 1, false);
	expected(&talk, 3, MR_IP_PROTO_UDP, 4009, 1, false);
	talk.refuse = true;
	becomes(&talk, &nat_alg_sip, text, "");
}

/* The usual port is not said; another one has to be. */
static void
test_sip_ports(void **state)
{
	struct nat_talk talk;

	(void)state;
	fake_talk(&talk, true, 5060, 6000);
	becomes(&talk, &nat_alg_sip, "BYE sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP 10.0.0.2\r\n\r\n",
	    "BYE sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1:6000\r\n\r\n");
	fake_talk(&talk, true, 5060, 5060);
	becomes(&talk, &nat_alg_sip, "BYE sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP 10.0.0.2\r\n\r\n",
	    "BYE sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1\r\n\r\n");
	/* The answer comes back as it went out. */
	fake_talk(&talk, false, 5060, 6000);
	becomes(&talk, &nat_alg_sip,
	    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:6000;received=192.0.2.1;rport=6000\r\n"
	    "From: <sip:alice@192.0.2.1>\r\nContact: <sip:bob@198.51.100.9:5070>\r\n\r\n",
	    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;received=10.0.0.2;rport=5060\r\n"
	    "From: <sip:alice@10.0.0.2>\r\nContact: <sip:bob@198.51.100.9:5070>\r\n\r\n");
	/* A request for the end that was said. */
	becomes(&talk, &nat_alg_sip, "BYE sip:alice@192.0.2.1:6000 SIP/2.0\r\n\r\n",
	    "BYE sip:alice@10.0.0.2:5060 SIP/2.0\r\n\r\n");
	becomes(&talk, &nat_alg_sip, "BYE sip:alice@192.0.2.1:7000 SIP/2.0\r\n\r\n",
	    "BYE sip:alice@192.0.2.1:7000 SIP/2.0\r\n\r\n");
	assert_int_equal(talk.count, 0);
	/* What is not SIP passes as it is. */
	becomes(&talk, &nat_alg_sip, "\r\n\r\n", "\r\n\r\n");
	becomes(&talk, &nat_alg_sip_tcp, "INVITE sip:a@10.0.0.2 SIP/2.0\r\n",
	    "INVITE sip:a@10.0.0.2 SIP/2.0\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ftp),
		cmocka_unit_test(test_tftp),
		cmocka_unit_test(test_sip_out),
		cmocka_unit_test(test_sip_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
