/* Messages to the service manager (systemd); nothing happens when there is none. */
#ifndef FRESHET_NOTIFY_H
#define FRESHET_NOTIFY_H

#include <stdint.h>

/* Start-up, or a reload, is over. */
void notify_ready(void);
/* One line for `systemctl status`; sent only when it has changed. */
void notify_status(const char *line);
/* Configuration is being read again; notify_ready ends it. */
void notify_reloading(void);
void notify_stopping(void);

/* How often notify_watchdog must be called: half of what the service manager allows. 0: it does
 * not watch. Reads the environment: call at start-up. */
int64_t notify_watchdog_interval_ms(void);
/* The loop turns. For a timer of the loop itself, so that a loop that hangs is noticed. */
void notify_watchdog(void);
/* Asks for more time to start or stop than the unit allows, from now on. */
void notify_extend_ms(int64_t more_ms);

#endif
