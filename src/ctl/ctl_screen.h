/* One frame of the live view, from two INFO answers. */
#ifndef FRESHET_CTL_SCREEN_H
#define FRESHET_CTL_SCREEN_H

#include "ctl_info.h"

struct ctl_screen {
    int rows, columns; /* what fits; 0: no limit */
    bool is_terminal;  /* bold and colours */
};

/* before NULL: there is nothing yet to compute rates from. */
void ctl_screen_frame(const struct ctl_screen *screen, const struct ctl_info *before,
                      const struct ctl_info *now, struct text *out);

#endif
