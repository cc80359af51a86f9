/* A rig with a kubernetes block that takes its objects from the test. */
#pragma once

#include "rig.h"

struct shared;

extern const struct plugin kubernetes_plugin;

/* A block for these zones, with these lines and the cluster of shared; it must work. */
void kube_open_with(struct rig *r, struct shared *shared, const char *zones, const char *rest);
/* The same with a cluster of its own. */
void kube_open(struct rig *r, const char *zones, const char *rest);
/* Close both. */
void kube_close(struct rig *r);
/* Objects in YAML; they must be good. */
void kube_apply(struct rig *r, const char *text);
/* The answer in words, until the next one; "NEXT" when the question is left to others. */
const char *kube_ask_as(struct rig *r, const struct rig_ask *a);
/* The same for a name and type. */
const char *kube_ask(struct rig *r, const char *name, uint16_t type);
