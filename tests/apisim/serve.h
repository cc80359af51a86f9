/* The API port of apisim. */
#pragma once

#include "sim.h"

/* Answer one request of the Kubernetes API. Takes the world's lock; may wait while stalled. */
enum MHD_Result api_serve(
        struct MHD_Connection *c, const char *method, const char *path, struct buf *body);
