/* Splits a call at its commas with the lexer of expressions, so that quotes and brackets count. */
#include "featurecall.h"

#include <string.h>

#include "exprlex.h"

struct splitter {
    struct exprlex lex;
    struct exprlex_token token;
    struct expr_error *error;
};

static bool split_advance(struct splitter *splitter)
{
    return exprlex_next(&splitter->lex, &splitter->token);
}

static bool split_at(const struct splitter *splitter, char sign)
{
    return splitter->token.kind == EXPRLEX_SIGN && splitter->token.sign == sign;
}

static bool split_word(struct splitter *splitter, char *word)
{
    const struct exprlex_token *token = &splitter->token;
    if (token->len > FEATURECALL_WORD_MAX)
        return exprlex_fail(splitter->error, token->column, "the name is longer than %d letters",
                            FEATURECALL_WORD_MAX);
    memcpy(word, token->start, token->len);
    word[token->len] = '\0';
    return true;
}

/* `name =` before an argument; a lone `=` means nothing else in the language. */
static bool split_argument_name(struct splitter *splitter, struct featurecall_argument *argument)
{
    argument->name[0] = '\0';
    const struct exprlex_token *word = &splitter->token;
    const char *after = word->start + word->len;
    after += strspn(after, " \t");
    if (word->kind != EXPRLEX_WORD || after[0] != '=' || after[1] == '=')
        return true;
    return split_word(splitter, argument->name) && split_advance(splitter) &&
           split_advance(splitter);
}

/* Up to the comma or parenthesis that ends the argument, which stays the next token. */
static bool split_argument(struct splitter *splitter, struct featurecall_argument *argument)
{
    if (!split_argument_name(splitter, argument))
        return false;
    argument->start = splitter->token.start;
    argument->column = splitter->token.column;
    const char *end = argument->start;
    for (int depth = 0; depth > 0 || !(split_at(splitter, ',') || split_at(splitter, ')'));) {
        if (splitter->token.kind == EXPRLEX_END)
            return exprlex_fail(splitter->error, splitter->token.column, "`)` expected at the end");
        depth += split_at(splitter, '(');
        depth -= split_at(splitter, ')');
        end = splitter->token.start + splitter->token.len;
        if (!split_advance(splitter))
            return false;
    }
    argument->len = (size_t)(end - argument->start);
    return argument->len > 0 ||
           exprlex_fail(splitter->error, argument->column, "an argument is missing here");
}

/* From the opening parenthesis to the closing one, which stays the next token. */
static bool split_arguments(struct splitter *splitter, struct featurecall *call)
{
    if (!split_advance(splitter))
        return false;
    if (split_at(splitter, ')'))
        return true;
    for (;;) {
        if (call->count == FEATURECALL_ARGUMENTS_MAX)
            return exprlex_fail(splitter->error, splitter->token.column, "too many arguments");
        if (!split_argument(splitter, &call->arguments[call->count++]))
            return false;
        if (split_at(splitter, ')'))
            return true;
        if (!split_advance(splitter))
            return false;
    }
}

bool featurecall_parse(struct featurecall *call, const char *text, struct expr_error *error)
{
    struct splitter splitter = {.lex = {text, text, error, true}, .error = error};
    *call = (struct featurecall){0};
    if (!split_advance(&splitter))
        return false;
    if (splitter.token.kind != EXPRLEX_WORD)
        return exprlex_fail(error, splitter.token.column,
                            "an operator is expected here (such as count or sum(price))");
    if (!split_word(&splitter, call->name) || !split_advance(&splitter))
        return false;
    call->end_column = splitter.token.column;
    if (split_at(&splitter, '(')) {
        if (!split_arguments(&splitter, call))
            return false;
        call->end_column = splitter.token.column;
        if (!split_advance(&splitter))
            return false;
    }
    return splitter.token.kind == EXPRLEX_END ||
           exprlex_fail(error, splitter.token.column,
                        "nothing can follow the operator (arithmetic goes into its argument)");
}
