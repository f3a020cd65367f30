/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/screen.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool
mr_screen_begin(struct mr_screen *s)
{
	struct termios raw;

	memset(s, 0, sizeof(*s));
	if (!isatty(STDOUT_FILENO))
		return false;
	s->keys = tcgetattr(STDIN_FILENO, &s->before) == 0;
	if (s->keys) {
		raw = s->before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* ^C stays a signal */
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		s->keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
	}
	fputs("\033[?1049h\033[?25l\033[2J", stdout); /* second screen, no cursor */
	fflush(stdout);
	s->taken = true;
	return true;
}

void
mr_screen_end(struct mr_screen *s)
{
	if (!s->taken)
		return;
	s->taken = false;
	fputs("\033[0m\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (s->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
}

void
mr_screen_size(unsigned *rows, unsigned *columns)
{
	struct winsize size;

	*rows = 24;
	*columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
		*rows = size.ws_row;
		*columns = size.ws_col;
	}
}

void
mr_screen_draw(const char *text)
{
	unsigned rows, columns;

	mr_screen_size(&rows, &columns);
	fputs("\033[H", stdout);
	for (unsigned row = 0; row < rows && *text; row++) {
		size_t len = strcspn(text, "\n");

		/* No line break behind the last row: it would scroll. */
		fprintf(stdout, "%.*s\033[K%s", (int)MR_MIN(len, (size_t)columns), text,
		    row + 1 < rows ? "\r\n" : "");
		text += len + (text[len] == '\n');
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}
