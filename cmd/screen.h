/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_SCREEN_H
#define MR_CMD_SCREEN_H

/*
 * A terminal taken over for a while: its second screen, no echo, keys as they are
 * typed. ANSI sequences and termios, nothing else.
 *
 * Ownership: end gives the terminal back as it was. Threads: one.
 * Errors: begin says false where standard output is no terminal.
 */

#include <termios.h>

#include "kit/base/def.h"

struct mr_screen {
	bool taken;
	bool keys; /* standard input is a terminal too */
	struct termios before;
};

bool mr_screen_begin(struct mr_screen *);
void mr_screen_end(struct mr_screen *);
void mr_screen_size(unsigned *rows, unsigned *columns);

/* Shows a text of whole lines from the top, cut to the screen; long ones are cut too. */
void mr_screen_draw(const char *text);

#endif
