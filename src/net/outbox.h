/*
 * Datagrams that are about to leave by one connected UDP socket, in as few system calls and with
 * as little of the kernel's work as possible: of a burst, those of equal length are one message
 * that the kernel cuts into segments behind the routing, the filters and the queue
 * (UDP_SEGMENT). Used by relay_io.c for questions to an upstream server. Each is a datagram of its
 * own on the wire.
 *
 * Lifetime: its owner's; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define OUTBOX_MAX 64u
/* Fewer than that leave as they are, which is what whoever captures packets expects to see. */
#define OUTBOX_BURST 16u

/* Bursts that leave one by one after a refusal; at most so many after many. */
#define OUTBOX_REST 64u
#define OUTBOX_REST_MAX (64u << 10)

/* The length of the segments, for sendmsg(). */
struct outbox_control {
	_Alignas(struct cmsghdr) uint8_t at[CMSG_SPACE(sizeof(uint16_t))];
};

struct outbox {
	bool has_segments; /* false: the kernel has none */
	unsigned refused; /* bursts that the way did not take in segments; the owner zeroes it */
	uint32_t rest; /* bursts that leave one by one before segments are tried again */
	uint32_t next_rest; /* the same, at the next refusal */
	unsigned len;
	struct iovec parts[OUTBOX_MAX]; /* as they were added */
	/* made by outbox_pack() */
	unsigned messages_len;
	struct mmsghdr messages[OUTBOX_MAX];
	struct iovec packed[OUTBOX_MAX]; /* the parts, those of a message side by side */
	struct outbox_control control[OUTBOX_MAX];
};

/* An empty one, which uses segments until outbox_probe() learns better. */
void outbox_init(struct outbox *o);
/* Do without segments from now on when the kernel of this UDP socket does not know them. */
void outbox_probe(struct outbox *o, int fd);
/* Add a datagram of n octets, at most OUTBOX_MAX of them; borrowed until outbox_send(). */
void outbox_add(struct outbox *o, const uint8_t *data, size_t n);
/*
 * Make messages of what was added, with segments where they pay and may be used; the number of
 * messages. Datagrams of a length keep their order.
 */
unsigned outbox_pack(struct outbox *o, bool may_segment);
/*
 * Send what was packed by the connected socket fd and forget it. Where the way refuses segments,
 * these and the next bursts leave one by one: OUTBOX_REST of them, twice as many each time that
 * it still does, so that a passing fault passes, and a lasting one costs nothing. 0, or the last
 * negative errno that the network reported; what did not leave is lost, as it may be on the way.
 */
int outbox_send(struct outbox *o, int fd);
