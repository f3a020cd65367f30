/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LANES_LANES_BED_INT_H
#define MR_NF_LANES_LANES_BED_INT_H

/*
 * Two whole data planes side by side for tests of the flow lane: the same configuration, the
 * same frames in the same vectors, the same changes; but packets of the one take the graph, of the
 * other the flow lane. What leaves, what is counted and what is shown must be equal.
 *
 *   lanes_bed.c          the planes and their ports
 *   lanes_bed_compare.c  what is compared
 *   lanes_bed_conf.c     random configurations, by a list of generators
 *   lanes_bed_rules.c    of these: access lists, connection tracking
 *   lanes_bed_frames.c   random frames: flows that repeat, and everything that is not plain
 *   lanes_bed_talks.c    conversations: what goes one way answers what came the other
 *   lanes_bed_tunnel.c   what a tunnel's remote end sends
 *   lanes_bed_time.c     time and random numbers are the test's own (defines clock_gettime)
 *
 * Whatever differs ends the program with a line on standard error.
 *
 * Threads: one; workers are the calling thread's passes.
 */

#include "nf/dataplane.h"
#include "nf/ip/ip.h"
#include "nf/lanes/lanes.h"
#include "nf/rib/rib.h"

#define BED_PORTS 6u /* "a" to "f" */
#define BED_FRAME_MAX 2000u
#define BED_TEXT_MAX 65536u

enum { BED_GRAPH, BED_FLOW, BED_PLANES };

/* -- random numbers ------------------------------------------------------------------------ */

struct bed_random {
	uint64_t state;
};
uint32_t bed_draw(struct bed_random *, uint32_t below);
mr_inline bool
bed_one_in(struct bed_random *r, uint32_t n)
{
	return bed_draw(r, n) == 0;
}

/* -- time ---------------------------------------------------------------------------------- */

/* In lanes_bed_time.c, or the test's own. */
void bed_time_pass(uint64_t ms);

/* -- text ---------------------------------------------------------------------------------- */

struct bed_text {
	char *at;
	size_t used, size;
};
void bed_say(struct bed_text *, const char *fmt, ...) mr_printf(2, 3);

/* -- planes -------------------------------------------------------------------------------- */

struct bed_plane;

/* A frame that left. `flow` and `serial` are what its last bytes say (see bed_frames). */
struct bed_sent {
	uint32_t port, len, flow, serial, at; /* bytes at `at` of the plane's bytes */
};

struct bed_port {
	struct mr_port_driver driver; /* the null port's, but for what the bed does itself */
	struct bed_plane *plane;
	struct mr_port *port;
	_Atomic int link;
	bool full; /* takes nothing that is sent */
	uint32_t waiting[MR_VECTOR_MAX];
	unsigned wait_count;
	/* Packets made on the worker's thread, where a test wants that. */
	unsigned (
	    *source)(struct bed_port *, unsigned queue, unsigned worker, uint32_t *, unsigned);
	/* Sees what is sent instead of the plane's list; on the worker's thread. */
	void (*sink)(struct bed_port *, unsigned worker, const uint32_t *, unsigned);
	void *user;
};

struct bed_plane {
	struct bed *bed;
	struct mr_dataplane *dp;
	struct mr_graph *graph;
	struct mr_buffers *buffers;
	struct mr_ip *ip;
	struct mr_rib *rib;
	struct bed_port ports[BED_PORTS];
	struct bed_sent *sent;
	uint8_t *bytes;
	size_t sent_count, sent_room, byte_count, byte_room;
};

struct bed {
	struct mr_model *model;
	struct mr_log log;
	struct bed_plane planes[BED_PLANES];
	unsigned plane_count;
	struct mr_config *configs[BED_PLANES]; /* in force */
	uint32_t seconds;
	char text[BED_TEXT_MAX]; /* the configuration in force */
	/* Sums over configurations gone by, of the lane's counters. */
	uint64_t lane[MR_LANE_COUNTER_COUNT];
	uint64_t given;
	uint64_t sent[BED_PORTS]; /* frames compared */
	bool left[65536];         /* of which flows frames left, under this configuration */
	/* Packets in pieces that were given, and since when. Where too many wait for their first pieces,
	 * which of them give way depends on the order across ports. */
	unsigned pieces;
	uint64_t pieces_ms;
	const char *doing; /* for the line on standard error */
};

