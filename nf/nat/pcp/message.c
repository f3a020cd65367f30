/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/pcp/message.h"

#include <string.h>

#define VERSION 2u
#define ANSWER 0x80u /* bit of the opcode */

/* Bytes of a header and of what each opcode has behind it. */
#define HEADER 24u
#define MAP_SIZE 36u
#define PEER_SIZE 56u
#define PMP_ADDRESS_SIZE 2u
#define PMP_MAP_SIZE 12u

/* RFC 6887, 19.4; those below OPTIONAL must be understood (7.3). */
enum option { THIRD_PARTY = 1, PREFER_FAILURE = 2, FILTER = 3, OPTIONAL = 128 };

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static void
refuse(struct nat_pcp_request *r, enum nat_pcp_result result)
{
	r->kind = NAT_PCP_REFUSE;
	r->result = (uint8_t)result;
}

/* -- reading ------------------------------------------------------------------------------ */

/* An IPv4 address as 16 bytes (RFC 6887, 5); false: another one. */
static bool
read_address(const uint8_t *at, be32_t *address)
{
	static const uint8_t none[16];

	memcpy(address, at + 12, 4);
	return memcmp(at, mapped, sizeof(mapped)) == 0 || memcmp(at, none, sizeof(none)) == 0;
}

/* What stands behind the opcode's own bytes. */
static void
read_options(struct nat_pcp_request *r, const uint8_t *bytes, unsigned len, unsigned at)
{
	while (at < len) {
		unsigned code, size;

		if (len - at < 4) {
			refuse(r, NAT_PCP_MALFORMED_OPTION);
			return;
		}
		code = bytes[at];
		size = (unsigned)bytes[at + 2] << 8 | bytes[at + 3];
		at += 4;
		if (((size + 3) & ~3u) > len - at) {
			refuse(r, NAT_PCP_MALFORMED_OPTION);
			return;
		}
		at += (size + 3) & ~3u;
		if (code >= OPTIONAL)
			continue;
		if (code != PREFER_FAILURE || r->kind != NAT_PCP_MAP) {
			refuse(r, NAT_PCP_UNSUPP_OPTION);
			return;
		}
		/* It is there once, and says which (13.2). */
		if (size || r->only_this || (!r->outside && !r->address)) {
			refuse(r, NAT_PCP_MALFORMED_OPTION);
			return;
		}
		r->only_this = true;
	}
}

static void
read_ends(struct nat_pcp_request *r, const uint8_t *at, bool peer)
{
	memcpy(r->nonce, at, NAT_PCP_NONCE);
	r->proto = at[12];
	memcpy(&r->inside, at + 16, 2);
	memcpy(&r->outside, at + 18, 2);
	if (!read_address(at + 20, &r->address))
		r->address = 0;
	if (!peer)
		return;
	memcpy(&r->remote, at + 36, 2);
	if (!read_address(at + 40, &r->remote_address) || !r->remote || !r->remote_address ||
	    !r->inside)
		refuse(r, NAT_PCP_MALFORMED_REQUEST);
}

static void
read_pcp(struct nat_pcp_request *r, const uint8_t *bytes, unsigned len, be32_t from)
{
	static const struct {
		uint8_t kind;
		uint8_t size;
	} opcodes[] = {
		{ NAT_PCP_ANNOUNCE, 0 },
		{ NAT_PCP_MAP, MAP_SIZE },
		{ NAT_PCP_PEER, PEER_SIZE },
	};
	be32_t client;

	if (len < HEADER || len > NAT_PCP_MAX || len % 4) {
		refuse(r, NAT_PCP_MALFORMED_REQUEST);
		return;
	}
	r->lifetime = mr_load_be32(bytes + 4);
	if (r->opcode >= sizeof(opcodes) / sizeof(opcodes[0])) {
		refuse(r, NAT_PCP_UNSUPP_OPCODE);
		return;
	}
	/* Another translator stands between it and us (8.2). */
	if (!read_address(bytes + 8, &client) || client != from) {
		refuse(r, NAT_PCP_ADDRESS_MISMATCH);
		return;
	}
	if (len < HEADER + opcodes[r->opcode].size) {
		refuse(r, NAT_PCP_MALFORMED_REQUEST);
		return;
	}
	r->kind = opcodes[r->opcode].kind;
	if (r->kind != NAT_PCP_ANNOUNCE)
		read_ends(r, bytes + HEADER, r->kind == NAT_PCP_PEER);
	if (r->kind != NAT_PCP_REFUSE)
		read_options(r, bytes, len, HEADER + opcodes[r->opcode].size);
}

