/*
 * "Did you mean": the word of a list that is closest to what a person typed. Used in errors of
 * the Corefile parser and of conf/args.h. Pure; owns nothing.
 */
#pragma once

/*
 * The word of the NULL-ended list with the fewest typing errors against word: one error is allowed
 * for three letters, two for longer words. NULL when none is close.
 */
const char *suggest_word(const char *word, const char *const *list);
