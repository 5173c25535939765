# Completion of jwks for Elvish, printed by `jwks completion elvish`.

use str

fn complete {|@words|
    var answer = [(try { e:jwks __complete elvish (all $words[1..]) 2>/dev/null } catch { })]
    if (== 0 (count $answer)) {
        return
    }
    var kind prefix = (str:split "\t" $answer[0])
    for line $answer[1..] {
        var value help = (str:split "\t" $line)
        var shown = $value
        if (not-eq $help '') {
            set shown = $value' ('$help')'
        }
        var suffix = ' '
        if (or (str:has-suffix $value '@') (str:has-suffix $value '/') (str:has-suffix $value '=')) {
            set suffix = ''
        }
        edit:complex-candidate $value &display=$shown &code-suffix=$suffix
    }
    if (not-eq $kind words) {
        if (eq $prefix '') {
            edit:complete-filename $words[-1]
        } else {
            edit:complete-filename (str:trim-prefix $words[-1] $prefix) | each {|path|
                edit:complex-candidate $prefix$path[stem] &display=$path[stem] &code-suffix=$path[code-suffix]
            }
        }
    }
}

set edit:completion:arg-completer[jwks] = $complete~
