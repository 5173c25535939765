
set edit:completion:arg-completer[jwks] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) JWKS_COMPLETE="elvish" jwks -- $@words) | to-lines
}

