/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/pcap/pcap_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SNAP_ALL 262144u
#define FILE_BUFFER (1u << 20)

struct capture_writer {
	FILE *file;
	pcap_t *dead;          /* of a pcap file: libpcap's notion of what is written */
	pcap_dumper_t *dumper; /* null: pcapng, which libpcap does not write */
	uint32_t snap;
	char path[256];
};

/* pcapng, draft-ietf-opsawg-pcapng: section header, then one interface with
 * nanoseconds (option if_tsresol, 9). */
static int
pcapng_begin(struct capture_writer *w)
{
	struct {
		uint32_t type, len, magic;
		uint16_t major, minor;
		int64_t section_len;
		uint32_t len_again;
	} __attribute__((packed)) section = { 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0, -1, 28 };
	struct {
		uint32_t type, len;
		uint16_t link, reserved;
		uint32_t snap;
		uint16_t option, option_len;
		uint8_t resolution, pad[3];
		uint16_t end, end_len;
		uint32_t len_again;
	} __attribute__((packed))
	interface = { 1, 32, DLT_EN10MB, 0, w->snap, 9, 1, 9, { 0 }, 0, 0, 32 };

	static_assert(sizeof(section) == 28 && sizeof(interface) == 32, "block lengths");
	if (fwrite(&section, sizeof(section), 1, w->file) != 1 ||
	    fwrite(&interface, sizeof(interface), 1, w->file) != 1)
		return -errno;
	return 0;
}

/* An enhanced packet block. */
static void
pcapng_put(struct capture_writer *w, const uint8_t *bytes, uint32_t kept, uint32_t len,
    uint64_t time_ns)
{
	static const uint8_t zeros[4];
	uint32_t pad = -kept & 3, total = 32 + kept + pad;
	uint32_t head[7] = { 6, total, 0, (uint32_t)(time_ns >> 32), (uint32_t)time_ns, kept, len };

	fwrite(head, sizeof(head), 1, w->file);
	fwrite(bytes, 1, kept, w->file);
	fwrite(zeros, 1, pad, w->file);
	fwrite(&total, sizeof(total), 1, w->file);
}

static bool
path_is_pcapng(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && (!strcmp(dot, ".pcapng") || !strcmp(dot, ".ng"));
}

int
capture_writer_open(struct capture_writer **out, const char *path, uint32_t snap,
    struct mr_error *error)
{
	struct capture_writer *w = calloc(1, sizeof(*w));
	int fd, rc = 0;

	*out = NULL;
	if (!w)
		return mr_error_set(error, -ENOMEM, "no memory to write %s", path);
	w->snap = snap ? MR_MIN(snap, SNAP_ALL) : SNAP_ALL;
	snprintf(w->path, sizeof(w->path), "%s", path);
	fd = !strcmp(path, "-") ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
				: open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	w->file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!w->file) {
		rc = mr_error_set(error, -errno, "cannot write capture file %s: %s", path,
		    strerror(errno));
		if (fd >= 0)
			close(fd);
		free(w);
		return rc;
	}
	setvbuf(w->file, NULL, _IOFBF, FILE_BUFFER);
	if (path_is_pcapng(path)) {
		rc = pcapng_begin(w);
	} else {
		w->dead = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, (int)w->snap,
		    PCAP_TSTAMP_PRECISION_NANO);
		w->dumper = w->dead ? pcap_dump_fopen(w->dead, w->file) : NULL;
		if (!w->dumper)
			rc = -EIO;
	}
	/* The header goes out at once: a full disk shows now, and readers may follow. */
	if (!rc && fflush(w->file))
		rc = -errno;
	if (rc) {
		mr_error_set(error, rc, "cannot write capture file %s: %s", path, strerror(-rc));
		capture_writer_close(w);
		return rc;
	}
	*out = w;
	return 0;
}

int
capture_writer_put(struct capture_writer *w, const uint8_t *bytes, uint32_t len, uint64_t time_ns)
{
	uint32_t kept = MR_MIN(len, w->snap);
	struct pcap_pkthdr header = {
		.ts = { .tv_sec = (time_t)(time_ns / 1000000000u),
		    .tv_usec = (suseconds_t)(time_ns % 1000000000u) },
		.caplen = kept,
		.len = len,
	};

	errno = 0;
	if (w->dumper)
		pcap_dump((u_char *)w->dumper, &header, bytes);
	else
		pcapng_put(w, bytes, kept, len, time_ns);
	return ferror(w->file) ? (errno ? -errno : -EIO) : 0;
}

int
capture_writer_flush(struct capture_writer *w)
{
	return fflush(w->file) ? -errno : 0;
}

int
capture_writer_close(struct capture_writer *w)
{
	int rc = 0;

	if (!w)
		return 0;
	if (fflush(w->file))
		rc = -errno;
	if (w->dumper)
		pcap_dump_close(w->dumper); /* closes the file too */
	else
		fclose(w->file);
	if (w->dead)
		pcap_close(w->dead);
	free(w);
	return rc;
}
