//  likeness - how much two texts have in common, from eight bytes of each
//
//  The texts themselves need not be kept: a sketch says nothing that a person could read. Characters, not words: the same for Chinese and English.
//  Only for checked UTF-8.

#ifndef LIKENESS_H_INCLUDED
#define LIKENESS_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

//  A text as 15 values of 4 bits, each the least of a hash over its share of the character bigrams (one-permutation minhash), or
//  "none is there", and whether it is written in Han characters. 0 for a text without bigrams.
uint64_t likeness_sketch (const uint8_t *text, size_t size);
//  Place words without case, blanks and punctuation, as a number; 0 when nothing is left.
uint64_t likeness_address (const uint8_t *text, size_t size);

//  How much two sketches have in common, from 0 to LIKENESS_MOST, the share of common bigrams; -1 when that cannot be
//  compared: one is empty, or the other wrote in another script.
#define LIKENESS_MOST 8
int likeness_degree (uint64_t a, uint64_t b);

#endif
