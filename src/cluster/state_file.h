/*
 * The last known state of a cluster as bytes, so that a restart without its API server still
 * answers. Pure encoding and decoding; source_state.c reads and writes the file.
 *
 * A file is a magic text with the version, then chunks: length (4 octets), SipHash of the payload
 * (8 octets), payload. Numbers are little-endian or LEB128, so files are the same on every
 * machine. The number of a chunk is part of its key, so chunks that are swapped, missing or left
 * over from elsewhere are noticed. The first payload is the meta data, the last one says how many
 * objects there were; nothing may follow it. The checksums find accidents, not forgeries: whoever
 * can write the file can say what is answered.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/object.h"

#define STATE_FILE_VERSION 2u
#define STATE_FILE_MAX ((size_t)1 << 30) /* bytes of a file that are read */
#define STATE_CHUNK_BYTES (64u << 10) /* a chunk is closed by the first object beyond this */
#define STATE_CHUNK_MAX (32u << 20) /* bytes of one; the largest slice has 9 MB */

/* What a file says about itself. */
struct state_meta {
	uint64_t saved_s; /* wall clock of its beginning, seconds since 1970 */
	uint64_t scope; /* state_scope() of the configuration that it is for */
	uint8_t cluster[16]; /* uid of the namespace kube-system; zero: unknown */
	unsigned kinds; /* mask of 1u << kind: those that are complete in it */
};

/* A file as it is made; take the finished bytes from out whenever you like. */
struct state_writer {
	struct buf out;
	/* private */
	struct buf part; /* payload of the chunk at hand */
	uint64_t chunks, objects;
};

/* A number for the text that tells configurations apart, the same on every machine. */
uint64_t state_scope(struct str text);
/* Begin a file: magic, version and meta data go to out. End with state_writer_fini(). */
void state_writer_init(struct state_writer *w, const struct state_meta *meta);
/* Add an object. */
void state_writer_add(struct state_writer *w, const struct object *o);
/* Finish the file: after this out has its last bytes. */
void state_writer_end(struct state_writer *w);
/* Free what it holds, finished or not. */
void state_writer_fini(struct state_writer *w);

/* Gets each object; it and its texts are valid during the call. */
struct state_sink {
	void (*on_object)(void *arg, const struct object *o);
	void *arg;
};

/* Reads a file chunk by chunk, as it comes from the disk. */
struct state_reader {
	/* private */
	uint64_t chunks, objects;
};

/*
 * Begin with the first octets of a file; what was read is taken off the input. 0; -EAGAIN when
 * more octets are needed; -EINVAL with a sentence in e when it is no file of this version or its
 * beginning is damaged.
 */
int state_reader_start(
	struct state_reader *r, struct str *input, struct state_meta *m, struct err *e);
/*
 * Take a chunk off the input, check it, and tell of its objects. 1; 0 when that was the end;
 * -EAGAIN when more octets are needed (at the end of the file: it is cut short); -EINVAL with a
 * sentence in e. After an error none of the objects is to be trusted.
 */
int state_reader_chunk(
	struct state_reader *r, struct str *input, const struct state_sink *to, struct err *e);
/* All of a file that is in memory. 0, or -EINVAL with a sentence in e. */
int state_read(
	struct str file, struct state_meta *m, const struct state_sink *to, struct err *e);

/* Append one object to b. */
void state_object_encode(struct buf *b, const struct object *o);
/*
 * Read one object from the front of *rest and move it on. Arrays go to the arena, texts point
 * into the input. False when it is malformed or breaks a limit of object.h.
 */
bool state_object_decode(struct arena *a, struct str *rest, struct object *o);
