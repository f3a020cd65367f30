/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/pcap/pcap_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE_BUFFER (256u << 10)
#define MEMORY_STEP (16u << 20)

/* What libpcap reads from, as its FILE: our buffer, so that we know whether a pipe has
 * something without asking it, and few large reads, so that it costs little. */
struct capture_source {
	int fd;
	bool pipe;
	size_t at, end; /* of the buffer */
	uint8_t buffer[SOURCE_BUFFER];
};

static ssize_t
source_read(void *cookie, char *out, size_t size)
{
	struct capture_source *s = cookie;
	size_t part;
	ssize_t got;

	if (s->at == s->end) {
		do
			got = read(s->fd, s->buffer, sizeof(s->buffer));
		while (got < 0 && errno == EINTR);
		if (got <= 0)
			return got;
		s->at = 0;
		s->end = (size_t)got;
	}
	part = MR_MIN(size, s->end - s->at);
	memcpy(out, s->buffer + s->at, part);
	s->at += part;
	return (ssize_t)part;
}

static int
source_close(void *cookie)
{
	struct capture_source *s = cookie;

	close(s->fd);
	free(s);
	return 0;
}

static int
source_open(FILE **out, struct capture_source **out_source, const char *path,
    struct mr_error *error)
{
	static const cookie_io_functions_t functions = { .read = source_read,
		.close = source_close };
	bool standard = !strcmp(path, "-");
	struct capture_source *s;
	struct stat st;
	FILE *file;
	int rc;

	s = malloc(sizeof(*s));
	if (!s)
		return mr_error_set(error, -ENOMEM, "no memory to read %s", path);
	s->at = s->end = 0;
	s->fd =
	    standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st)) {
		rc = mr_error_set(error, -errno, "cannot open capture file %s: %s", path,
		    strerror(errno));
		goto fail;
	}
	if (S_ISDIR(st.st_mode)) {
		rc = mr_error_set(error, -EISDIR, "%s is a folder, not a capture file", path);
		goto fail;
	}
	if (S_ISREG(st.st_mode) && !st.st_size) {
		rc = mr_error_set(error, -ENODATA, "capture file %s is empty", path);
		goto fail;
	}
	s->pipe = !S_ISREG(st.st_mode);
	file = fopencookie(s, "r", functions);
	if (!file) {
		rc = mr_error_set(error, -ENOMEM, "no memory to read %s", path);
		goto fail;
	}
	setvbuf(file, NULL, _IONBF, 0);
	*out = file;
	*out_source = s;
	return 0;
fail:
	if (s->fd >= 0)
		close(s->fd);
	free(s);
	return rc;
}

static bool
link_is_ip(int link)
{
	return link == DLT_RAW || link == DLT_IPV4 || link == DLT_IPV6;
}

int
capture_reader_open(struct capture_reader *r, const char *path, bool add_ethernet,
    bool keep_truncated, struct mr_error *error)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	const char *name;
	FILE *file = NULL;
	int link, rc;

	memset(r, 0, offsetof(struct capture_reader, frame));
	r->keep_truncated = keep_truncated;
	rc = source_open(&file, &r->source, path, error);
	if (rc)
		return rc;
	r->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, text);
	if (!r->pcap) {
		fclose(file);
		return mr_error_set(error, -EBADMSG, "%s is not a capture that can be read: %s",
		    path, text);
	}
	link = pcap_datalink(r->pcap);
	r->add_ethernet = add_ethernet && link_is_ip(link);
	if (link == DLT_EN10MB || r->add_ethernet)
		return 0;
	name = pcap_datalink_val_to_name(link);
	rc = mr_error_set(error, -EPROTONOSUPPORT,
	    "%s holds frames of link type %s (%d), and a port carries Ethernet%s", path,
	    name ? name : "unknown", link,
	    link_is_ip(link) ? " (option add-ethernet gives IP packets a header)" : "");
	capture_reader_close(r);
	return rc;
}

void
capture_reader_close(struct capture_reader *r)
{
	if (r->pcap)
		pcap_close(r->pcap); /* and, through its FILE, the source */
	r->pcap = NULL;
	r->source = NULL;
}

int
capture_reader_pipe(const struct capture_reader *r)
{
	return r->source && r->source->pipe ? r->source->fd : -1;
}

