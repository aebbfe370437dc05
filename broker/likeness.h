//  likeness - how much two texts have in common, from eight bytes of each
//
//  The texts themselves need not be kept: a sketch says nothing that a person could read. Characters, not words: the same for Chinese and English.
//  Only for checked UTF-8.

#ifndef LIKENESS_H_INCLUDED
#define LIKENESS_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

//  A text as 16 values of 4 bits, each the least of a hash over its share of the character bigrams (one-permutation minhash):
//  the share of equal places estimates the share of common bigrams. 0 for a text without bigrams.
uint64_t likeness_sketch (const uint8_t *text, size_t size);
//  Place words without case, blanks and punctuation, as a number; 0 when nothing is left.
uint64_t likeness_address (const uint8_t *text, size_t size);

//  What two sketches do to a ratio of likelihoods: from 0.7 for nothing in common (the other may have written another language) to 2 for the same
//  words; 1 when one of them says nothing.
double likeness_weight (uint64_t a, uint64_t b);

#endif
