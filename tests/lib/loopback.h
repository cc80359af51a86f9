/* TCP over 127.0.0.1 in one thread: for tests that have server and client on one loop. */
#pragma once

#include "test.h"

#include <poll.h>

#include "net/addr.h"

/* Run turn(f) until cond holds, for at most 10 s of patience on a slow machine. */
#define run_until(f, cond)                                              \
	do {                                                            \
		bool holds_ = false;                                    \
		for (int left_ = 10000; !holds_ && left_ > 0; left_--) { \
			turn(f);                                        \
			holds_ = (cond);                                \
			if (!holds_)                                    \
				poll(NULL, 0, 1);                       \
		}                                                       \
		assert_true(holds_);                                    \
	} while (0)

/* A socket that listens on a free port, which goes to *addr. Must not fail. */
int listen_on_loopback(union addr *addr);
/* A client socket bound to ip (host order), connected to addr; then it does not block. */
int connect_to(const union addr *addr, uint32_t ip);