static void
read_pmp(struct nat_pcp_request *r, const uint8_t *bytes, unsigned len)
{
	if (r->opcode == 0) {
		r->kind = NAT_PCP_ADDRESS;
		return;
	}
	if (r->opcode > 2) {
		refuse(r, NAT_PCP_UNSUPP_OPCODE);
		return;
	}
	if (len < PMP_MAP_SIZE) {
		r->kind = NAT_PCP_IGNORE;
		return;
	}
	r->kind = NAT_PCP_MAP;
	r->proto = r->opcode == 1 ? MR_IP_PROTO_UDP : MR_IP_PROTO_TCP;
	memcpy(&r->inside, bytes + 4, 2);
	memcpy(&r->outside, bytes + 6, 2);
	r->lifetime = mr_load_be32(bytes + 8);
}

void
nat_pcp_read(struct nat_pcp_request *r, const uint8_t *bytes, unsigned len, be32_t from,
    bool nat_pmp)
{
	memset(r, 0, sizeof(*r));
	if (len < 2 || (bytes[1] & ANSWER))
		return;
	r->opcode = bytes[1];
	if (bytes[0] == VERSION) {
		read_pcp(r, bytes, len, from);
		return;
	}
	r->nat_pmp = bytes[0] == 0;
	if (r->nat_pmp && nat_pmp)
		read_pmp(r, bytes, len);
	else
		refuse(r, NAT_PCP_UNSUPP_VERSION);
}

/* -- writing ------------------------------------------------------------------------------ */

/* RFC 6886, 3.5. */
static uint8_t
pmp_result(uint8_t result)
{
	switch (result) {
	case NAT_PCP_SUCCESS:
	case NAT_PCP_UNSUPP_VERSION:
	case NAT_PCP_NOT_AUTHORIZED:
		return result;
	case NAT_PCP_UNSUPP_OPCODE:
		return 5;
	case NAT_PCP_NETWORK_FAILURE:
		return 3;
	default:
		return 4; /* out of resources */
	}
}

static unsigned
write_pmp(uint8_t *out, const struct nat_pcp_request *r, const struct nat_pcp_answer *a)
{
	memset(out, 0, 16);
	out[1] = r->opcode | ANSWER;
	out[3] = pmp_result(a->result);
	mr_store_be32(out + 4, a->epoch);
	if (r->kind == NAT_PCP_ADDRESS) {
		memcpy(out + 8, &a->address, 4);
		return 12;
	}
	if (r->kind != NAT_PCP_MAP)
		return 8;
	memcpy(out + 8, &r->inside, 2);
	memcpy(out + 10, &a->port, 2);
	mr_store_be32(out + 12, a->result ? 0 : a->lifetime);
	return 16;
}

unsigned
nat_pcp_write(uint8_t *out, const uint8_t *bytes, unsigned len, const struct nat_pcp_request *r,
    const struct nat_pcp_answer *a)
{
	unsigned size = HEADER;

	if (r->nat_pmp)
		return write_pmp(out, r, a);
	/* An error has what was asked behind it (8.2); whole words, as many as there is room for. */
	if (a->result && a->result != NAT_PCP_UNSUPP_VERSION)
		size = len < HEADER ? HEADER : len > NAT_PCP_MAX ? NAT_PCP_MAX : (len + 3) & ~3u;
	else if (r->kind == NAT_PCP_MAP)
		size = HEADER + MAP_SIZE + (r->only_this ? 4 : 0);
	else if (r->kind == NAT_PCP_PEER)
		size = HEADER + PEER_SIZE;
	memset(out, 0, size);
	memcpy(out, bytes, len < size ? len : size);
	memset(out, 0, HEADER);
	out[0] = VERSION;
	out[1] = r->opcode | ANSWER;
	out[3] = a->result;
	mr_store_be32(out + 4, a->lifetime);
	mr_store_be32(out + 8, a->epoch);
	if (a->result)
		return size;
	if (r->kind == NAT_PCP_MAP || r->kind == NAT_PCP_PEER) {
		memcpy(out + HEADER + 18, &a->port, 2);
		memcpy(out + HEADER + 20, mapped, sizeof(mapped));
		memcpy(out + HEADER + 32, &a->address, 4);
	}
	/* Of the options, what was done. */
	if (r->only_this)
		memcpy(out + HEADER + MAP_SIZE, (const uint8_t[]){ PREFER_FAILURE, 0, 0, 0 }, 4);
	return size;
}
