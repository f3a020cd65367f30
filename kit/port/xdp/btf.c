/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/xdp/btf.h"

#include <fcntl.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KERNEL "/sys/kernel/btf/vmlinux"

/* Newer than some headers: the kinds behind BTF_KIND_FLOAT. */
enum { KIND_FLOAT = 16, KIND_DECL_TAG, KIND_TYPE_TAG, KIND_ENUM64 };

/* Bytes that follow a type's head; -1: unknown. */
static int64_t
tail_size(uint32_t info)
{
	int64_t members = BTF_INFO_VLEN(info);

	switch (BTF_INFO_KIND(info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case KIND_ENUM64:
		return members * 12;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return members * 8;
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case KIND_FLOAT:
	case KIND_TYPE_TAG:
		return 0;
	default:
		return -1;
	}
}

int
xdp_btf_find(const void *btf, size_t size, const char *function)
{
	const uint8_t *bytes = btf, *types, *names;
	size_t len = strlen(function) + 1, at = 0;
	struct btf_header h;
	struct btf_type t;
	int64_t tail;
	int id;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, bytes, sizeof(h));
	if (h.magic != BTF_MAGIC || h.hdr_len < sizeof(h) ||
	    (uint64_t)h.hdr_len + h.type_off + h.type_len > size ||
	    (uint64_t)h.hdr_len + h.str_off + h.str_len > size)
		return 0;
	types = bytes + h.hdr_len + h.type_off;
	names = bytes + h.hdr_len + h.str_off;
	/* Type 0 is void and not written. */
	for (id = 1; h.type_len - at >= sizeof(t); id++) {
		memcpy(&t, types + at, sizeof(t));
		if (BTF_INFO_KIND(t.info) == BTF_KIND_FUNC && t.name_off < h.str_len &&
		    h.str_len - t.name_off >= len && !memcmp(names + t.name_off, function, len))
			return id;
		tail = tail_size(t.info);
		at += sizeof(t);
		if (tail < 0 || (uint64_t)tail > h.type_len - at)
			return 0;
		at += (size_t)tail;
	}
	return 0;
}

/* Before Linux 6.16 it cannot be mapped, and is read a page at a time. */
static int
find_reading(int fd, size_t size, const char *function)
{
	uint8_t *bytes = malloc(size);
	size_t have = 0;
	ssize_t n = 1;
	int id;

	if (!bytes)
		return 0;
	while (n > 0 && have < size) {
		n = read(fd, bytes + have, size - have);
		have += n > 0 ? (size_t)n : 0;
	}
	id = xdp_btf_find(bytes, have, function);
	free(bytes);
	return id;
}

int
xdp_btf_find_kernel(const char *function)
{
	struct stat st;
	void *bytes;
	int fd, id = 0;

	fd = open(KERNEL, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (!fstat(fd, &st) && st.st_size > 0) {
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (bytes == MAP_FAILED) {
			id = find_reading(fd, (size_t)st.st_size, function);
		} else {
			id = xdp_btf_find(bytes, (size_t)st.st_size, function);
			munmap(bytes, (size_t)st.st_size);
		}
	}
	close(fd);
	return id;
}
