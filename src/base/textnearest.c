/* Guessing what a mistyped word was meant to be. */
#include <string.h>

#include "text.h"

enum { WORD_MAX = 64 };

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that make a into b. */
static int edits(const char *a, const char *b)
{
    size_t len_a = strlen(a);
    size_t len_b = strlen(b);
    if (len_a > WORD_MAX || len_b > WORD_MAX)
        return WORD_MAX;
    int rows[3][WORD_MAX + 1]; /* the one being made, the one above and the one above that */
    for (int j = 0; j <= (int)len_b; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= len_a; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3];
        const int *before = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= len_b; j++) {
            row[j] =
                smaller(above[j - 1] + (a[i - 1] != b[j - 1]), smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
    }
    return rows[len_a % 3][len_b];
}

const char *text_nearest(const char *word, const char *const *words)
{
    const char *nearest = NULL;
    int least = (int)strlen(word) / 3 + 2; /* more edits would make another word of it */
    for (; *words; words++) {
        int distance = edits(word, *words);
        if (distance < least) {
            least = distance;
            nearest = *words;
        }
    }
    return nearest;
}