bool
capture_reader_ready(const struct capture_reader *r)
{
	struct pollfd fd = { .fd = r->source->fd, .events = POLLIN };

	return !r->source->pipe || r->source->at < r->source->end || poll(&fd, 1, 0) != 0;
}

/* Gives an IP packet the header that it never had. */
static bool
with_ethernet(struct capture_reader *r, struct capture_record *record)
{
	static const uint8_t macs[12] = { 2, 0, 0, 1, 0, 1, 2, 0, 0, 0, 0, 1 };
	uint8_t version = record->bytes[0] >> 4;

	if (version != 4 && version != 6)
		return false;
	memcpy(r->frame, macs, 12);
	r->frame[12] = version == 4 ? 0x08 : 0x86;
	r->frame[13] = version == 4 ? 0x00 : 0xdd;
	memcpy(r->frame + 14, record->bytes, record->len);
	record->bytes = r->frame;
	record->len += 14;
	return true;
}

bool
capture_reader_next(struct capture_reader *r, struct capture_record *record)
{
	struct pcap_pkthdr *header;
	const u_char *bytes;
	unsigned least = r->add_ethernet ? 1 : 14;
	int rc;

	while (!r->ended) {
		rc = pcap_next_ex(r->pcap, &header, &bytes);
		if (rc != 1) {
			r->ended = true;
			if (rc != PCAP_ERROR_BREAK) {
				r->errors++;
				snprintf(r->stop, sizeof(r->stop), "%s", pcap_geterr(r->pcap));
			}
			break;
		}
		record->bytes = bytes;
		record->len = header->caplen;
		record->time_ns =
		    (uint64_t)header->ts.tv_sec * 1000000000u + (uint64_t)header->ts.tv_usec;
		if (record->len >= least &&
		    record->len <= MR_PACKET_TOTAL_MAX - (r->add_ethernet ? 14 : 0) &&
		    (header->len <= header->caplen || r->keep_truncated) &&
		    (!r->add_ethernet || with_ethernet(r, record)))
			return true;
		r->errors++;
	}
	return false;
}

/* Room for `more` bytes behind those used. */
static int
memory_grow(struct capture_memory *m, size_t more)
{
	size_t room = m->room, step;
	void *grown;

	if (m->size + more > room) {
		step = MR_MAX((size_t)MEMORY_STEP, room / 2);
		room = MR_ALIGN_UP(room + MR_MAX(step, more), (size_t)(2u << 20));
		grown = m->bytes
		    ? mremap(m->bytes, m->room, room, MREMAP_MAYMOVE)
		    : mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (grown == MAP_FAILED)
			return -ENOMEM;
		m->bytes = grown;
		m->room = room;
		madvise(grown, room, MADV_HUGEPAGE); /* only a wish */
	}
	if (m->count == m->lens_room) {
		size_t count = MR_MAX(m->lens_room * 2, (size_t)4096);

		grown = realloc(m->lens, count * sizeof(*m->lens));
		if (!grown)
			return -ENOMEM;
		m->lens = grown;
		grown = realloc(m->times, count * sizeof(*m->times));
		if (!grown)
			return -ENOMEM;
		m->times = grown;
		m->lens_room = count;
	}
	return 0;
}

int
capture_memory_load(struct capture_memory *m, struct capture_reader *r, struct mr_error *error)
{
	struct capture_record record;
	size_t lines;

	while (capture_reader_next(r, &record)) {
		lines = MR_ALIGN_UP((size_t)record.len, (size_t)MR_CACHE_LINE);
		if (memory_grow(m, lines))
			return mr_error_set(error, -ENOMEM,
			    "no memory to hold the capture after %zu packets", m->count);
		memcpy(m->bytes + m->size, record.bytes, record.len);
		m->size += lines;
		m->lens[m->count] = record.len;
		m->times[m->count++] = record.time_ns;
		m->chained |= record.len > MR_PACKET_ROOM;
	}
	return 0;
}

void
capture_memory_free(struct capture_memory *m)
{
	if (m->bytes)
		munmap(m->bytes, m->room);
	free(m->lens);
	free(m->times);
	memset(m, 0, sizeof(*m));
}
