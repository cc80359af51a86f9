/*
 * Assertions. must() always aborts and is for cold code; assume() states a fact that the
 * lines just above prove and costs nothing in a release build.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

/* Abort with the place and the text of the broken condition. Never compiled out. */
#define must(cond)                                                                          \
	do {                                                                                \
		if (__builtin_expect(!(cond), 0)) {                                         \
			fprintf(stderr, "seamark: %s:%d: broken: %s\n", __FILE__, __LINE__, \
			        #cond);                                                     \
			abort();                                                            \
		}                                                                           \
	} while (0)

#ifdef SEAMARK_CHECKED
#define assume(cond) must(cond)
#else
#define assume(cond)                                                                               \
	do {                                                                                       \
		if (!(cond))                                                                       \
			__builtin_unreachable();                                                   \
	} while (0)
#endif

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
