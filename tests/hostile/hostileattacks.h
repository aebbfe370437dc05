//  hostileattacks - one function an attack, on a peer that has attached; the table in hostile.c has their names

#ifndef HOSTILEATTACKS_H_INCLUDED
#define HOSTILEATTACKS_H_INCLUDED

#include "hostilepeer.h"

//  hostileframes.c
void attack_oversize (peer_t *self);
void attack_frame_too_long (peer_t *self);
void attack_frame_too_short (peer_t *self);
void attack_frame_empty (peer_t *self);
void attack_frame_version (peer_t *self);
void attack_frame_type (peer_t *self);
void attack_frame_lane (peer_t *self);
void attack_frame_reserved (peer_t *self);
void attack_frame_of_front (peer_t *self);
void attack_multipart (peer_t *self);
void attack_truncated (peer_t *self);
void attack_bulk_flood (peer_t *self);
void attack_urgent_flood (peer_t *self);
void attack_talk_flood (peer_t *self);
void attack_replay_envelope (peer_t *self);
void attack_replay_session (peer_t *self);
void attack_other_session (peer_t *self);
void attack_old_session (peer_t *self);
void attack_mutated_session (peer_t *self);
void attack_foreign_box (peer_t *self);
void attack_ack_beyond (peer_t *self);
void attack_query (peer_t *self);
void attack_command (peer_t *self);

//  hostiletips.c
void attack_mutated (peer_t *self);
void attack_mutated_header (peer_t *self);
void attack_envelope_version (peer_t *self);
void attack_other_district (peer_t *self);
void attack_unknown_handle (peer_t *self);
void attack_foreign_handle (peer_t *self);
void attack_domain (peer_t *self);
void attack_padding (peer_t *self);
void attack_unknown_field (peer_t *self);
void attack_tag (peer_t *self);
void attack_counter_zero (peer_t *self);
void attack_counter_far (peer_t *self);
void attack_gaps (peer_t *self);
void attack_epochs (peer_t *self);
void attack_unknown_kind (peer_t *self);
void attack_kind_escape (peer_t *self);
void attack_severity (peer_t *self);
void attack_text_control (peer_t *self);
void attack_text_utf8 (peer_t *self);
void attack_text_bidi (peer_t *self);
void attack_text_nul (peer_t *self);
void attack_text_long (peer_t *self);
void attack_position (peer_t *self);
void attack_datum (peer_t *self);
void attack_accuracy (peer_t *self);
void attack_future (peer_t *self);
void attack_before_1970 (peer_t *self);

#endif
