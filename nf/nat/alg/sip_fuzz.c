/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as a SIP message; the first says how it came. Places lie in the payload, in their
 * order, and hold what they are said to hold.
 */
#include <stdlib.h>
#include <string.h>

#include "nf/nat/alg/sip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
check_item(const uint8_t *data, size_t size, const struct sip_item *item, uint32_t *end)
{
	struct alg_address address;
	struct alg_text t;
	unsigned port;

	must(item->size || item->port_size);
	if (item->size) {
		must(item->at >= *end && item->at + item->size <= size);
		*end = item->at + item->size;
		t = (struct alg_text){ (const char *)data + item->at, (const char *)data + *end };
		must(alg_read_address(&t, item->address.family, &address) && t.at == t.end);
		must(alg_address_equal(&address, item->address.family, item->address.bytes));
	}
	if (item->port_size) {
		must(item->port_at >= *end && item->port_at + item->port_size <= size);
		*end = item->port_at + item->port_size;
		t = (struct alg_text){ (const char *)data + item->port_at,
			(const char *)data + *end };
		must(alg_read_number(&t, UINT16_MAX, &port) && t.at == t.end && port == item->port);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_message m;
	uint32_t end = 0;

	if (!size)
		return 0;
	if (sip_read(data + 1, size - 1, data[0] & 1, &m))
		return 0;
	must(m.count <= SIP_ITEMS_MAX && m.body + (size_t)m.body_size <= size - 1);
	must(m.length_at + (size_t)m.length_size <= m.body);
	for (unsigned i = 0; i < m.count; i++)
		check_item(data + 1, size - 1, &m.items[i], &end);
	return 0;
}
