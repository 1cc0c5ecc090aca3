/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state_folder: the folder that the database lives in: one daemon at a time, nothing ever deleted.
 *
 *     lock                            held while a daemon uses the folder; says that daemon's pid
 *     portwright.db, -wal, -shm       the database (SQLite's names)
 *     portwright.db.new               a database being made; worthless until it is renamed
 *     portwright.db.damaged-DATE      one that was damaged, with its -wal and -shm
 */
#ifndef PORTWRIGHT_STORE_STATE_FOLDER_H
#define PORTWRIGHT_STORE_STATE_FOLDER_H

#include "base/fault.h"

#include <stdint.h>

#define DATABASE_NAME	  "portwright.db"
#define DATABASE_NEW_NAME "portwright.db.new"
#define STATE_NAME_MAX	  64

struct state_folder {
	char *path;
	int fd, lock;
};

/* Makes the folder (0700) where it is missing, and locks it. 0, or a negative errno with *f;
 * -EBUSY: another daemon holds it. */
int state_folder_open(const char *path, struct state_folder *ret, struct fault *f);
void state_folder_close(struct state_folder *d);

/* The path of a name in the folder, to be freed; NULL when out of memory. */
char *state_folder_path(const struct state_folder *d, const char *name);

/* Is there a database? 1: something that begins like one of ours; 0: none, nor traces of one;
 * -EBADMSG: a damaged one, and *ret_why says how one can tell; or another negative errno. */
int state_folder_probe(const struct state_folder *d, uint32_t application_id, const char **ret_why);

/* Renames the database and what belongs to it; ret_name is its new name. 0 or a negative errno. */
int state_folder_set_aside(const struct state_folder *d, char ret_name[static STATE_NAME_MAX]);

/* Makes an empty DATABASE_NEW_NAME that only its owner can read; an older one goes. */
int state_folder_begin_new(const struct state_folder *d);
/* The new database becomes the database, durably. */
int state_folder_adopt_new(const struct state_folder *d);

#endif
