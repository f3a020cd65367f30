/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_TRACK_H
#define MR_NF_CONNTRACK_TRACK_H

/*
 * What a packet knows of its connection, in its metadata line's `track`: which one, in what
 * state it was for this packet, in which direction it goes. Written by the node `track` of the
 * interface where it came in; whoever reads it elsewhere has to know that such a node was
 * there, because nobody else initialises it. Packets that are made here have 0 in it.
 */

#include "kit/packet/packet.h"

/* As nft's `ct state`; one bit each, as rules match any of several. */
enum mr_track_state {
	MR_TRACK_NEW = 1u << 0,
	MR_TRACK_ESTABLISHED = 1u << 1,
	MR_TRACK_RELATED = 1u << 2,
	MR_TRACK_INVALID = 1u << 3,
	MR_TRACK_UNTRACKED = 1u << 4,
};

#define MR_TRACK_CONNECTION 0x00ffffffu /* 0: none (yet) */
#define MR_TRACK_STATE_SHIFT 24
#define MR_TRACK_STATES 31u
#define MR_TRACK_OVER (1u << 29) /* its connection ended with this packet: none is to begin */
/* A fragment other than its packet's first: its ports are what mr_conntrack_ports says. */
#define MR_TRACK_PIECE (1u << 30)
#define MR_TRACK_REPLY (1u << 31) /* against the direction of the first packet */

mr_inline uint32_t
mr_track_word(uint32_t connection, unsigned state, bool reply)
{
	return connection | state << MR_TRACK_STATE_SHIFT | (reply ? MR_TRACK_REPLY : 0);
}

mr_inline unsigned
mr_track_state(const struct mr_packet *p)
{
	return p->track >> MR_TRACK_STATE_SHIFT & MR_TRACK_STATES;
}

/* Of a piece (MR_TRACK_PIECE): not its connection, but where its first fragment is remembered. */
mr_inline uint32_t
mr_track_connection(const struct mr_packet *p)
{
	return p->track & MR_TRACK_CONNECTION;
}

#endif
