/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlite: the store in a file of the state folder: STATE/portwright.db.
 *
 * While it is open no other daemon can open the same folder (STATE/lock names the holder's pid). A
 * damaged database is never deleted: it is renamed, a new one is begun, and who asks is told where
 * the old one lies.
 */
#ifndef PORTWRIGHT_STORE_SQLITE_H
#define PORTWRIGHT_STORE_SQLITE_H

#include "base/fault.h"
#include "core/store.h"

/*
 * Opens, or begins, the database in `state_dir`, which is made (0700) where it is missing.
 * `boot_id` is read_boot_id()'s; deadlines of another boot are converted by wall time. 0, or a
 * negative errno with *f; -EBUSY: another daemon holds the folder.
 */
int sqlite_store_open(const char *state_dir, const char *boot_id, struct store **ret,
		      struct fault *f);

/* Where the damaged database that was found lies now, or NULL where none was found. Asked after
 * load(), since some damage shows only there. */
const char *sqlite_store_set_aside(const struct store *s);

#endif
