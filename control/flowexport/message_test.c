/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages against bytes that were worked out by hand from RFC 7011 and RFC 3954, and random ones
 * against a slow decoder that knows nothing but what the templates say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/flowexport/message.h"
#include "kit/packet/wire.h"

static struct message m;

static void
begin(enum message_protocol protocol, uint32_t limit)
{
	memset(&m, 0, sizeof(m));
	m.protocol = protocol;
	m.domain = 0x01020304;
	m.limit = limit;
	m.boot = 5000;
	message_begin(&m);
}

static const struct flow_record one = {
	.src = { 10, 0, 0, 1 },
	.dst = { 192, 0, 2, 9 },
	.sport = 1024,
	.dport = 53,
	.proto = 17,
	.tos = 0xb8,
	.end = FLOW_END_IDLE,
	.status = 64,
	.vlan = 7,
	.in = 1,
	.out = 2,
	.vrf = 3,
	.packets = 5,
	.octets = 600,
	.first = 0x123456789aull,
	.last = 0x123456789bull,
};

/* -- bytes ------------------------------------------------------------------------------------------ */

static void
an_ipfix_flow(void **state)
{
	static const uint8_t bytes[] = {
		0, 10, 0, 88, 0, 0, 0, 77, 0, 0, 0, 9, 1, 2, 3, 4,         /* header */
		1, 0, 0, 72,                                               /* set 256 */
		10, 0, 0, 1, 192, 0, 2, 9, 4, 0, 0, 53, 17, 0xb8, 0, 4,    /* to ipVersion */
		0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 0, 0, 0, 3,            /* ICMP to VRF */
		0, 1, 64, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 2, 88, /* to octets */
		0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9b,
		0, /* padding */
	};

	begin(MESSAGE_IPFIX, 1400);
	assert_true(message_is_empty(&m));
	assert_true(message_put_flow(&m, &one));
	message_finish(&m, &(struct message_stamp){ .sequence = 9, .now = 77999 });
	assert_int_equal(m.size, sizeof(bytes));
	assert_memory_equal(m.bytes, bytes, sizeof(bytes));
	assert_int_equal(m.data_records, 1);
	assert_int_equal(m.packets, 5);
	assert_int_equal(m.octets, 600);
}

static void
an_options_template(void **state)
{
	static const uint8_t ipfix[] = { 0, 10, 0, 42, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3,
		4, /* header */
		0, 3, 0, 26, 1, 4, 0, 4, 0, 1, 0, 10, 0, 4, 0, 82, 0xff, 0xff, 0, 164, 0, 8, 0, 165,
		0, 8 };
	static const uint8_t nine[] = { 0, 1, 0, 28, 1, 4, 0, 4, 0, 12, 0, 2, 0, 4, 0, 82, 0, 32, 0,
		164, 0, 8, 0, 165, 0, 8, 0, 0 };

	begin(MESSAGE_IPFIX, 1400);
	assert_true(message_put_template(&m, TEMPLATE_INTERFACE));
	message_finish(&m, &(struct message_stamp){ .now = 1000 });
	assert_int_equal(m.size, sizeof(ipfix) + 2); /* padding */
	assert_int_equal(m.data_records, 0);
	assert_memory_equal(m.bytes + 20, ipfix + 20, sizeof(ipfix) - 20);
	begin(MESSAGE_NETFLOW9, 1400);
	assert_true(message_put_template(&m, TEMPLATE_INTERFACE));
	message_finish(&m, &(struct message_stamp){ .now = 8500, .boot = 5000, .sequence = 6 });
	assert_memory_equal(m.bytes + 20, nine, sizeof(nine));
	/* Version, one record, uptime and time of the same whole second, sequence, source. */
	assert_memory_equal(m.bytes,
	    ((uint8_t[]){ 0, 9, 0, 1, 0, 0, 0x0f, 0xa0, 0, 0, 0, 9, 0, 0, 0, 6, 1, 2, 3, 4 }), 20);
}

