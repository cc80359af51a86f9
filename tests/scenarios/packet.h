/*
 * Packets of scenarios, made and read with ldns, so that our own codec is not its own judge.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "script.h"

/* Write the question of an `ask` step to out (4096 octets); returns its length. */
size_t packet_ask(const struct step *s, uint16_t id, uint8_t *out);
/*
 * Compare a reply with an `expect` step; differences are appended to why. Returns true when it is
 * what was expected.
 */
bool packet_expect(const struct step *s, const uint8_t *wire, size_t len, struct buf *why);
/* Write the reply of a `reply` step to the query (len octets) to out; returns its length. */
size_t packet_reply(const struct step *s, const uint8_t *query, size_t len, uint8_t *out);
/* The serial of the SOA record in the answer section, 0 when there is none. */
uint32_t packet_serial(const uint8_t *wire, size_t len);
/* Append "name type" of the question of a packet to out. */
void packet_question(const uint8_t *wire, size_t len, struct buf *out);
