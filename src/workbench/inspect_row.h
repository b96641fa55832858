/* A row of Redis as JSON. */
#ifndef FRESHET_INSPECT_ROW_H
#define FRESHET_INSPECT_ROW_H

/* Prints the row of an entity's key, as of the daemon of this configuration:
 *     {"key":"ada","layout":"packed","_as_of":1767225600000,"_p":0,"_rev":0,"_o":41,"_v":"...",
 *      "clicks_5m":2,"last_items":["hat"],"price":null,...}
 * with "_w" when something is warming up. Returns the exit status. */
int inspect_row(const char *config, const char *key);

#endif
