/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_TESTS_DROPS_DROPS_INT_H
#define MR_TESTS_DROPS_DROPS_INT_H

/*
 * Packets that are to be dropped, each by this node for this reason. A scene is a configuration
 * of six ports "a" to "f" and steps one after the other, which may lead up to each other.
 */

struct drop_step {
	/* Where it comes in, 'a' to 'f'; 0: no packet, but `packet` is "tick" (after `ms`), "up X",
	 * "down X", or "full X" and "empty X": the port takes nothing more. */
	char port;
	/* What it is: words as of millrace explain, or "hex DIGITS". */
	const char *packet;
	/* What is changed then: OFFSET=HEXDIGITS, "cut=LENGTH", "sum4" (the IPv4 header's checksum),
	 * "sum" (layer 4's); separated by blanks. May be null. */
	const char *patch;
	const char *drop; /* "class: reason"; null: whatever becomes of it */
	unsigned times;   /* so many of them in one vector; 0: 1 */
	unsigned count;   /* dropped for it; 0: 1 */
	unsigned ms;      /* pass before */
	unsigned flags;   /* of the packet */
};

struct drop_scene {
	const char *name, *config;
	const struct drop_step *steps; /* end with a null packet */
};

extern const struct drop_scene drop_scenes[]; /* end with a null name */

/* Reasons that no packet of a test can provoke, and why. */
struct drop_excuse {
	const char *drop, *why; /* the name of a reason */
};
extern const struct drop_excuse drop_excuses[];

#endif
