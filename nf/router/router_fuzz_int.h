/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ROUTER_ROUTER_FUZZ_INT_H
#define MR_NF_ROUTER_ROUTER_FUZZ_INT_H

/* What router_fuzz.c and router_fuzz_frames.c share: the input, and the frames built of it. */

#include "nf/router/router_bed_int.h"

#define ROUTER_FUZZ_CONFIGS 3u

struct input {
	const uint8_t *at;
	size_t left;
};

struct fuzz {
	struct bed bed;
	struct mr_config *configs[ROUTER_FUZZ_CONFIGS];
	unsigned config; /* the one in use */
	unsigned given;
	bool routes;
};

mr_inline unsigned
byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

mr_inline unsigned
word(struct input *in)
{
	unsigned high = byte(in);

	return high << 8 | byte(in);
}

mr_inline void
bytes(struct input *in, uint8_t *to, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		to[i] = (uint8_t)byte(in);
}

/* Addresses of the interfaces, of their neighbours, of routes, or any. */
void address4(struct input *, uint8_t *to);
void address6(struct input *, uint8_t *to);
/* A frame arrives: of this protocol, or any bytes. */
void give4(struct fuzz *, struct input *);
void give6(struct fuzz *, struct input *);
void give_arp(struct fuzz *, struct input *);
void give_nd(struct fuzz *, struct input *);
void give_raw(struct fuzz *, struct input *);

#endif
