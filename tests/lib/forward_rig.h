/* A rig with the forward plugin over the fake network, for its tests. */
#pragma once

#include "fake_relay_io.h"
#include "rig.h"

extern const struct plugin forward_plugin;

/* A fresh network whose servers do what on_send says, and a block of these lines; it must work. */
void forward_open(struct rig *r, const char *lines, void (*on_send)(const struct fake_sent *sent));
/* Close both. */
void forward_close(struct rig *r);
/* Let time pass for the network and for the worker. */
void forward_pass(struct rig *r, uint64_t ms);
