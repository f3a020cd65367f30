/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_RECORD_VERDICT_H
#define MR_KIT_RECORD_VERDICT_H

/*
 * A verdict says where a packet goes when it leaves a node. A node is a function
 * from a vector of packets to a vector of verdicts, one each; the graph reads
 * the verdicts and moves the packets, so no packet can leave a node twice or not
 * at all without being seen (in checked builds every verdict starts as
 * MR_VERDICT_NONE and must not stay so).
 *
 *   0x0000..0x3fff  edge n of this node
 *   0x4000..0x5fff  output on port n, through the nodes that stand behind its outputs
 *   0x6000..0x7fff  the same past these nodes: how the last of them sends
 *   0x8000..0xbfff  drop, reason n of this node (freed and counted by name)
 *   0xfffd          gone: the node sent it on, or dropped it, by itself (kit/graph/replay.h)
 *   0xfffe          held: the node keeps the packet and releases it later
 */

#include "kit/base/def.h"

typedef uint16_t mr_verdict_t;

#define MR_VERDICT_CLASS 0xc000u
#define MR_VERDICT_INDEX 0x3fffu
#define MR_VERDICT_EDGE 0x0000u
#define MR_VERDICT_OUTPUT 0x4000u
#define MR_VERDICT_DROP 0x8000u
#define MR_VERDICT_FINAL 0x2000u /* of an output: past what stands behind it */
#define MR_VERDICT_HELD ((mr_verdict_t)0xfffe)
#define MR_VERDICT_GONE ((mr_verdict_t)0xfffd)
#define MR_VERDICT_NONE ((mr_verdict_t)0xffff)

mr_inline mr_verdict_t
mr_verdict_edge(unsigned edge)
{
	return (mr_verdict_t)edge;
}

mr_inline mr_verdict_t
mr_verdict_output(unsigned port)
{
	/* A port that is none (UINT16_MAX) stays a port that is none. */
	return (mr_verdict_t)(MR_VERDICT_OUTPUT | (port & MR_VERDICT_INDEX));
}

mr_inline mr_verdict_t
mr_verdict_send(unsigned port)
{
	return (mr_verdict_t)(MR_VERDICT_OUTPUT | MR_VERDICT_FINAL | port);
}

mr_inline mr_verdict_t
mr_verdict_drop(unsigned reason)
{
	return (mr_verdict_t)(MR_VERDICT_DROP | reason);
}

#endif
