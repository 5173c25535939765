# Completion of jwks for fish, printed by `jwks completion fish`.

function __jwks_answer
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    # A quote that is still open ends at the cursor.
    for quote in '' \' \"
        if set -l plain (string unescape -- "$current$quote" 2>/dev/null)
            set current $plain
            break
        end
    end
    command jwks __complete fish $words[2..-1] "$current" 2>/dev/null
end

function __jwks_candidates
    __jwks_answer | tail -n +2
end

function __jwks_wants_files
    string match --quiet --regex '^(files|directories)' -- (__jwks_answer)[1]
end

complete --command jwks --no-files --keep-order --arguments '(__jwks_candidates)'
complete --command jwks --force-files --condition __jwks_wants_files
