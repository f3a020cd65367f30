/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/support/bundle.h"

#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void
fail(struct bundle *b)
{
	if (b->error.code == 0)
		mr_error_set(&b->error, -EIO, "%s",
		    archive_error_string(b->archive) ? archive_error_string(b->archive)
						     : "the archive cannot be written");
}

int
bundle_begin(struct bundle *b, const char *path, const struct secrets *secrets,
    struct mr_error *error)
{
	time_t now = time(NULL);
	struct tm tm;

	memset(b, 0, sizeof(*b));
	b->secrets = secrets;
	gmtime_r(&now, &tm);
	strftime(b->folder, sizeof(b->folder), "millrace-support-%Y%m%dT%H%M%SZ", &tm);
	b->archive = archive_write_new();
	b->list = open_memstream(&b->manifest, &b->manifest_size);
	if (!b->archive || !b->list)
		return mr_error_set(error, -ENOMEM, "no memory");
	if (archive_write_add_filter_gzip(b->archive) != ARCHIVE_OK ||
	    archive_write_set_format_pax_restricted(b->archive) != ARCHIVE_OK ||
	    archive_write_open_filename(b->archive, path) != ARCHIVE_OK)
		return mr_error_set(error, -EIO, "%s: %s", path, archive_error_string(b->archive));
	return 0;
}

static void
write_entry(struct bundle *b, const char *name, unsigned type, const void *bytes, size_t size)
{
	struct archive_entry *entry = archive_entry_new();
	char path[640];

	if (!entry)
		return;
	snprintf(path, sizeof(path), "%s/%s", b->folder, name);
	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, type == AE_IFDIR ? 0755 : 0644);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_mtime(entry, time(NULL), 0);
	if (archive_write_header(b->archive, entry) != ARCHIVE_OK ||
	    (size && archive_write_data(b->archive, bytes, size) != (la_ssize_t)size))
		fail(b);
	archive_entry_free(entry);
}

/* False: it is there already, or there is no room for more. */
static bool
admit(struct bundle *b, const char *name, size_t size)
{
	if (b->error.code)
		return false;
	for (unsigned i = 0; i < b->count; i++)
		if (strcmp(b->names[i], name) == 0)
			return false;
	if (b->count < BUNDLE_FILES_MAX && b->total + size <= BUNDLE_MAX)
		b->names[b->count] = strdup(name);
	if (b->count == BUNDLE_FILES_MAX || b->total + size > BUNDLE_MAX || !b->names[b->count]) {
		b->left_out++;
		return false;
	}
	b->count++;
	b->total += size;
	return true;
}

void
bundle_add(struct bundle *b, const char *name, const char *text, size_t size, const char *what)
{
	size_t kept = MR_MIN(size, BUNDLE_FILE_MAX);
	char *copy;

	if (!admit(b, name, kept))
		return;
	/* Blotted before it is cut: a cut might leave the first half of a secret. */
	copy = malloc(size + 1);
	if (!copy) {
		mr_error_set(&b->error, -ENOMEM, "no memory");
		return;
	}
	memcpy(copy, text, size);
	secrets_blot(b->secrets, copy, size);
	write_entry(b, name, AE_IFREG, copy, kept);
	free(copy);
	fprintf(b->list, "%-44s %9zu  %s%s\n", name, kept, what, kept < size ? " (cut)" : "");
}

void
bundle_add_bytes(struct bundle *b, const char *name, const void *bytes, size_t size,
    const char *what)
{
	if (size > BUNDLE_FILE_MAX) {
		bundle_miss(b, name, "it is too large");
		return;
	}
	if (!admit(b, name, size))
		return;
	write_entry(b, name, AE_IFREG, bytes, size);
	fprintf(b->list, "%-44s %9zu  %s\n", name, size, what);
}

void
bundle_add_folder(struct bundle *b, const char *name)
{
	if (admit(b, name, 0))
		write_entry(b, name, AE_IFDIR, NULL, 0);
}

void
bundle_miss(struct bundle *b, const char *name, const char *why)
{
	fprintf(b->list, "%-44s         -  missing: %s\n", name, why);
}

int
bundle_end(struct bundle *b, struct mr_error *error)
{
	if (b->list) {
		if (b->left_out)
			fprintf(b->list, "%u more files were left out for their size\n",
			    b->left_out);
		fflush(b->list);
		secrets_blot(b->secrets, b->manifest, b->manifest_size);
		if (!b->error.code)
			write_entry(b, "MANIFEST", AE_IFREG, b->manifest, b->manifest_size);
		fclose(b->list);
	}
	if (b->archive) {
		if (archive_write_close(b->archive) != ARCHIVE_OK)
			fail(b);
		archive_write_free(b->archive);
	}
	for (unsigned i = 0; i < b->count; i++)
		free(b->names[i]);
	if (b->error.code)
		return mr_error_set(error, b->error.code, "%s", b->error.text);
	return 0;
}