static void
an_interfaces_name(void **state)
{
	const struct interface_record r = { 4, "wan", 1, 2 };

	begin(MESSAGE_IPFIX, 1400);
	assert_true(message_put_interface(&m, &r));
	message_finish(&m, &(struct message_stamp){ 0 });
	assert_memory_equal(m.bytes + 16,
	    ((uint8_t[]){ 1, 4, 0, 28, 0, 0, 0, 4, 3, 'w', 'a', 'n', 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
		0, 0, 0, 0, 0, 2 }),
	    28);
	begin(MESSAGE_NETFLOW9, 1400);
	assert_true(message_put_interface(&m, &r));
	assert_memory_equal(m.bytes + 28, "wan\0\0\0", 6);
	message_finish(&m, &(struct message_stamp){ 0 });
	assert_int_equal(m.size, 20 + 4 + 4 + 32 + 16);
}

static void
the_limit_holds(void **state)
{
	for (uint32_t limit = MESSAGE_MIN; limit < 700; limit++) {
		unsigned n = 0;

		begin(MESSAGE_IPFIX, limit);
		while (message_put_flow(&m, &one))
			n++;
		message_finish(&m, &(struct message_stamp){ 0 });
		assert_true(m.size <= limit);
		assert_int_equal(n, ((limit & ~3u) - 20) / 67);
		/* Each of all templates fits the smallest message. */
		for (unsigned t = 0; t < TEMPLATES; t++) {
			begin(t % 2 ? MESSAGE_IPFIX : MESSAGE_NETFLOW9, limit);
			assert_true(message_put_template(&m, (enum message_template)t));
		}
	}
}

/* -- a slow decoder ------------------------------------------------------------------------------------ */

struct decoded_field {
	unsigned element, size;
};
struct decoded_template {
	struct decoded_field fields[64];
	unsigned count;
};
static struct decoded_template known[65536];
static struct flow_record found[2000];
static unsigned found_count;

static uint64_t
read_number(const uint8_t *p, unsigned size)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < size; i++)
		n = n << 8 | p[i];
	return n;
}

static void
read_templates(const uint8_t *p, const uint8_t *end)
{
	while (p + 4 <= end && read_number(p, 2)) {
		struct decoded_template *t = &known[read_number(p, 2)];

		t->count = (unsigned)read_number(p + 2, 2);
		assert_true(t->count <= 64);
		p += 4;
		for (unsigned i = 0; i < t->count; i++, p += 4) {
			assert_true(p + 4 <= end);
			t->fields[i].element = (unsigned)read_number(p, 2);
			t->fields[i].size = (unsigned)read_number(p + 2, 2);
		}
	}
}

static void
read_field(struct flow_record *r, unsigned element, const uint8_t *p, unsigned size, uint64_t boot)
{
	uint64_t n = size <= 8 ? read_number(p, size) : 0;

	switch (element) {
	case 8:
	case 27:
		memcpy(r->src, p, size);
		r->six = element == 27;
		break;
	case 12:
	case 28:
		memcpy(r->dst, p, size);
		break;
	case 225:
	case 281:
		memcpy(r->to_src, p, size);
		r->translated = true;
		break;
	case 226:
	case 282:
		memcpy(r->to_dst, p, size);
		break;
	case 227:
		r->to_sport = (uint16_t)n;
		break;
	case 228:
		r->to_dport = (uint16_t)n;
		break;
	case 7:
		r->sport = (uint16_t)n;
		break;
	case 11:
		r->dport = (uint16_t)n;
		break;
	case 4:
		r->proto = (uint8_t)n;
		break;
	case 5:
		r->tos = (uint8_t)n;
		break;
	case 6:
		r->tcp = (uint8_t)n;
		break;
	case 32:
	case 139:
		r->icmp = (uint16_t)n;
		break;
	case 10:
		r->in = (uint32_t)n;
		break;
	case 14:
		r->out = (uint32_t)n;
		break;
	case 58:
		r->vlan = (uint16_t)n;
		break;
	case 234:
		r->vrf = (uint32_t)n;
		break;
	case 136:
		r->end = (uint8_t)n;
		break;
	case 89:
		r->status = (uint8_t)n;
		break;
	case 2:
		r->packets = n;
		break;
	case 1:
		r->octets = n;
		break;
	case 152:
		r->first = n;
		break;
	case 153:
		r->last = n;
		break;
	case 22:
		r->first = boot + n;
		break;
	case 21:
		r->last = boot + n;
		break;
	case 60:
		assert_int_equal(n, r->six ? 6 : 4);
		break;
	case 61:
		assert_int_equal(n, 0);
		break;
	default:
		fail();
	}
}

