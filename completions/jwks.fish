complete --keep-order --exclusive --command jwks --arguments "(JWKS_COMPLETE=fish jwks -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
