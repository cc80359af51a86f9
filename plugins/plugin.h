/*
 * The only header that a plugin must include: the plugin interface, queries and answers, setup
 * with its helpers for reading directives, metrics and logging.
 */
#pragma once

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "base/vec.h"
#include "conf/args.h"
#include "conf/corefile.h"
#include "conf/zonekey.h"
#include "core/control.h"
#include "core/counters.h"
#include "core/explain.h"
#include "core/metadata.h"
#include "core/metrics.h"
#include "core/plugin.h"
#include "core/query.h"
#include "core/setup.h"
#include "core/shared.h"
#include "core/worker.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/rrset.h"