__attribute__((noreturn)) void bed_fail(const struct bed *, const char *fmt, ...) mr_printf(2, 3);
#define bed_must(bed, what) \
	do { \
		if (!(what)) \
			bed_fail(bed, "%s:%d: not %s", __FILE__, __LINE__, #what); \
	} while (0)

/* A configuration for both planes: `text` holds all of it but for the lanes' part; `lanes` is put
 * behind it for the second plane. One plane: the one with the lane. */
struct bed *bed_open(const char *text, const char *lanes, unsigned planes);
void bed_apply(struct bed *, const char *text, const char *lanes);
void bed_close(struct bed *);

/* A frame arrives at both planes' port with the next bed_run; `split` above 0: so many bytes of it
 * in a first segment of its own. `flags`: of the packet. False: no room in this vector. */
bool bed_give(struct bed *, unsigned port, const uint8_t *bytes, unsigned len, unsigned split,
    unsigned flags);
/* Whether a piece of a packet may be given now. */
bool bed_may_give_piece(struct bed *);
/* Takes out of a frame that leaves what is drawn from the cycles. */
void bed_hide(uint8_t *frame, unsigned len);
/* Passes until nothing moves, then what left is compared and forgotten. */
void bed_run(struct bed *);
/* Control looks after what is due; `ms` pass before. */
void bed_tick(struct bed *, uint64_t ms);
void bed_link(struct bed *, unsigned port, bool up);
/* Nodes' counters, drops, buffers, balance; `all`: and everything that is shown. */
void bed_compare(struct bed *, bool all);
/* The frames that left since the last bed_run, which does this. */
void bed_compare_sent(struct bed *);
/* The sum of a counter of the second plane's lane nodes, configurations gone by included. */
uint64_t bed_lane_count(struct bed *, enum mr_lane_counter);

/* -- random configurations ----------------------------------------------------------------- */

/* Where frames come in: a port or one of its VLANs. */
enum bed_use { BED_UNUSED, BED_ROUTED, BED_BRIDGED, BED_CROSSED };
struct bed_shape {
	enum bed_use use[BED_PORTS];
	unsigned which[BED_PORTS]; /* router, bridge, or the other port */
	unsigned mtu[BED_PORTS];   /* 0: the port's own */
	bool vlans[BED_PORTS];     /* routed: sub-interfaces .7 and .8; bridged: member of VLANs */
	bool tracked;              /* connections are known */
	bool tunnel;               /* one, whose packets leave by a routed port */
	bool tunnel_six;           /* of IPv6 */
	bool tunnel_routed;        /* that port's router has an interface there; else a bridge */
	unsigned tunnel_bridge, tunnel_port;
};

/* One network function's part: `plan` gives it ports of the shape, `write` its text. Either may be
 * null. */
struct bed_generator {
	const char *name;
	void (*plan)(struct bed_shape *, struct bed_random *);
	void (*write)(const struct bed_shape *, struct bed_random *, struct bed_text *);
};
extern const struct bed_generator bed_generators[];
extern const unsigned bed_generator_count;

/* lanes_bed_rules.c */
void bed_write_lists(const struct bed_shape *, struct bed_random *, struct bed_text *);
void bed_plan_conntrack(struct bed_shape *, struct bed_random *);
void bed_write_conntrack(const struct bed_shape *, struct bed_random *, struct bed_text *);

void bed_configuration(struct bed_shape *, struct bed_random *, struct bed_text *);

/* Subnets: 10.N.0.0/24 and 2001:db8:N::/64 on port N, on its VLAN 7 (N + 20) and 8 (N + 40). */
#define BED_SUBNET(port, vlan) ((port) + ((vlan) == 7 ? 20u : (vlan) == 8 ? 40u : 0u))
#define BED_TUNNEL_NET 60u /* where the tunnel is routed: its subnet */
#define BED_TUNNEL_MAC "\2\0\0\0\xaa\x70"
#define BED_ROUTES 12u /* 10.100+k.0.0/16 and 2001:db8:1KK::/48 */

/* -- random frames ------------------------------------------------------------------------- */

struct bed_flow {
	uint8_t port, vlan, proto, six, to_mac, from_mac, tos, ttl;
	uint8_t src[16], dst[16];
	uint16_t sport, dport, size;
	uint32_t number, serial;
};
#define BED_FLOWS 256u
struct bed_flows {
	struct bed_flow at[BED_FLOWS];
	uint32_t next;
};
void bed_flows_draw(struct bed_flows *, const struct bed_shape *, struct bed_random *,
    unsigned share);
/* A vector of frames on this port: most are flows' plain packets. */
void bed_vector(struct bed *, struct bed_flows *, const struct bed_shape *, struct bed_random *,
    unsigned port, unsigned count);
/* Every station of a bridge is heard where it belongs. */
void bed_stations(struct bed *);
unsigned bed_frame_plain(const struct bed_flow *, uint32_t serial, uint8_t *frame);
/* A neighbour says where it is: ARP or a neighbour advertisement. */
unsigned bed_frame_neighbor(struct bed_random *, unsigned port, unsigned vlan, uint8_t *frame);

/* Where things are in a frame that is being made. */
struct bed_made {
	uint8_t *frame;
	unsigned l3, l4, len;
	uint32_t serial;
};
/* A flow's frame: 20 bytes of layer 4, `payload`, and the twelve bytes that say whose it is. */
void bed_build(const struct bed_flow *, const struct bed_shape *, uint32_t number, uint32_t serial,
    unsigned payload, uint8_t *frame, struct bed_made *);
void bed_sum4(uint8_t *ip);
void bed_sum_l4(const struct bed_flow *, const uint8_t *ip, uint8_t *l4, unsigned len);

/* -- from a tunnel's remote end ------------------------------------------------------------ */

#define BED_TUNNEL_AROUND 70u /* bytes of headers at most */
/* Frames of flows whose ports are where the tunnel leads to. */
void bed_tunnel_vector(struct bed *, struct bed_flows *, const struct bed_shape *,
    struct bed_random *, unsigned count);
/* Its stations are heard. */
void bed_tunnel_stations(struct bed *, const struct bed_shape *);

/* -- conversations ------------------------------------------------------------------------- */

struct bed_talk {
	struct bed_flow way[2]; /* from each end; their ports differ */
	uint32_t seq[2];        /* what each end sends next */
	uint8_t proto, six, phase, speaker;
	uint16_t left;
	bool there;
};
#define BED_TALKS 256u
struct bed_talks {
	struct bed_talk at[BED_TALKS];
	uint32_t next;
};
void bed_talks_draw(struct bed_talks *, const struct bed_shape *, struct bed_random *,
    unsigned share);
/* Ends whose turn it is say something: so many at most, and of each talk one. What goes one way and
 * what comes the other meet in a connection; in one pass, the graph does not look at them in the
 * order in which the lane does. */
void bed_talks_speak(struct bed *, struct bed_talks *, const struct bed_shape *,
    struct bed_random *, unsigned count);

#endif
