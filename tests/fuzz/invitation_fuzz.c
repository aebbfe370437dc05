//  An invitation line: pasted by a person, or read from a QR code of a stranger.

#include "fuzz.h"

#include <sodium.h>
#include "identity.h"

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    FUZZ_EXPECT (identity_init () == 0);
    return 0;
}

static void s_parse (const char *line)
{
    invitation_t invitation, again;
    const char *reason = NULL;
    if (invitation_parse (&invitation, line, &reason)) {
        FUZZ_EXPECT (reason && *reason);
        return;
    }
    FUZZ_EXPECT (memchr (invitation.endpoint, 0, sizeof invitation.endpoint));
    char *out = invitation_format (&invitation);
    FUZZ_EXPECT (out && invitation_parse (&again, out, &reason) == 0);
    FUZZ_EXPECT (strcmp (again.endpoint, invitation.endpoint) == 0 && again.role == invitation.role);
    FUZZ_EXPECT (memcmp (again.secret, invitation.secret, sizeof again.secret) == 0);
    free (out);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (fuzz_byte (&data, &size) & 1) {
        //  the message itself, in the line's coding
        size_t room = sizeof INVITATION_PREFIX + sodium_base64_ENCODED_LEN (size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        char *line = malloc (room);
        FUZZ_EXPECT (line);
        strcpy (line, INVITATION_PREFIX);
        sodium_bin2base64 (line + strlen (line), room - strlen (line), data, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        s_parse (line);
        free (line);
    } else {
        char *line = fuzz_text (data, size);
        s_parse (line);
        free (line);
    }
    return 0;
}
