/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NF_H
#define MR_NF_NF_H

/*
 * What a network function tells about itself: one constant descriptor,
 * `mr_nf_NAME`, in the function's own folder. The build makes the list from the
 * names in the folders' meson.build; nothing else learns a function's name: its
 * configuration subtree, its nodes with their counters and drop reasons, and its state
 * are all reached through this.
 *
 * A configuration becomes active in steps, each over all functions in the list's
 * order (interface first) before the next begins:
 *
 *	check    look at the new configuration, report everything that is wrong
 *	prepare  allocate and open what it needs; workers see nothing of it yet
 *	commit   switch over: edit the graph's draft, publish tables; cannot fail
 *	  (the data plane commits the graph; from here on no worker runs the old plan)
 *	finish   free what only the old configuration used
 *	abort    instead of commit, when any prepare failed: undo prepare
 *
 * prepare, commit and abort are called in pairs; `check` may be called alone.
 *
 * Ownership: `create` makes the function's state in one data plane; two data planes
 * in a process have one each. Configurations belong to the caller; what a function keeps it copies.
 * Threads: everything here runs on the control thread.
 */

#include "kit/base/error.h"
#include "kit/graph/graph.h"
#include "model/config.h"
#include "model/state.h"
#include "nf/plan.h"

struct mr_dataplane;

/* What a client asks of a stream, by name; null: not said. */
struct mr_nf_query {
	const char *(*value)(const void *arg, const char *name);
	const void *arg;
};

/* State that is too long to be written in one go: text, read piece by piece between which
 * everything may change. */
struct mr_nf_stream {
	const char *type; /* "application/x-ndjson" */
	/* Up to `size` bytes; 0: that was all. */
	size_t (*read)(void *state, char *text, size_t size);
	void (*close)(void *state);
	void *state;
};

/* What a client may have done to a function's state, beside configurations: "flush connections". It
 * is a stream, too, so that much can be done in pieces: each piece is a line with the number of
 * things that it was done to. */
struct mr_nf_act {
	const char *name; /* a verb and a noun; no other function has the same */
	const char *doc;
	const char *filters; /* the names of its query, "protocol|address": there are no others */
	int (*open)(void *state, const struct mr_nf_query *, struct mr_nf_stream *,
	    struct mr_error *);
};

/* A stream that people ask for by name, as `show NAME`: lines of text, of JSON, or their number
 * (nf/query.h, "form"). */
struct mr_nf_listing {
	const char *name;    /* no other function has the same */
	const char *stream;  /* of `stream` below */
	const char *filters; /* the names of its query, "protocol|address": there are no others */
	const char *word;    /* the filter that a word behind the name stands for */
};

struct mr_nf {
	const char *name;
	const char *doc;
	const char *yang;                     /* the text of its YANG module */
	const char *(*more_yang)(unsigned n); /* further modules, until null; may be null */

	int (*create)(void **state, struct mr_dataplane *, struct mr_error *);
	void (*destroy)(void *state);

	/* `state` is null when a file is checked without a running data plane. */
	void (*check)(void *state, const struct mr_config *next, struct mr_report *);
	int (*prepare)(void *state, const struct mr_config *next, struct mr_error *);
	void (*commit)(void *state);
	void (*finish)(void *state);
	void (*abort)(void *state);

	/* Adds to a plan what bringing plan->next in would do to what runs, beside changing its
	 * tables (nf/plan.h); may be null. */
	void (*plan)(void *state, struct mr_nf_plan *);

	void (*tick)(void *state, uint32_t seconds); /* once a second; may be null */
	int (*fd)(
	    const void *state); /* when it is readable, tick is called too; -1 or null: none */
	void (*show)(void *state, struct mr_state *); /* writes its state; may be null */
	/* Opens the stream of this name ("routes"); may be null. -ENOENT: there is none. */
	int (*stream)(void *state, const char *name, const struct mr_nf_query *,
	    struct mr_nf_stream *, struct mr_error *);

	const struct mr_nf_listing *listings; /* end with a null name; may be null */
	const struct mr_nf_act *acts;         /* likewise */

	/* For trace and explain; each may be null. */
	/* Puts words to an operation that its nodes recorded: names and addresses for numbers.
	 * False: not one of its own, or it says enough by itself. */
	bool (*describe)(void *state, const struct mr_op *, char *text, size_t size);
	/* The Ethernet address that it answers to on this interface (and VLAN, 0: untagged).
	 * False: none. */
	bool (*address)(const void *state, uint16_t interface, uint16_t vlan, uint8_t mac[6]);
	/* Whose a packet is that came in on this interface, with this VLAN (0: untagged): "router r,
	 * interface lan.7". False: none of its own. */
	bool (
	    *whose)(const void *state, uint16_t interface, uint16_t vlan, char *text, size_t size);
};

/* Ends with a null pointer. */
extern const struct mr_nf *const mr_nf_list[];

/* The n-th of all functions' listings, and whose it is; null past the last. */
const struct mr_nf_listing *mr_nf_listing_at(unsigned n, const struct mr_nf **);
/* Whether the name is one of "a|b|c". */
bool mr_nf_has_filter(const char *filters, const char *name);
/* The n-th of all functions' acts; null past the last. */
const struct mr_nf_act *mr_nf_act_at(unsigned n);

/* The model of a data plane with all functions: the modules of each. */
int mr_nf_model(struct mr_model **out, struct mr_error *);
/* With modules of others beside, that rest on theirs. */
int mr_nf_model_with(struct mr_model **out, const char *const *others, size_t other_count,
    struct mr_error *);

#endif
