# Completion of jwks for Nushell, printed by `jwks completion nushell`.
# Nushell has one completer for all programs: the earlier one stays in place for the others.

let jwks_earlier_completer = ($env.config.completions.external.completer? | default null)

$env.config.completions.external.completer = {|spans|
    if ($spans | first) != "jwks" {
        return (if $jwks_earlier_completer == null { null } else { do $jwks_earlier_completer $spans })
    }
    let unquote = {|word|
        let inner = ($word | str replace --regex "^(?s)(['\"`])(.*)$" '$2')
        if $inner == $word {
            $word
        } else if ($word =~ '^".*"$') and ($word | str length) > 1 {
            try { $word | from json } catch { $inner }
        } else {
            let quote = ($word | str substring 0..0)
            if ($inner | str ends-with $quote) { $inner | str substring 0..<-1 } else { $inner }
        }
    }
    let quote = {|word|
        if $word =~ '^[\w./@:+%-][\w./@:=+%-]*$' { $word } else { $word | to json }
    }
    let words = ($spans | skip 1 | each {|word| do $unquote $word })
    let answer = (try { ^jwks __complete nushell ...$words | lines } catch { [] })
    let head = ($answer | get --optional 0 | default "words\t" | split row "\t")
    let prefix = ($head | get --optional 1 | default "")
    let candidates = ($answer | skip 1 | each {|line|
        let parts = ($line | split row "\t")
        { value: (do $quote ($parts | first)), description: ($parts | get --optional 1 | default "") }
    })
    if ($head | first) == "words" or ($candidates | is-not-empty) {
        $candidates
    } else if ($prefix | is-empty) {
        null # Nushell completes files.
    } else {
        let start = ($words | last | str substring ($prefix | str length)..)
        try {
            ls ($start + "*" | into glob) | each {|file|
                let end = (if $file.type == dir { "/" } else { "" })
                { value: (do $quote ($prefix + $file.name + $end)), description: "" }
            }
        } catch { [] }
    }
}
