//  nonce - random 24-octet nonces for XSalsa20 boxes, drawn a hundred at a time
//
//  A nonce is seen by relays and by the front, so it must tell nothing: not who made it, not how many came before. One draw from
//  the kernel or from libsodium's generator for each costs a system call (libsodium asks for its process id); a draw of a hundred costs the same.
//  A child that goes on after fork () without exec () would repeat its parent's: none of ours does.

#ifndef NONCE_H_INCLUDED
#define NONCE_H_INCLUDED

#include <stdint.h>

#include "envelope.h"

//  Writes a nonce that nobody was given before. Any thread.
void nonce_next (uint8_t nonce [NONCE_SIZE]);

#endif
