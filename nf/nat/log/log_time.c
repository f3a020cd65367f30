/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nf/nat/log/log_line.h"

#define DAY_MS INT64_C(86400000)
#define LAST_YEAR 9999

/* Days since 1970 of a day of the Gregorian calendar, and back: years begin in March, so that
 * the odd day is the last (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t
days_of(int year, int month, int day)
{
	int64_t y = year - (month <= 2), era = y / 400;
	int64_t of_era = y - era * 400,
		of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void
date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468, era = z / 146097, of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = (int)(y + era * 400 + (*month <= 2));
}

static void
put(char *text, unsigned digits, unsigned n)
{
	while (digits--) {
		text[digits] = (char)('0' + n % 10);
		n /= 10;
	}
}

void
nat_time_print(int64_t ms, char text[NAT_TIME_SIZE])
{
	unsigned rest;
	int year, month, day;

	ms = ms < 0 ? 0 : MR_MIN(ms, days_of(LAST_YEAR + 1, 1, 1) * DAY_MS - 1);
	date_of(ms / DAY_MS, &year, &month, &day);
	rest = (unsigned)(ms % DAY_MS);
	memcpy(text, "0000-00-00T00:00:00.000Z", NAT_TIME_SIZE);
	put(text, 4, (unsigned)year);
	put(text + 5, 2, (unsigned)month);
	put(text + 8, 2, (unsigned)day);
	put(text + 11, 2, rest / 3600000);
	put(text + 14, 2, rest / 60000 % 60);
	put(text + 17, 2, rest / 1000 % 60);
	put(text + 20, 3, rest % 1000);
}

/* -- reading ------------------------------------------------------------------------------ */

struct reader {
	const char *at, *end;
};

/* This many digits, below or at `most`. */
static bool
digits(struct reader *r, unsigned count, int least, int most, int *out)
{
	int n = 0;

	if (r->end - r->at < (long)count)
		return false;
	for (; count--; r->at++) {
		if (*r->at < '0' || *r->at > '9')
			return false;
		n = n * 10 + (*r->at - '0');
	}
	*out = n;
	return n >= least && n <= most;
}

static bool
is_next(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static int
days_in(int year, int month)
{
	return (int)(days_of(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) -
	    days_of(year, month, 1));
}

/* Milliseconds; more digits are passed over. */
static bool
fraction(struct reader *r, int *ms)
{
	int scale = 100, digit;

	*ms = 0;
	if (!is_next(r, '.'))
		return true;
	if (!digits(r, 1, 0, 9, &digit))
		return false;
	do {
		*ms += digit * scale;
		scale /= 10;
	} while (r->at != r->end && *r->at >= '0' && *r->at <= '9' && digits(r, 1, 0, 9, &digit));
	return true;
}

static bool
zone(struct reader *r, int64_t *ms)
{
	bool east = r->at != r->end && *r->at == '+';
	int hours, minutes;

	if (r->at == r->end || is_next(r, 'Z'))
		return r->at == r->end;
	if (!is_next(r, '+') && !is_next(r, '-'))
		return false;
	if (!digits(r, 2, 0, 23, &hours))
		return false;
	(void)is_next(r, ':');
	if (!digits(r, 2, 0, 59, &minutes))
		return false;
	*ms = (hours * 60 + minutes) * INT64_C(60000) * (east ? -1 : 1);
	return r->at == r->end;
}

static bool
seconds(struct reader *r, int64_t *ms)
{
	int64_t n = 0;
	int part;

	if (r->at == r->end || *r->at < '0' || *r->at > '9')
		return false;
	while (r->at != r->end && *r->at >= '0' && *r->at <= '9' && n < INT64_C(1) << 40)
		n = n * 10 + (*r->at++ - '0');
	if (!fraction(r, &part))
		return false;
	*ms = n * 1000 + part;
	return r->at == r->end && n < INT64_C(1) << 38;
}

int
nat_time_parse(int64_t *ms, const char *text, size_t len)
{
	struct reader r = { text, text + len }, plain = r;
	int year, month, day, hour, minute, second, part;
	int64_t shift = 0;

	if (seconds(&plain, ms))
		return 0;
	if (!digits(&r, 4, 1970, LAST_YEAR, &year) || !is_next(&r, '-') ||
	    !digits(&r, 2, 1, 12, &month) || !is_next(&r, '-') ||
	    !digits(&r, 2, 1, days_in(year, month), &day) ||
	    (!is_next(&r, 'T') && !is_next(&r, ' ')) || !digits(&r, 2, 0, 23, &hour) ||
	    !is_next(&r, ':') || !digits(&r, 2, 0, 59, &minute))
		return -EINVAL;
	second = part = 0;
	/* A leap second is the next one's beginning. */
	if (is_next(&r, ':') && (!digits(&r, 2, 0, 60, &second) || !fraction(&r, &part)))
		return -EINVAL;
	if (!zone(&r, &shift))
		return -EINVAL;
	*ms = days_of(year, month, day) * DAY_MS +
	    ((hour * 60 + minute) * 60 + second) * INT64_C(1000) + part + shift;
	return 0;
}

/* -- protocols ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = { { "icmp", 1 }, { "tcp", 6 }, { "udp", 17 } };

void
nat_protocol_print(uint8_t protocol, char text[8])
{
	for (unsigned i = 0; i < MR_ARRAY_COUNT(protocols); i++)
		if (protocols[i].number == protocol) {
			snprintf(text, 8, "%s", protocols[i].name);
			return;
		}
	snprintf(text, 8, "%u", protocol);
}

int
nat_protocol_parse(const char *text, size_t len)
{
	int n = 0;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(protocols); i++)
		if (strlen(protocols[i].name) == len && memcmp(protocols[i].name, text, len) == 0)
			return protocols[i].number;
	if (!len || len > 3)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return n < 256 ? n : -1;
}