/* Of one set's records. */
static void
read_records(unsigned id, const uint8_t *p, const uint8_t *end, uint64_t boot)
{
	const struct decoded_template *t = &known[id];
	unsigned size = 0;

	assert_true(t->count > 0); /* the template came before */
	for (unsigned i = 0; i < t->count; i++)
		size += t->fields[i].size;
	while ((size_t)(end - p) >= size) {
		struct flow_record *r = &found[found_count++];

		memset(r, 0, sizeof(*r));
		for (unsigned i = 0; i < t->count; i++) {
			read_field(r, t->fields[i].element, p, t->fields[i].size, boot);
			p += t->fields[i].size;
		}
	}
	assert_true(end - p < 4);
	for (; p < end; p++)
		assert_int_equal(*p, 0);
}

static void
read_message(void)
{
	bool ipfix = read_number(m.bytes, 2) == 10;
	const uint8_t *p = m.bytes + (ipfix ? 16 : 20), *end = m.bytes + m.size;
	uint64_t boot =
	    ipfix ? 0 : read_number(m.bytes + 8, 4) * 1000 - read_number(m.bytes + 4, 4);

	if (ipfix)
		assert_int_equal(read_number(m.bytes + 2, 2), m.size);
	while (p < end) {
		unsigned id = (unsigned)read_number(p, 2), size = (unsigned)read_number(p + 2, 2);

		assert_true(size > 4 && p + size <= end && size % 4 == 0);
		if (id == (ipfix ? 2 : 0))
			read_templates(p + 4, p + size);
		else if (id >= 256)
			read_records(id, p + 4, p + size, boot);
		p += size;
	}
}

static void
fill(void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)bytes)[i] = (uint8_t)random();
}

static struct flow_record
random_flow(void)
{
	struct flow_record r = { 0 };
	unsigned size;

	r.six = random() % 2;
	r.translated = random() % 3 == 0;
	size = r.six ? 16 : 4;
	fill(r.src, size);
	fill(r.dst, size);
	if (r.translated) {
		fill(r.to_src, size);
		fill(r.to_dst, size);
		fill(&r.to_sport, 2);
		fill(&r.to_dport, 2);
	}
	fill(&r.sport, 2);
	fill(&r.dport, 2);
	fill(&r.icmp, 2);
	fill(&r.vlan, 2);
	fill(&r.proto, 1);
	fill(&r.tos, 1);
	fill(&r.tcp, 1);
	fill(&r.end, 1);
	fill(&r.status, 1);
	fill(&r.in, 4);
	fill(&r.out, 4);
	fill(&r.vrf, 4);
	fill(&r.packets, 8);
	fill(&r.octets, 8);
	r.first = m.boot + (uint64_t)random() % 100000;
	r.last = r.first + (uint64_t)random() % 100000;
	return r;
}

static void
leave_message(void)
{
	message_finish(&m, &(struct message_stamp){ .now = 1000000, .boot = m.boot });
	assert_true(m.size <= m.limit);
	read_message();
	message_begin(&m);
}

static void
round_trips(void **state)
{
	static struct flow_record given[1000];

	srandom(7011);
	for (unsigned n = 0; n < 40; n++) {
		begin(n % 2 ? MESSAGE_IPFIX : MESSAGE_NETFLOW9,
		    MESSAGE_MIN + (unsigned)random() % (n < 20 ? 2000 : 60000));
		memset(known, 0, sizeof(known));
		found_count = 0;
		for (unsigned t = 0; t < TEMPLATES; t++)
			if (!message_put_template(&m, (enum message_template)t)) {
				leave_message();
				assert_true(message_put_template(&m, (enum message_template)t));
			}
		for (unsigned i = 0; i < MR_ARRAY_COUNT(given); i++) {
			given[i] = random_flow();
			if (!message_put_flow(&m, &given[i])) {
				leave_message();
				assert_true(message_put_flow(&m, &given[i]));
			}
		}
		leave_message();
		assert_int_equal(found_count, MR_ARRAY_COUNT(given));
		for (unsigned i = 0; i < found_count; i++)
			assert_memory_equal(&found[i], &given[i], sizeof(found[i]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipfix_flow),
		cmocka_unit_test(an_options_template),
		cmocka_unit_test(an_interfaces_name),
		cmocka_unit_test(the_limit_holds),
		cmocka_unit_test(round_trips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
