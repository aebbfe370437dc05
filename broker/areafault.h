//  areafault - the faults found in an area file, gathered and told in file order

#ifndef AREAFAULT_H_INCLUDED
#define AREAFAULT_H_INCLUDED

#include "areas.h"

#define AREAFAULTS_FATAL_MAX 500 //  further ones are only counted
#define AREAFAULTS_MAX 50000     //  warnings too: each overlap and gap of a large map is named

typedef struct areafaults_t areafaults_t;

areafaults_t *areafaults_new (void);
void areafaults_destroy (areafaults_t **self_p);

//  One line about a feature (-1: the whole file). station may be NULL. Control characters become '?'.
void areafaults_fatal (areafaults_t *self, int feature, const char *station, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));
void areafaults_warn (areafaults_t *self, int feature, const char *station, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

//  How many fatal ones so far.
int areafaults_fatal_count (const areafaults_t *self);

//  Calls fault once for each, by feature, then in the order found. fault may be NULL.
void areafaults_tell (areafaults_t *self, areas_fault_fn *fault, void *context);

#endif
